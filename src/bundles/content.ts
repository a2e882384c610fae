/**
 * What a bundle is: files and links below one folder, and the id that follows from them.
 *
 * A bundle is its content, not its archive: path, bytes and executable bit of each file, path and target of each link.
 * Owners, times, order and compression do not count, so that every client that packs the same content gets the same id.
 * Folders exist through what lies in them, as in git.
 *
 * The rules for names and targets stand here once: the client meets them before it uploads, the server relies on them.
 * No link is ever written through, since what lies below a link is refused, and a target climbs only at its beginning,
 * out of folders that are real: however links are chained, they stay inside.
 */
import { createHash } from 'node:crypto';
import { PrisnError } from '../base/error.ts';

export interface BundleLimits {
  /** Bytes of the compressed archive. */
  readonly packedBytes: number;
  /** Bytes of the archive when it is unpacked. */
  readonly unpackedBytes: number;
  /** Files, links and folders. */
  readonly entries: number;
}

export const bundleLimits: BundleLimits = { packedBytes: 100 * 2 ** 20, unpackedBytes: 2 ** 30, entries: 50_000 };

const maxNameBytes = 255;
const maxPathBytes = 1024;

/** The paths of one bundle; each is checked, alone and against the others, when it is added. */
export class BundlePaths {
  readonly #maxEntries: number;
  /** By the path as file systems that ignore case and Unicode forms compare it. */
  readonly #taken = new Map<string, { readonly path: string; readonly isFolder: boolean }>();

  constructor(maxEntries = bundleLimits.entries) {
    this.#maxEntries = maxEntries;
  }

  /**
   * @param name as an archive writes it: `./a/b` and, for folders, `a/` are understood
   * @returns the path, relative and without `.`; empty for the folder of the bundle itself
   * @throws PrisnError `usage` that names the entry, `too_large` for too many
   */
  add(name: string, kind: 'file' | 'link' | 'folder'): string {
    const path = checkPath(name, kind === 'folder');
    if (path === '') return path;
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1))
      this.#take(path.slice(0, slash), true, path);
    this.#take(path, kind === 'folder', path);
    return path;
  }

  #take(path: string, isFolder: boolean, entry: string): void {
    const key = path.normalize('NFC').toLowerCase();
    const other = this.#taken.get(key);
    if (other === undefined) {
      if (this.#taken.size >= this.#maxEntries)
        throw new PrisnError('too_large', `the bundle has more than ${this.#maxEntries} files and folders; ${leaveOut}`);
      this.#taken.set(key, { path, isFolder });
    } else if (other.path !== path)
      throw refusal(
        entry,
        `differs from ${shown(other.path)} only in case or Unicode form, which not every file system can keep apart`,
      );
    else if (other.isFolder !== isFolder || !isFolder)
      throw refusal(
        entry,
        other.isFolder || isFolder ? `needs ${shown(path)} to be a folder and a file at once` : 'is there twice',
      );
  }
}

/** What to do about a bundle that is too large, for messages. */
export const leaveOut = 'leave out what the program does not need with a .prisnignore';

/**
 * @param path of the link in the bundle, checked
 * @throws PrisnError `usage` for a target that is absolute, leads out, or climbs after it has descended
 */
export function checkTarget(path: string, target: string): void {
  if (target === '' || target.includes('\0') || Buffer.byteLength(target) > maxPathBytes)
    throw refusal(path, 'is a link whose target is empty, too long or has a NUL');
  if (target.startsWith('/')) throw refusal(path, `is a link to ${shown(target)}, an absolute path`);
  const parts = target.split('/');
  const climbs = parts.findLastIndex((part) => part === '..') + 1;
  if (!parts.slice(0, climbs).every((part) => part === '..') || climbs > path.split('/').length - 1)
    throw refusal(path, `is a link to ${shown(target)}, which may lead out of the bundle`);
}

export interface BundleEntry {
  readonly path: string;
  readonly kind: 'file' | 'executable' | 'link';
  /** SHA-256 of the bytes in hex; of a link its target. */
  readonly content: string;
}

/** @returns `sha256-` and 64 hex digits; the order of the entries does not matter */
export function contentId(entries: readonly BundleEntry[]): string {
  const hash = createHash('sha256');
  const lines = entries.map(({ path, kind, content }) => `${JSON.stringify([path, kind, content])}\n`);
  for (const line of lines.toSorted()) hash.update(line);
  return `sha256-${hash.digest('hex')}`;
}

export function refusal(entry: string, why: string): PrisnError {
  return new PrisnError('usage', `the bundle is refused: ${shown(entry)} ${why}`);
}

/** A name for a message: whatever stands in it, one short line. */
export function shown(name: string): string {
  const short = name.length > 120 ? `${name.slice(0, 60)}…${name.slice(-40)}` : name;
  return `'${JSON.stringify(short).slice(1, -1)}'`;
}

function checkPath(name: string, isFolder: boolean): string {
  if (name.includes('\0')) throw refusal(name, 'has a NUL in its name');
  if (name.includes('\uFFFD')) throw refusal(name, 'has a name that is not valid UTF-8');
  if (name.startsWith('/')) throw refusal(name, 'is an absolute path');
  if (Buffer.byteLength(name) > maxPathBytes) throw refusal(name, `is longer than ${maxPathBytes} bytes`);
  const plain = name.replace(/^(?:\.\/+)+/, '');
  const path = isFolder ? plain.replace(/\/+$/, '') : plain;
  if (isFolder && (path === '' || path === '.')) return '';
  for (const part of path.split('/')) {
    if (part === '..') throw refusal(name, "leads out of the bundle by '..'");
    if (part === '' || part === '.') throw refusal(name, 'is not a path in its plain form');
    if (Buffer.byteLength(part) > maxNameBytes) throw refusal(name, `has a name longer than ${maxNameBytes} bytes`);
  }
  return path;
}
