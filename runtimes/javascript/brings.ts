/**
 * The local files that a JavaScript or TypeScript program reaches by imports of every kind, whether an isolate or node
 * runs it. Unlike `graph.ts` the walk does not end at what isolates lack, and a file that is missing is a note.
 */
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { messageOf } from '../../src/base/error.ts';
import { type Baggage, isFile, isFolder, otherFolder } from '../baggage.ts';
import { detectFormat } from './format.ts';
import { Inputs } from './inputs.ts';
import { packageTargets } from './package-targets.ts';
import { type Reference, type References, referencesOf } from './references.ts';
import { asWritten, fileKind, isTypeScript } from './resolve.ts';
import { type TsConfig, tsconfigFor } from './tsconfig.ts';
import { stopTranslator, translate } from './typescript.ts';

/** @param program absolute path @throws PrisnError `too_large` */
export async function bringImports(program: string, baggage: Baggage): Promise<void> {
  const walk = new Walk(baggage);
  try {
    await walk.enter(program);
  } finally {
    if (walk.translated) await stopTranslator();
  }
}

class Walk {
  readonly #baggage: Baggage;
  /** It also sees every package.json and tsconfig.json that has a say. */
  readonly #inputs = new Inputs();
  /** Whether the translator runs. */
  translated = false;

  constructor(baggage: Baggage) {
    this.#baggage = baggage;
  }

  async enter(program: string): Promise<void> {
    const open = [program];
    for (let file = open.pop(); file !== undefined; file = open.pop()) {
      for (const target of await this.#targetsOf(file)) if (this.#baggage.add(target)) open.push(target);
    }
    for (const path of this.#inputs.paths) if (!isOfPackage(path)) this.#baggage.add(path);
  }

  async #targetsOf(file: string): Promise<string[]> {
    try {
      const config = isTypeScript(file) ? tsconfigFor(dirname(file), this.#inputs) : undefined;
      const { found, dynamic } = await this.#referencesOf(file, config);
      if (dynamic) this.#baggage.note(file, 'imports what only its run can tell; that did not come along');
      return found.flatMap((reference) => this.#resolve(reference, file, config));
    } catch (error) {
      this.#baggage.note(file, `is not understood (${messageOf(error)}), so what it imports did not come along`);
      return [];
    }
  }

  async #referencesOf(file: string, config: TsConfig | undefined): Promise<References> {
    const kind = fileKind(file, this.#inputs);
    const text = kind && kind.language !== 'json' ? this.#inputs.read(file) : undefined;
    if (!kind || kind.language === 'json' || text === undefined) return { found: [], dynamic: false };
    if (!config) return referencesOf(text, kind.kind === 'detect' ? detectFormat(text) : kind.kind);
    this.translated = true;
    return referencesOf((await translate(file, text, config)).code, 'module');
  }

  #resolve(reference: Reference, importer: string, config: TsConfig | undefined): string[] {
    const { specifier, kind } = reference;
    if (/^(?:node|data|https?|blob):/.test(specifier) || (kind !== 'file' && isBuiltin(specifier))) return [];
    const isPath = /^(?:\.{0,2}\/|\.{1,2}$|file:)/.test(specifier);
    if (!isPath && kind !== 'file') return this.#resolveBare(specifier, importer, config);
    const found = this.#find(pathOf(reference, importer), kind, importer);
    if (found !== undefined) return this.#unlessOfPackage(found, specifier, importer);
    this.#noteMissing(reference, importer);
    return [];
  }

  /** Through `paths` of tsconfig.json, or through the program's own package.json; anything else is a package. */
  #resolveBare(specifier: string, importer: string, config: TsConfig | undefined): string[] {
    const aliased = (config?.aliases?.(specifier) ?? []).map((path) => this.#find(path, 'import', importer));
    const own = aliased.find((path) => path !== undefined);
    if (own !== undefined) return this.#unlessOfPackage(own, specifier, importer);
    const targets = packageTargets(specifier, dirname(importer), this.#inputs);
    if (targets) return targets;
    this.#baggage.note(importer, `imports '${specifier}', a package: those are installed where it runs and do not come along`);
    return [];
  }

  #find(path: string, kind: Reference['kind'], importer: string): string | undefined {
    if (isFile(path)) return path;
    return (
      (isTypeScript(importer) ? asWritten(path, this.#inputs) : undefined) ??
      (kind === 'require' ? this.#findRequired(path) : undefined)
    );
  }

  /** https://nodejs.org/api/modules.html#all-together */
  #findRequired(path: string): string | undefined {
    const ends = ['.js', '.json', '.node'];
    const asFile = path.endsWith('/') ? undefined : ends.map((end) => path + end).find(isFile);
    if (asFile !== undefined || !isFolder(path)) return asFile;
    const main = mainOf(this.#inputs.read(join(path, 'package.json')));
    const places = main === undefined ? [path] : [join(path, main), path];
    return places.flatMap((place) => [place, ...ends.flatMap((end) => [place + end, join(place, `index${end}`)])]).find(isFile);
  }

  #unlessOfPackage(file: string, specifier: string, importer: string): string[] {
    if (!isOfPackage(file)) return [file];
    this.#baggage.note(importer, `imports '${specifier}' out of node_modules, which does not come along`);
    return [];
  }

  #noteMissing(reference: Reference, importer: string): void {
    const { specifier, kind } = reference;
    const path = pathOf(reference, importer);
    const elsewhere = otherFolder(importer);
    if (elsewhere !== undefined && this.#find(pathOf(reference, join(elsewhere, 'x')), kind, importer) !== undefined)
      this.#baggage.noteLink(importer, `'${specifier}'`);
    else if (kind !== 'file') this.#baggage.note(importer, `imports '${specifier}', which is not there; that import will fail`);
    else if (isFolder(path) && !isAbove(path, importer))
      this.#baggage.note(importer, `names the folder '${specifier}', which does not come along; name a folder to take all of it`);
  }
}

function pathOf({ specifier, kind }: Reference, importer: string): string {
  if (kind === 'require') return specifier.startsWith('/') ? specifier : join(dirname(importer), specifier);
  return fileURLToPath(new URL(specifier.replace(/[?#].*$/s, ''), pathToFileURL(importer)));
}

function isOfPackage(path: string): boolean {
  return path.includes('/node_modules/');
}

function isAbove(folder: string, file: string): boolean {
  return file.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

function mainOf(manifest: string | undefined): string | undefined {
  try {
    const { main } = JSON.parse(manifest ?? '{}') as { main?: unknown };
    return typeof main === 'string' ? main : undefined;
  } catch {
    return undefined;
  }
}
