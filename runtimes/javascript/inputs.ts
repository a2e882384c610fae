/**
 * The disk as one analysis saw it: each file that was read and each that was looked for and not there. Whoever keeps
 * the result of the analysis can tell by it, with a few stats, whether it would still come out the same.
 *
 * A stamp says "unchanged" only of a file that was settled when it was looked at. For the others, and where the stamp
 * differs, the content decides, so that a `touch` or a checkout that brings the same bytes back costs one read and not
 * an analysis.
 */
import { type FileState, stateOf } from '../kept-file.ts';

/** Every run comes by here, and an `import` of node:fs evaluates its lazy parts as well: 2.5 ms. */
const fs = process.getBuiltinModule('node:fs');

/** What can be written down of the inputs. */
export interface InputRecord {
  readonly files: readonly {
    readonly path: string;
    readonly real: string;
    readonly stamp: string;
    readonly isSettled: boolean;
    readonly hash: string;
  }[];
  readonly absent: readonly string[];
}

export class Inputs {
  readonly #files = new Map<string, { state: FileState; bytes: Buffer }>();
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
    const found = this.#files.has(path) || regularFile(path) !== undefined;
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
    const state = regularFile(path);
    if (!state) {
      this.#absent.add(path);
      return undefined;
    }
    const bytes = fs.readFileSync(path);
    this.#files.set(path, { state, bytes });
    return sourceText(bytes.toString('utf8'));
  }

  /** @throws system errors when a file is gone since */
  record(): InputRecord {
    const files = Array.from(this.#files, ([path, { state, bytes }]) => {
      const { stamp, isSettled } = state;
      return { path, real: fs.realpathSync.native(path), stamp, isSettled, hash: hashOf(bytes) };
    });
    return { files, absent: [...this.#absent] };
  }
}

/**
 * Compares a record with the disk.
 * @returns `changed`; `same`, and the record will do next time; or `same`, with a `fresh` record that makes the next
 *   comparison cheaper, because contents had to be read for this one
 */
export function compareInputs(record: InputRecord): { same: false } | { same: true; fresh?: InputRecord } {
  let read = false;
  const files = [];
  for (const file of record.files) {
    const state = regularFile(file.path);
    if (!state) return { same: false };
    const { stamp, isSettled } = state;
    if (file.isSettled && stamp === file.stamp) {
      files.push(file);
      continue;
    }
    if (fs.realpathSync.native(file.path) !== file.real || hashOf(fs.readFileSync(file.path)) !== file.hash)
      return { same: false };
    read = true;
    files.push({ ...file, stamp, isSettled });
  }
  if (record.absent.some((path) => regularFile(path) !== undefined)) return { same: false };
  const isSettled = read && files.every((file) => file.isSettled);
  return isSettled ? { same: true, fresh: { files, absent: record.absent } } : { same: true };
}

/** Undefined unless `path` is a regular file, links followed. */
function regularFile(path: string): FileState | undefined {
  const state = stateOf(path);
  return state?.isFile ? state : undefined;
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
