/**
 * The guest's side of modules: running a script's body, `import()`, `import.meta`, and the default export.
 *
 * V8 gives an embedder callbacks for `import()` and `import.meta`, which isolated-vm does not hand on. The loader
 * therefore writes `$impt$` and `$importMeta` in their place (names of the same length, so that positions stay exact),
 * and the host puts a line before the module that binds both to this module's own.
 */
import { excerpt, onlyPlace, reportUncaught } from './errors.ts';
import { host, type ModuleBindings } from './host.ts';
import { exitCode, startInfo } from './process.ts';

interface Pending {
  resolve(namespace: object): void;
  reject(error: unknown): void;
}

/** Taken before the program can replace them. */
const { parse, stringify } = JSON;

const imports = new Map<number, Pending>();
let nextId = 0;

/** `import()` of one module. */
function importer(referrer: string): (specifier: unknown) => Promise<object> {
  return (specifier) =>
    new Promise((resolve, reject) => {
      const id = ++nextId;
      imports.set(id, { resolve, reject });
      host.importModule(id, referrer, `${specifier}`);
    });
}

/** `import.meta` of one module, with node's properties. */
function meta(file: string, url: string, main: boolean): object {
  return Object.assign(Object.create(null), { dirname: file.replace(/\/[^/]*$/, '') || '/', filename: file, main, url });
}

function imported(id: number, namespace: object): void {
  imports.get(id)?.resolve(namespace);
  imports.delete(id);
}

export function rejectImport(id: number, error: unknown): void {
  imports.get(id)?.reject(error);
  imports.delete(id);
}

/** A CommonJS body without `require`: `this` is an empty object, as `module.exports` would be. */
export function runScript(body: (importModule: unknown) => unknown, file: string): void {
  try {
    body.call({}, importer(file));
  } catch (error) {
    reportUncaught(error);
  }
}

/** What an ES module still waits for: its evaluation, then what its default export returned. */
const topLevelAwait = 'top-level await';
let awaited: string | undefined = topLevelAwait;

/** A default export that is a function is called with the input; what it returns is printed as JSON. */
function evaluated(namespace: object): void {
  const main = (namespace as { default?: unknown }).default;
  awaited = undefined;
  if (typeof main === 'function') void callMain(main as (input: unknown, context: object) => unknown);
}

async function callMain(main: (input: unknown, context: object) => unknown): Promise<void> {
  awaited = 'promise of the default export';
  const { argv, env, input } = startInfo();
  try {
    const text = input ?? host.readInput();
    const value = await main(text === undefined ? undefined : parse(text), { args: argv.slice(2), env });
    const json = stringify(value);
    if (json !== undefined) host.write(1, `${json}\n`);
    awaited = undefined;
  } catch (error) {
    reportUncaught(error);
  }
}

/** Exit code of node for a top-level await that never settles. */
const unsettled = 13;

/** The exit code at the program's natural end, when nothing can enter it any more. */
export function finalExitCode(): number {
  const code = exitCode();
  if (awaited === undefined || !startInfo().isModule || code !== 0) return code;
  const place = awaited === topLevelAwait ? excerpt(onlyPlace(/\bawait\b/)) : '';
  host.write(
    2,
    `Warning: Detected unsettled ${awaited} at ${place === '' ? `the end of ${startInfo().entry}\n` : `${place}\n\n`}`,
  );
  return unsettled;
}

export const bindings: ModuleBindings = { importer, meta, imported, evaluated };
