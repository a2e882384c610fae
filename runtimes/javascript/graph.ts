/**
 * The closed graph of a program's modules, or the first thing in it that an isolate lacks.
 *
 * Modules are read in waves, breadth first: those of a wave at once (translation waits for another process), judged in
 * the order of their imports, so that the same program always gives the same answer. The walk ends at the first
 * finding: a program that needs node should not wait for the rest of its graph.
 */
import { SourceMap } from 'node:module';
import { dirname } from 'node:path';
import { messageOf, PrisnError } from '../../src/base/error.ts';
import type { Program, ProgramModule } from '../../src/model/task.ts';
import type { Bundled } from './bundled.ts';
import type { Inputs } from './inputs.ts';
import { lackedWords, moduleWords } from './lacks.ts';
import { detectFormat } from './format.ts';
import { type FileKind, fileKind, isTypeScript, type Kind, resolveImport } from './resolve.ts';
import type { Finding, Scan } from './scan.ts';
import { scan } from './scanner.ts';
import type { TsConfig } from './tsconfig.ts';
import { stopTranslator, translate } from './typescript.ts';
import { NodeOnly, ProgramFailure } from './verdicts.ts';

export type Verdict =
  | { readonly choice: 'isolate'; readonly program: Program }
  /**
   * `line` is 1-based and of the file as its author wrote it; `typescript` says whether any of the modules that were seen
   * up to there is to be translated.
   */
  | {
      readonly choice: 'node';
      readonly file: string;
      readonly line?: number;
      readonly what: string;
      readonly typescript: boolean;
      /** Whether a package that is imported is not there. */
      readonly lacksPackages?: boolean;
    };

export interface Question {
  /** Absolute real path; made up where `source` is given. */
  readonly path: string;
  /** The program's text, as `sourceText` gives it, when it is in no file. */
  readonly source?: string;
  /** Absolute path of a `node_modules` for packages that are not where node looks. */
  readonly packages?: string;
  /** Build the program although it uses what an isolate lacks. */
  readonly force: boolean;
}

/** More characters than this are not parsed: a word decides. */
const parsedCharacters = 5 * 2 ** 20;

interface Analysed {
  readonly module: ProgramModule;
  readonly finding?: { readonly line?: number; readonly what: string; readonly isPackage?: boolean };
}

/**
 * @throws ProgramFailure when the program cannot run anywhere: an import that does not exist, TypeScript's syntax
 * @throws PrisnError `cannot_run` when an isolate was asked for by force and cannot be built
 */
export async function analyse(question: Question, inputs: Inputs): Promise<Verdict> {
  const graph = new Graph(question, inputs);
  try {
    return await graph.walk();
  } finally {
    if (graph.translated) await stopTranslator();
  }
}

class Graph {
  readonly #question: Question;
  readonly #inputs: Inputs;
  readonly #configs = new Map<string, Promise<TsConfig>>();
  /** Whether the translator runs. */
  translated = false;

  constructor(question: Question, inputs: Inputs) {
    this.#question = question;
    this.#inputs = inputs;
  }

  async walk(): Promise<Verdict> {
    const { path, force } = this.#question;
    const modules: Record<string, ProgramModule> = {};
    const seen = new Set([path]);
    for (let wave = [path]; wave.length > 0; ) {
      const next: string[] = [];
      const results = await Promise.allSettled(wave.map((file) => this.#module(file)));
      for (const [index, result] of results.entries()) {
        if (result.status === 'rejected') throw result.reason;
        const file = wave[index] as string;
        const { module, finding } = result.value;
        const bundled = finding?.isPackage && (await this.#bundle());
        if (bundled && typeof bundled === 'object' && 'module' in bundled)
          return { choice: 'isolate', program: { entry: path, modules: { [path]: bundled.module } } };
        if (finding && force) throw cannotBuild(file, finding);
        const typescript = [...seen, ...Object.values(module.imports)].some(isTypeScript);
        if (finding) {
          const { line, what } = finding;
          const more = typeof bundled === 'object' ? `, ${bundled.lack}` : '';
          const place = { file, ...(line !== undefined && { line }), what: what + more };
          return { choice: 'node', ...place, typescript, ...(bundled === 'missing' && { lacksPackages: true }) };
        }
        if (file !== path && module.format === 'script' && !force)
          return { choice: 'node', file, what: 'is CommonJS and imported', typescript };
        modules[file] = module;
        for (const target of Object.values(module.imports)) {
          if (seen.has(target)) continue;
          seen.add(target);
          next.push(target);
        }
      }
      wave = next;
    }
    return { choice: 'isolate', program: { entry: path, modules } };
  }

  /** A program in a file that is an ES module, with its packages. */
  async #bundle(): Promise<Bundled | undefined> {
    const { path, source, packages } = this.#question;
    if (source !== undefined) return undefined;
    const { text, kind } = this.#read(path);
    if (kind.language === 'json' || kind.kind === 'script') return undefined;
    if (kind.kind === 'detect' && detectFormat(text) !== 'module') return undefined;
    this.translated = true;
    const { bundleWithPackages } = await import('./bundled.ts');
    return bundleWithPackages(path, packages, this.#inputs);
  }

  async #module(path: string): Promise<Analysed> {
    try {
      const { text, kind } = this.#read(path);
      if (kind.language === 'json') return jsonModule(text);
      if (kind.language === 'javascript') return await this.#scanned(path, text, kind.kind);
      this.translated = true;
      const config = await this.#config(dirname(path));
      const { code, map } = await translate(path, text, config);
      return await this.#scanned(path, code, kind.kind, { config, map });
    } catch (error) {
      if (!(error instanceof NodeOnly)) throw error;
      return { module: { format: 'script', code: '', imports: {} }, finding: { what: error.message } };
    }
  }

  #read(path: string): { text: string; kind: FileKind } {
    const { source, path: entry } = this.#question;
    const isInline = path === entry && source !== undefined;
    const kind = fileKind(path, this.#inputs, isInline);
    if (!kind) throw new NodeOnly('is of a kind that only node may know');
    let text = source;
    try {
      if (!isInline) text = this.#inputs.read(path);
    } catch (error) {
      throw new NodeOnly(`cannot be read: ${messageOf(error)}`);
    }
    if (text === undefined) throw new NodeOnly('is not a regular file');
    return { text, kind };
  }

  async #scanned(path: string, source: string, kind: Kind, typescript?: { config: TsConfig; map: string }): Promise<Analysed> {
    const { force, source: inline } = this.#question;
    const isInline = inline !== undefined;
    const isLarge = source.length > parsedCharacters;
    const format = kind !== 'detect' ? kind : isLarge ? 'script' : detectFormat(source);
    const result = isLarge ? judgeByWords(source, isInline) : await scan(source, format, isInline);
    const { imports, findings } = this.#resolve(path, result, typescript);
    const module = { format, code: result.code, imports, ...(typescript && { map: typescript.map }) };
    const [first] = findings.filter(({ fatal }) => fatal || !force).toSorted((a, b) => (a.at ?? 0) - (b.at ?? 0));
    if (!first) return { module };
    const line = lineOf(source, first, typescript?.map);
    if (first.missing) throw new ProgramFailure(`${path}${line ? `:${line}` : ''} ${first.what}`);
    return { module, finding: { what: first.what, ...(line && { line }), ...(first.isPackage && { isPackage: true }) } };
  }

  /** A missing file is the end of a program that imports it statically, and a rejection for `import()`. */
  #resolve(path: string, { imports, findings }: Scan, typescript?: { config: TsConfig }) {
    const resolved: Record<string, string> = {};
    const unresolved: (Finding & { missing?: boolean; isPackage?: boolean })[] = [...findings];
    for (const { at, specifier, dynamic } of imports) {
      const target = resolveImport(specifier, path, this.#inputs, typescript?.config.aliases);
      if ('file' in target) resolved[specifier] = target.file;
      else if ('lack' in target)
        unresolved.push({ at, what: target.lack, fatal: !dynamic, isPackage: target.isPackage ?? false });
      else unresolved.push({ at, what: target.missing, fatal: !dynamic, missing: !dynamic });
    }
    return { imports: resolved, findings: unresolved };
  }

  #config(directory: string): Promise<TsConfig> {
    let config = this.#configs.get(directory);
    if (!config) {
      config = import('./tsconfig.ts').then(({ tsconfigFor }) => tsconfigFor(directory, this.#inputs));
      this.#configs.set(directory, config);
    }
    return config;
  }
}

function jsonModule(text: string): Analysed {
  const module = { format: 'json', code: text, imports: {} } as const;
  try {
    JSON.parse(text);
    return { module };
  } catch {
    return { module, finding: { what: 'is not JSON' } };
  }
}

/** For sources too large to parse: what has none of the words needs nothing. */
function judgeByWords(source: string, isInline: boolean): Scan {
  const word = (moduleWords.exec(source) ?? lackedWords(isInline).exec(source))?.[0];
  const what = `is too large to be analysed, and has the word '${word}'`;
  return {
    imports: [],
    code: source,
    findings: word === undefined ? [] : [{ what, fatal: false }],
  };
}

function lineOf(source: string, { at }: Finding, map: string | undefined): number | undefined {
  if (at === undefined) return undefined;
  const lines = source.slice(0, at).split(/\r\n|[\n\r\u2028\u2029]/);
  if (map === undefined) return lines.length;
  const origin = new SourceMap(JSON.parse(map)).findEntry(lines.length - 1, lines.at(-1)?.length ?? 0);
  return 'originalLine' in origin ? origin.originalLine + 1 : undefined;
}

function cannotBuild(file: string, { line, what }: { line?: number; what: string }): PrisnError {
  return new PrisnError(
    'cannot_run',
    `${file}${line ? `:${line}` : ''} ${what}: no isolate can run that; run it with --runtime node`,
  );
}
