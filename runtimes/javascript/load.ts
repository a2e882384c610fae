/**
 * From a file of JavaScript or TypeScript to the program that an isolate runs, or to the reason why node has to.
 *
 *   source without a suspicious word ──▶ one module, at once: no parser is loaded, no cache asked
 *   otherwise: a verdict kept of an earlier run ──▶ as it is, when no input has changed
 *              none ──▶ graph.ts reads and judges the modules, and the verdict is kept
 *
 * `prisn run hello.js` takes the first way and a stat of each input the second, so that acorn (7 ms) and esbuild (12 ms,
 * and 15 more for its process) are paid for once a change and not once a run.
 */
import { join, relative } from 'node:path';
import { errnoOf, messageOf, PrisnError } from '../../src/base/error.ts';
import type { Program } from '../../src/model/task.ts';
import type { VerdictCache } from './cache.ts';
import type { Question, Verdict } from './graph.ts';
import { detectFormat } from './format.ts';
import { Inputs, sourceText } from './inputs.ts';
import { lackedWords, moduleWords } from './lacks.ts';
import { fileKind, isTypeScript, type Kind } from './resolve.ts';
import { ProgramFailure } from './verdicts.ts';

export type Loaded =
  /** `files`: absolute paths of all that was read for it, package.json and tsconfig.json included. */
  | { readonly choice: 'isolate'; readonly program: Program; readonly files: readonly string[] }
  /** `why` completes "node runs it, since …": `src/x.js:3 imports 'node:fs'`. `typescript`: whether it is known to have any; `lacksPackages`: whether one that it imports is not there. */
  | { readonly choice: 'node'; readonly why: string; readonly typescript: boolean; readonly lacksPackages?: boolean }
  /** The program fails before its first line, with exit code 1; `message` is what it would have written to stderr, newline included. */
  | { readonly choice: 'fails'; readonly message: string };

export interface LoadOptions {
  /** A directory for verdicts of earlier runs; nothing is kept without. */
  readonly cacheDir?: string;
  /** An isolate whatever the scan says, unless none can be built. */
  readonly force?: boolean;
  /** The program's text when it is in no file; `file` is then a made-up path in the directory that imports start from. */
  readonly source?: string;
  /** Absolute path of a `node_modules` that was installed elsewhere. */
  readonly packages?: string | undefined;
}

/**
 * @param file absolute path of the program; links are followed, as node does
 * @throws PrisnError `cannot_run` when the file cannot be read, or an isolate was asked for by force and cannot be built
 */
export async function loadProgram(file: string, options: LoadOptions): Promise<Loaded> {
  const { question, inputs, cache, known } = await look(file, options);
  if (known) return known;
  const { analyse } = await import('./graph.ts');
  try {
    const verdict = await analyse(question, inputs);
    cache?.keep(question, verdict, inputs);
    return present(verdict, inputs.paths);
  } catch (error) {
    if (error instanceof ProgramFailure) return { choice: 'fails', message: `${error.message}\n` };
    throw error;
  }
}

/**
 * What `loadProgram` answers, as far as nothing has to be parsed for it.
 * @returns undefined for a program that has to be judged first
 * @throws PrisnError as `loadProgram`
 */
export async function loadJudged(file: string, options: LoadOptions): Promise<Loaded | undefined> {
  return (await look(file, options)).known;
}

interface Look {
  readonly question: Question;
  readonly inputs: Inputs;
  readonly cache?: VerdictCache | undefined;
  readonly known?: Loaded | undefined;
}

async function look(file: string, { cacheDir, force = false, source, packages }: LoadOptions): Promise<Look> {
  const question: Question =
    source === undefined
      ? { path: realPath(file), force, ...(packages !== undefined && { packages }) }
      : { path: file, force, source: sourceText(source) };
  const inputs = new Inputs();
  const atOnce = isTypeScript(question.path) ? undefined : loadAtOnce(question, inputs);
  if (atOnce) return { question, inputs, known: present(atOnce, inputs.paths) };
  const cache = cacheDir === undefined ? undefined : await openCache(cacheDir);
  const kept = cache?.find(question);
  return { question, inputs, cache, known: kept && present(kept.verdict, kept.files) };
}

async function openCache(directory: string): Promise<VerdictCache> {
  const { VerdictCache } = await import('./cache.ts');
  return new VerdictCache(join(directory, 'programs'));
}

function realPath(file: string): string {
  try {
    return process.getBuiltinModule('node:fs').realpathSync.native(file);
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

function unreadable(file: string, cause: unknown): PrisnError {
  const what = errnoOf(cause) === 'ENOENT' ? `${file} does not exist` : `${file} cannot be read: ${messageOf(cause)}`;
  return new PrisnError('cannot_run', what, { cause });
}

/** The program, when its text shows without being parsed that it is one module which lacks nothing. */
function loadAtOnce({ path, source }: Question, inputs: Inputs): Verdict | undefined {
  const isInline = source !== undefined;
  let text = source;
  try {
    text ??= inputs.read(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
  if (text === undefined || moduleWords.test(text) || lackedWords(isInline).test(text)) return undefined;
  const format = formatAtOnce(path, text, inputs, isInline);
  return format && { choice: 'isolate', program: { entry: path, modules: { [path]: { format, code: text, imports: {} } } } };
}

/** Without the words `import` and `export` only a top-level await can still make a file a module. */
function formatAtOnce(path: string, text: string, inputs: Inputs, isInline: boolean): 'script' | 'module' | undefined {
  const kind = kindOrUndefined(path, inputs, isInline);
  if (kind !== 'detect') return kind;
  return /\bawait\b/.test(text) ? detectFormat(text) : 'script';
}

/** Undefined for what graph.ts has to say more about. */
function kindOrUndefined(path: string, inputs: Inputs, isInline: boolean): Kind | undefined {
  try {
    const kind = fileKind(path, inputs, isInline);
    return kind?.language === 'javascript' ? kind.kind : undefined;
  } catch {
    return undefined;
  }
}

function present(verdict: Verdict, files: readonly string[]): Loaded {
  if (verdict.choice === 'isolate') return { ...verdict, files };
  const { file, line, what, typescript, lacksPackages = false } = verdict;
  const fromHere = relative(process.cwd(), file);
  const shown = fromHere.startsWith('..') ? file : fromHere;
  return { choice: 'node', why: `${shown}${line === undefined ? '' : `:${line}`} ${what}`, typescript, lacksPackages };
}
