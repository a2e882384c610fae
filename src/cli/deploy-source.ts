/** What `prisn deploy` sends up: a file with what it needs, or a folder; and which file of it is run. */
import { readFileSync, statSync } from 'node:fs';
import { basename, extname, join, relative, resolve } from 'node:path';
import { bringsAlong } from '../../runtimes/brings.ts';
import { allRuntimes } from '../../runtimes/index.ts';
import { PrisnError } from '../base/error.ts';
import { packFiles, packFolder, type Packing } from '../bundles/pack.ts';
import { checkName, nameFrom } from '../model/name.ts';
import { homeDir } from './home.ts';

export interface Source {
  readonly packing: Packing;
  /** Of a file; of a folder it is chosen once it is known what is deployed. */
  readonly entrypoint?: string;
  /** Of a folder: paths, and why each does not go up. */
  readonly leftOut: readonly string[];
  /** Of a file: what it needs and does not bring along, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * @param path as the user wrote it
 * @throws PrisnError `cannot_run` for what is not there, and as `packFolder` and `bringsAlong`
 */
export async function sourceOf(path: string, runtime: string | undefined): Promise<Source> {
  const absolute = resolve(path);
  const found = statSync(absolute, { throwIfNoEntry: false });
  if (found === undefined) throw new PrisnError('cannot_run', `'${path}' does not exist; deploy a file or a folder`);
  if (found.isDirectory()) {
    const packing = await packFolder(absolute);
    return { packing, leftOut: packing.leftOut.map(({ path: left, reason }) => `${left} (${reason})`), notes: [] };
  }
  const { files, notes } = await bringsAlong(
    absolute,
    { env: process.env, cwd: process.cwd() },
    { runtime, home: homeDir(process.env) },
  );
  const packing = await packFiles(files);
  return { packing, entrypoint: relative(packing.root, absolute), leftOut: [], notes };
}

/** @throws PrisnError `usage` where neither the flag nor the file gives a legal name */
export function deploymentName(path: string, asked: string | undefined): string {
  if (asked !== undefined) return checkName(asked, '--name');
  const absolute = resolve(path);
  const isFolder = statSync(absolute, { throwIfNoEntry: false })?.isDirectory() === true;
  // A folder's name has no extension: the dot at its end is what is cut off.
  const name = nameFrom(basename(absolute) + (isFolder ? '.' : ''));
  if (name !== undefined) return name;
  throw new PrisnError(
    'usage',
    `no name can be made of '${basename(absolute)}'; give it one: prisn deploy ${path} --name <name>`,
  );
}

/** Stems of files that are the program of their folder, by custom. */
const customary = ['main', 'index', 'app', '__main__'];

/**
 * Which file of a folder is run: the one asked for, else the one that is deployed already and still there, else what
 * package.json calls main, else the one with a customary name, else the only one that can be run.
 * @throws PrisnError `usage` with the candidates
 */
export async function entrypointOf(
  { root, files }: Packing,
  asked: string | undefined,
  deployed: string | undefined,
): Promise<string> {
  const paths = new Set(files.map(({ path }) => path));
  if (asked !== undefined) {
    const path = relative(root, resolve(root, asked));
    if (paths.has(path)) return path;
    throw new PrisnError(
      'usage',
      `--entrypoint: '${asked}' is not among the files that go up; prisn deploy --dry-run -v lists them`,
    );
  }
  if (deployed !== undefined && paths.has(deployed)) return deployed;
  const main = packageMain(root, paths);
  if (main !== undefined) return main;
  const { runtimes } = await allRuntimes(homeDir(process.env));
  const extensions = new Set(runtimes.flatMap((runtime) => runtime.extensions));
  const candidates = [...paths].filter((path) => !path.includes('/') && isProgram(path, extensions));
  const named = candidates.filter((path) => customary.includes(basename(path, extname(path)).toLowerCase()));
  const choice = named.length > 0 ? named : candidates;
  if (choice.length === 1) return choice[0] as string;
  const among =
    choice.length === 0 ? 'no file at its top has an extension that tells' : `it may be ${choice.slice(0, 8).join(', ')}`;
  throw new PrisnError('usage', `which file of '${root}' is run? ${among}; say it: --entrypoint ${choice[0] ?? '<path>'}`);
}

function isProgram(path: string, extensions: ReadonlySet<string>): boolean {
  const extension = extname(path).toLowerCase();
  return extension !== '' && !/\.d\.[cm]?ts$/.test(path) && extensions.has(extension);
}

/** `main` of package.json, with what Node would try behind it. */
function packageMain(root: string, paths: ReadonlySet<string>): string | undefined {
  if (!paths.has('package.json')) return undefined;
  try {
    const { main } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { main?: unknown };
    if (typeof main !== 'string') return undefined;
    const path = relative(root, resolve(root, main));
    return [path, `${path}.js`, `${path}.json`, `${path}/index.js`].find((candidate) => paths.has(candidate));
  } catch {
    return undefined;
  }
}

/** How many of what goes up, is left out or is noted are named without `-v`. */
const named = 5;

/** A few lines for people: what goes up, what does not, and what that means. */
export function describeSource({ packing, leftOut, notes }: Source, verbose: boolean): string {
  const { files, bytes } = packing;
  const sum = `${files.length} ${files.length === 1 ? 'file' : 'files'}, ${roundBytes(bytes)}`;
  const lines = verbose
    ? [
        `${sum}:`,
        ...files.map(({ path, target, bytes: size }) => `  ${path}  ${target ? `-> ${target}` : roundBytes(size)}`),
        ...leftOut.map((left) => `left out: ${left}`),
        ...notes.map((note) => `note: ${note}`),
      ]
    : [
        `${sum}: ${few(files.map(({ path }) => path))}`,
        ...(leftOut.length > 0 ? [`left out: ${few(leftOut)}${leftOut.length > named ? '; -v shows all' : ''}`] : []),
        ...notes.slice(0, named).map((note) => `note: ${note}`),
        ...(notes.length > named ? [`note: and ${notes.length - named} more; -v shows all`] : []),
      ];
  return `${lines.join('\n')}\n`;
}

function few(items: readonly string[]): string {
  const rest = items.length - named;
  return rest > 0 ? `${items.slice(0, named).join(', ')} and ${rest} more` : items.join(', ');
}

function roundBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 2 ** 20 ? `${Math.round(bytes / 102.4) / 10} kB` : `${Math.round((bytes / 2 ** 20) * 10) / 10} MB`;
}
