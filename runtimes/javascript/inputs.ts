/**
 * The disk as one analysis saw it: each file that was read and each that was looked for and not there. Whoever keeps
 * the result of the analysis can tell by it, with a few stats, whether it would still come out the same.
 *
 * A stat says "unchanged" only when the file had been left alone for a while before it was looked at: a second write
 * within the clock's tick leaves the same size and times (git calls such entries racily clean,
 * https://git-scm.com/docs/racy-git). For those, and for every file whose stat differs, the content decides, so that a
 * `touch` or a checkout that brings the same bytes back costs one read and not an analysis.
 */
import type { Stats } from 'node:fs';

/** Every run comes by here, and an `import` of node:fs evaluates its lazy parts as well: 2.5 ms. */
const fs = process.getBuiltinModule('node:fs');

/** Size in bytes, mtime and ctime in ms, inode. */
type Identity = readonly [size: number, mtimeMs: number, ctimeMs: number, ino: number];

/** What can be written down of the inputs. */
export interface InputRecord {
  /** When the analysis began, ms since the epoch. */
  readonly takenAtMs: number;
  readonly files: readonly { readonly path: string; readonly real: string; readonly identity: Identity; readonly hash: string }[];
  readonly absent: readonly string[];
}

/** Times of files are trusted when they are at least this much older than the look at them. */
const racyMs = 2000;

export class Inputs {
  readonly #takenAtMs = Date.now();
  readonly #files = new Map<string, { identity: Identity; bytes: Buffer; real: string }>();
  readonly #absent = new Set<string>();

  /** Absolute paths of the files that were read. */
  get paths(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** Size of all that was read. */
  get bytes(): number {
    return this.#files.values().reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** Whether `path` is a regular file (or a link to one). An answer of yes is recorded when the file is read. */
  isFile(path: string): boolean {
    const found = this.#files.has(path) || statOf(path) !== undefined;
    if (!found) this.#absent.add(path);
    return found;
  }

  /**
   * @returns the text of a file, decoded as UTF-8 (see `sourceText`); undefined when there is no such file
   * @throws system errors other than that, such as EACCES
   */
  read(path: string): string | undefined {
    const known = this.#files.get(path);
    if (known) return sourceText(known.bytes.toString('utf8'));
    const stats = statOf(path);
    if (!stats) {
      this.#absent.add(path);
      return undefined;
    }
    const bytes = fs.readFileSync(path);
    this.#files.set(path, { identity: identityOf(stats), bytes, real: fs.realpathSync.native(path) });
    return sourceText(bytes.toString('utf8'));
  }

  record(): InputRecord {
    const files = Array.from(this.#files, ([path, { identity, bytes, real }]) => ({ path, real, identity, hash: hashOf(bytes) }));
    return { takenAtMs: this.#takenAtMs, files, absent: [...this.#absent] };
  }
}

/**
 * Compares a record with the disk.
 * @returns `changed`; `same`, and the record will do next time; or `same`, with a `fresh` record that makes the next
 *   comparison cheaper, because contents had to be read for this one
 */
export function compareInputs(record: InputRecord): { same: false } | { same: true; fresh?: InputRecord } {
  const takenAtMs = Date.now();
  let read = false;
  const files = [];
  for (const file of record.files) {
    const stats = statOf(file.path);
    if (!stats) return { same: false };
    const identity = identityOf(stats);
    if (isTrusted(file.identity, record.takenAtMs) && identity.every((value, index) => value === file.identity[index])) {
      files.push(file);
      continue;
    }
    if (fs.realpathSync.native(file.path) !== file.real || hashOf(fs.readFileSync(file.path)) !== file.hash)
      return { same: false };
    read = true;
    files.push({ ...file, identity });
  }
  if (record.absent.some((path) => statOf(path) !== undefined)) return { same: false };
  const settled = read && files.every((file) => isTrusted(file.identity, takenAtMs));
  return settled ? { same: true, fresh: { takenAtMs, files, absent: record.absent } } : { same: true };
}

function isTrusted([, mtimeMs, ctimeMs]: Identity, takenAtMs: number): boolean {
  return Math.max(mtimeMs, ctimeMs) < takenAtMs - racyMs;
}

/** Undefined unless `path` is a regular file; what cannot be reached is not there. */
function statOf(path: string): Stats | undefined {
  try {
    const stats = fs.statSync(path, { throwIfNoEntry: false });
    return stats?.isFile() ? stats : undefined;
  } catch {
    return undefined;
  }
}

function identityOf(stats: Stats): Identity {
  return [stats.size, stats.mtimeMs, stats.ctimeMs, stats.ino];
}

/**
 * 64 bits of a hash and the length, against accidents alone: whoever could forge a collision writes the program anyway.
 * Two lanes of FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/) with different primes; node:crypto takes 4 ms to load.
 */
export function hashOf(bytes: Uint8Array): string {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x5bd1e995);
    b ^= b >>> 15;
  }
  const hex = [a, b].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('');
  return `${hex}-${bytes.length.toString(16)}`;
}

/**
 * Text as a compiler wants it: without a byte order mark, and `#!` (a comment only at the very start, where a script's
 * wrapper will stand) as a comment of the same length.
 */
export function sourceText(text: string): string {
  const bare = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  return bare.startsWith('#!') ? `//${bare.slice(2)}` : bare;
}
