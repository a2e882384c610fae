/**
 * The user's own runtimes: `*.toml` in `PRISN_HOME/runtimes`, a runtime each, with the fields of `src/model/runtime.ts`.
 *
 * They stand behind the built-in ones and never in their place: a word, extension or `#!` name that is taken is refused.
 * So the folder is looked at only for what nothing built in fits, and not at all by a run of Python, say. What was read is
 * kept with the stamps of all files, so the parser of TOML is loaded only after a change.
 *
 * A file with a problem is left out whole, and the others stay; who asks for a runtime that is not found, or for all, hears
 * of it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../src/base/error.ts';
import type { ProcessRuntime, Runtime } from '../src/model/runtime.ts';
import { type Problem, readRuntime } from '../src/model/runtime-schema.ts';
import { recall, remember } from './cache.ts';
import { stateOf } from './kept-file.ts';

export interface OwnRuntimes {
  readonly runtimes: readonly ProcessRuntime[];
  /** Lines such as `/home/ada/.prisn/runtimes/awk.toml:4: extensions must be a list of strings`. */
  readonly problems: readonly string[];
}

const none: OwnRuntimes = { runtimes: [], problems: [] };

/**
 * Never throws: what cannot be read is a problem.
 * @param home absolute path of `PRISN_HOME`
 * @param taken the built-in runtimes
 */
export async function ownRuntimes(home: string, taken: readonly Runtime[]): Promise<OwnRuntimes> {
  const [folder, cacheDir] = [join(home, 'runtimes'), join(home, 'cache')];
  if (!existsSync(folder)) return none;
  const key = `runtimes\n${folder}`;
  const kept = recall(cacheDir, key);
  if (kept !== undefined) return JSON.parse(kept) as OwnRuntimes;
  const files = filesIn(folder);
  if (typeof files === 'string') return { runtimes: [], problems: [files] };
  const read = await readAll(files, taken);
  // Another prisn may have other built-in ones and other fields.
  const paths = [folder, ...files, fileURLToPath(import.meta.url)];
  if (paths.every((path) => stateOf(path)?.isSettled)) remember(cacheDir, key, JSON.stringify(read), paths);
  return read;
}

/** @returns absolute paths by name, or why there are none */
function filesIn(folder: string): string[] | string {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.toml') && !name.startsWith('.'));
    return names.toSorted().map((name) => join(folder, name));
  } catch (error) {
    return `${folder}: ${messageOf(error)}`;
  }
}

async function readAll(files: readonly string[], taken: readonly Runtime[]): Promise<OwnRuntimes> {
  const runtimes: ProcessRuntime[] = [];
  const problems: string[] = [];
  for (const file of files) {
    const read = await readRuntimeFile(file, [...taken, ...runtimes]);
    if ('runtime' in read) runtimes.push(read.runtime);
    else problems.push(...read.problems);
  }
  return { runtimes, problems };
}

/**
 * @param file a path as the problems shall name it
 * @param taken the runtimes whose words, extensions and `#!` names are not free
 */
export async function readRuntimeFile(
  file: string,
  taken: readonly Runtime[],
): Promise<{ readonly runtime: ProcessRuntime } | { readonly problems: readonly string[] }> {
  const { lineOf, parseToml } = await import('./toml.ts');
  const located = (text: string, problems: readonly Problem[]): { problems: string[] } => {
    const lines = problems.map(({ path, message }) => ({ line: lineOf(text, path), message }));
    const inOrder = lines.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
    return { problems: inOrder.map(({ line, message }) => `${file}${line === undefined ? '' : `:${line}`}: ${message}`) };
  };
  try {
    const text = readFileSync(file, 'utf8');
    const parsed = parseToml(text);
    if ('line' in parsed) return { problems: [`${file}:${parsed.line}: ${parsed.message}`] };
    const read = readRuntime(parsed.data);
    if ('problems' in read) return located(text, read.problems);
    const clashes = clashesOf(read.runtime, taken);
    return clashes.length > 0 ? located(text, clashes) : read;
  } catch (error) {
    return { problems: [`${file}: ${messageOf(error)}`] };
  }
}

function clashesOf(runtime: ProcessRuntime, taken: readonly Runtime[]): Problem[] {
  const claims: readonly (readonly [
    key: keyof ProcessRuntime,
    words: readonly string[],
    of: (other: Runtime) => readonly string[],
  ])[] = [
    ['id', [runtime.id], wordsOf],
    ['aliases', runtime.aliases, wordsOf],
    ['extensions', runtime.extensions, ({ extensions }) => extensions],
    ['shebangs', runtime.shebangs, (other) => (other.kind === 'process' ? other.shebangs : [])],
  ];
  return claims.flatMap(([key, words, of]) =>
    words.flatMap((word) => {
      const owner = taken.find((other) => of(other).includes(word));
      const way = key === 'id' || key === 'aliases' ? 'take another' : `leave it out, and name this one: --runtime ${runtime.id}`;
      return owner ? [{ path: [key], message: `${key}: '${word}' belongs to the runtime ${owner.id}; ${way}` }] : [];
    }),
  );
}

function wordsOf({ id, aliases }: Runtime): string[] {
  return [id, ...aliases];
}
