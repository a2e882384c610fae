/**
 * The modules of one program in one isolate: compiled, linked and opened.
 *
 * isolated-vm hands on neither V8's callback for `import()` nor the one for `import.meta`. The loader writes names of the
 * same length in their place (`importName`, `metaName`), and a line before the module binds both to the guest's own side.
 * Linking runs no code of the program's, so it may block this thread.
 * A module is opened by one of ours that imports it and hands its namespace on: so a namespace never leaves the isolate.
 */
import { pathToFileURL } from 'node:url';
import type ivm from 'isolated-vm';
import { importName, metaName, type Program, type ProgramModule } from '../../src/model/task.ts';
import type { Engine } from './engine.ts';

const bindings = `globalThis[Symbol.for('prisn.module')]`;

export class Linker {
  readonly #program: Program;
  readonly #engine: Engine;
  readonly #isolate: ivm.Isolate;
  readonly #context: ivm.Context;
  readonly #modules = new Map<string, ivm.Module>();
  readonly #openers: ivm.Module[] = [];
  readonly #keys = new Map<ivm.Module, string>();

  constructor(program: Program, engine: Engine, isolate: ivm.Isolate, context: ivm.Context) {
    this.#program = program;
    this.#engine = engine;
    this.#isolate = isolate;
    this.#context = context;
  }

  /** Runs a script's body as a function of `import()`. @throws SyntaxError of the program's, and what came of running it */
  async script(key: string): Promise<void> {
    const code = `${bindings}.script(function (${importName}) {\n${this.#source(key).code}\n})`;
    await this.#engine.run(this.#context, code, { filename: key, lineOffset: -1 });
  }

  /**
   * Links a module with all that it imports.
   * @param then a call of a module binding, for when it has been evaluated; `namespace` is in its scope
   * @returns evaluates it
   * @throws SyntaxError of the program's
   */
  async open(key: string, then: string): Promise<() => unknown> {
    const known = new Set(this.#modules.keys());
    try {
      await this.#compile(key);
      const code = `import * as namespace from 'prisn:target';\n${bindings}.${then};`;
      const opener = this.#isolate.compileModuleSync(code, { filename: 'prisn:open' });
      this.#openers.push(opener);
      const target = this.#modules.get(key) as ivm.Module;
      opener.instantiateSync(this.#context, (specifier, referrer) =>
        referrer === opener ? target : this.#resolve(specifier, referrer),
      );
      return () => this.#engine.evaluate(opener);
    } catch (error) {
      // V8 does not link a module anew that has failed once: the next attempt starts from the source.
      for (const added of this.#modules.keys()) if (!known.has(added)) this.#modules.delete(added);
      throw error;
    }
  }

  /** Lets go of what V8 keeps for it. */
  close(): void {
    for (const module of [...this.#modules.values(), ...this.#openers.splice(0)]) module.release();
    this.#modules.clear();
    this.#keys.clear();
  }

  /** @throws Error for what the program's graph does not hold */
  target(referrer: string, specifier: string): string {
    const key = this.#source(referrer).imports[specifier];
    if (key === undefined) throw new Error(`Cannot find module '${specifier}' imported from ${referrer}`);
    return key;
  }

  /** With its static imports; what it imports later is compiled then. */
  async #compile(key: string): Promise<void> {
    if (this.#modules.has(key)) return;
    const url = pathToFileURL(key).href;
    const { code, lineOffset } = this.#code(key, url);
    const module = await this.#engine.compileModule(this.#isolate, code, { filename: url, lineOffset });
    this.#modules.set(key, module);
    this.#keys.set(module, key);
    for (const specifier of module.dependencySpecifiers) await this.#compile(this.target(key, decoded(specifier)));
  }

  #code(key: string, url: string): { code: string; lineOffset: number } {
    const source = this.#source(key);
    if (source.format === 'json') return { code: `export default JSON.parse(${JSON.stringify(source.code)});`, lineOffset: 0 };
    if (!source.code.includes(importName) && !source.code.includes(metaName)) return { code: source.code, lineOffset: 0 };
    const [id, href, main] = [key, url, key === this.#program.entry].map((value) => JSON.stringify(value));
    const line = `const ${importName} = ${bindings}.importer(${id}), ${metaName} = ${bindings}.meta(${id}, ${href}, ${main});`;
    return { code: `${line}\n${source.code}`, lineOffset: -1 };
  }

  #resolve(specifier: string, referrer: ivm.Module): ivm.Module {
    const key = this.#keys.get(referrer);
    if (key === undefined) throw new TypeError('the importing module is none of the program');
    return this.#modules.get(this.target(key, decoded(specifier))) as ivm.Module;
  }

  #source(key: string): ProgramModule {
    const module = this.#program.modules[key];
    if (!module) throw new TypeError(`the program has no module ${key}`);
    return module;
  }
}

/** isolated-vm hands specifiers over as UTF-8 that was read as Latin-1. */
function decoded(specifier: string): string {
  return Buffer.from(specifier, 'latin1').toString();
}
