/**
 * The client's side of a bundle: which files of a folder go up, which do not and why, and the archive.
 *
 * The choice comes first and is told to the user; the archive, a gzipped tar, is written while it is sent and never
 * lies in memory whole. It is the same bytes for the same content: sorted, without owners and times, with the executable
 * bit as the only permission.
 */
import type { Dirent } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { pipeline as connect, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import * as tar from 'tar-stream';
import { errnoOf, PrisnError } from '../base/error.ts';
import { BundlePaths, bundleLimits, leaveOut, shown } from './content.ts';
import { IgnoreRules, ruleFiles } from './ignore-rules.ts';

export interface Packing {
  /** Absolute path of the folder that the paths are relative to. */
  readonly root: string;
  /** What goes up, sorted by path. */
  readonly files: readonly PackedFile[];
  readonly leftOut: readonly LeftOut[];
  /** Sum of the sizes, before compression. */
  readonly bytes: number;
}

export interface PackedFile {
  readonly path: string;
  readonly bytes: number;
  /** Of a link: relative, and inside. */
  readonly target?: string;
}

export interface LeftOut {
  /** A folder ends with a slash and stands for all in it. */
  readonly path: string;
  /** Such as `ignored by .gitignore`. */
  readonly reason: string;
}

/** Never part of a program's source: made anew where it runs, or history. */
const neverPacked = new Set(['.git', 'node_modules', '.venv', '__pycache__']);

/**
 * Chooses what of a folder goes up.
 * @throws PrisnError `cannot_run` for what is no readable folder, `usage` for a name that no bundle can have, `too_large`
 */
export async function packFolder(folder: string): Promise<Packing> {
  const root = await realpath(folder).catch((error: unknown) => cannotRead(folder, error));
  const { rules, prefix } = await rulesAbove(root);
  const walk = new Walk(root, prefix, rules);
  await walk.enter('');
  await walk.resolveLinks();
  return packingOf(root, walk.files, walk.leftOut);
}

/**
 * A program's file with the files that it needs. They are all wanted, so nothing is left out; links are followed.
 * @param files absolute paths, at least one; the folder that has them all becomes the root
 * @throws PrisnError as `packFolder`
 */
export async function packFiles(files: readonly string[]): Promise<Packing> {
  let root = dirname(files[0] ?? '');
  while (!files.every((file) => file.startsWith(root === sep ? sep : root + sep))) root = dirname(root);
  const paths = new BundlePaths();
  const packed = await Promise.all(
    [...new Set(files)].map(async (file) => {
      const found = await stat(file).catch((error: unknown) => cannotRead(file, error));
      if (!found.isFile()) throw new PrisnError('cannot_run', `${shown(file)} is not a file and cannot be part of a bundle`);
      return { path: paths.add(relative(root, file), 'file'), bytes: found.size };
    }),
  );
  return packingOf(root, packed, []);
}

/** The archive of a choice. Destroying the stream ends the reading; a file that changes meanwhile is its error. */
export function packStream({ root, files }: Pick<Packing, 'root' | 'files'>): Readable {
  const archive = tar.pack();
  fill(archive, root, files).catch((error: Error) => archive.destroy(error));
  return connect(archive, createGzip(), () => {});
}

function packingOf(root: string, found: readonly PackedFile[], leftOut: readonly LeftOut[]): Packing {
  if (found.length === 0) throw new PrisnError('usage', `${shown(root)} has no file to deploy; what it has is left out or empty`);
  const files = found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes > bundleLimits.unpackedBytes) {
    const largest = files.reduce((a, b) => (b.bytes > a.bytes ? b : a));
    throw new PrisnError(
      'too_large',
      `${shown(root)} has ${inMegabytes(bytes)} to deploy, at most ${inMegabytes(bundleLimits.unpackedBytes)}; ` +
        `the largest file is ${shown(largest.path)} with ${inMegabytes(largest.bytes)}; ${leaveOut}`,
    );
  }
  return { root, files, leftOut, bytes };
}

const inMegabytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MB`;

/** The rules of the folders above, up to the top of the git repository; a folder that they ignore was chosen by hand. */
async function rulesAbove(root: string): Promise<{ rules: IgnoreRules; prefix: string }> {
  let top: string | undefined = root;
  while (top !== undefined && !(await exists(join(top, '.git')))) top = dirname(top) === top ? undefined : dirname(top);
  const prefix = top === undefined ? '' : relative(top, root);
  const rules = new IgnoreRules();
  if (top === undefined || prefix === '') return { rules, prefix: '' };
  const parts = prefix.split(sep);
  for (const depth of parts.keys()) {
    const folder = parts.slice(0, depth).join('/');
    for (const file of ruleFiles) {
      const text = await readFile(join(top, folder, file), 'utf8').catch(() => '');
      rules.add(folder, file, text);
    }
  }
  return rules.source(`${prefix}/`) === undefined ? { rules, prefix: `${prefix}/` } : { rules: new IgnoreRules(), prefix: '' };
}

class Walk {
  readonly files: PackedFile[] = [];
  readonly leftOut: LeftOut[] = [];
  /** Checks at once, so that a folder of a million files is refused early. */
  readonly #paths = new BundlePaths();
  readonly #links: string[] = [];
  readonly #folders = new Set(['']);
  readonly #root: string;
  readonly #prefix: string;
  readonly #rules: IgnoreRules;

  constructor(root: string, prefix: string, rules: IgnoreRules) {
    this.#root = root;
    this.#prefix = prefix;
    this.#rules = rules;
  }

  async enter(folder: string): Promise<void> {
    const absolute = join(this.#root, folder);
    const entries = await readdir(absolute, { withFileTypes: true }).catch((error: unknown) => cannotRead(absolute, error));
    if (entries.length === 0 && folder !== '') this.leftOut.push({ path: folder, reason: 'an empty folder' });
    for (const name of ruleFiles) {
      if (!entries.some((entry) => entry.name === name && entry.isFile())) continue;
      const text = await readFile(join(absolute, name), 'utf8').catch((error: unknown) =>
        cannotRead(join(absolute, name), error),
      );
      this.#rules.add(`${this.#prefix}${folder}`.replace(/\/$/, ''), name, text);
    }
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`;
      const reason = this.#reasonAgainst(path, entry);
      if (reason !== undefined) this.leftOut.push({ path, reason });
      else if (entry.isDirectory()) await this.enter(path);
      else if (entry.isSymbolicLink()) this.#links.push(path);
      else await this.#take(path);
    }
  }

  #reasonAgainst(path: string, entry: Dirent): string | undefined {
    if (neverPacked.has(entry.name)) return `${entry.name} never goes up`;
    if (entry.name.includes('\uFFFD')) return 'its name is not valid UTF-8';
    const source = this.#rules.source(this.#prefix + path);
    if (source !== undefined) return `ignored by ${source}`;
    if (entry.isFile() || entry.isDirectory() || entry.isSymbolicLink()) return undefined;
    return entry.isSocket() ? 'a socket' : entry.isFIFO() ? 'a named pipe' : 'a device';
  }

  async #take(path: string): Promise<void> {
    this.#paths.add(path, 'file');
    this.files.push({ path, bytes: (await lstat(join(this.#root, path))).size });
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1))
      this.#folders.add(path.slice(0, slash));
  }

  /** A link goes up when what it finally leads to does. Last, since only then it is known what goes up. */
  async resolveLinks(): Promise<void> {
    const files = new Set(this.files.map(({ path }) => path));
    for (const path of this.#links) {
      const absolute = join(this.#root, path);
      const final = await realpath(absolute).catch(() => undefined);
      const inside = final === undefined ? '' : relative(this.#root, final);
      if (final === undefined) this.leftOut.push({ path, reason: 'a link that leads nowhere' });
      else if (inside === '..' || inside.startsWith('../'))
        this.leftOut.push({ path, reason: 'a link that leads out of the folder' });
      else if (!files.has(inside) && !this.#folders.has(inside))
        this.leftOut.push({ path, reason: 'a link to what is left out' });
      else this.files.push({ path: this.#paths.add(path, 'link'), bytes: 0, target: relative(dirname(absolute), final) || '.' });
    }
  }
}

async function fill(archive: tar.Pack, root: string, files: readonly PackedFile[]): Promise<void> {
  const fixed = { mtime: new Date(0), uid: 0, gid: 0 };
  for (const { path, target } of files) {
    if (target !== undefined) archive.entry({ ...fixed, name: path, type: 'symlink', linkname: target, mode: 0o777 });
    else await addFile(archive, join(root, path), { ...fixed, name: path });
  }
  archive.finalize();
}

async function addFile(
  archive: tar.Pack,
  file: string,
  header: Pick<tar.Header, 'name' | 'mtime' | 'uid' | 'gid'>,
): Promise<void> {
  const handle = await open(file).catch((error: unknown) => cannotRead(file, error));
  try {
    const { size, mode } = await handle.stat();
    const entry = archive.entry({ ...header, type: 'file', size, mode: mode & 0o111 ? 0o755 : 0o644 });
    await pipeline(bytesOf(handle, size, file), entry);
  } finally {
    await handle.close();
  }
}

/** The first `size` bytes: a log that grows meanwhile is no reason to fail, a file that shrinks is. */
async function* bytesOf(handle: FileHandle, size: number, file: string): AsyncGenerator<Uint8Array> {
  for (let position = 0; position < size; ) {
    const { bytesRead, buffer } = await handle.read({ buffer: Buffer.allocUnsafe(Math.min(size - position, 65_536)), position });
    if (bytesRead === 0) throw new PrisnError('cannot_run', `${shown(file)} changed while it was packed; deploy again`);
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function cannotRead(path: string, error: unknown): never {
  throw new PrisnError('cannot_run', `cannot read ${shown(path)}: ${errnoOf(error) ?? String(error)}`, { cause: error });
}
