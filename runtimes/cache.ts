/**
 * Answers that cost a process to get, kept in one small file between runs.
 *
 * An entry is a key, a value and the files that it depends on, each with its stamp; it counts only while every stamp is
 * the same. So nothing has to be invalidated: a changed interpreter, PATH or version file is another key or stamp. The
 * file is read whole (a few kB) and replaced whole by a rename, so readers never see half of it. Two writers at once
 * lose one answer, which is asked for again. A file that is damaged, or that another user could have written, counts as
 * empty. A folder that cannot be written means no cache, never an error.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

type Entry = readonly [key: string, value: string, stamps: Readonly<Record<string, string>>];

const fileName = 'interpreters.json';
const maxEntries = 32;

/** @returns the value kept under `key`, if all that it depends on is unchanged */
export function recall(cacheDir: string, key: string): string | undefined {
  const entry = readEntries(cacheDir).find(([known]) => known === key);
  if (!entry) return undefined;
  const [, value, stamps] = entry;
  return Object.entries(stamps).every(([path, stamp]) => stampOf(path) === stamp) ? value : undefined;
}

/** Keeps `value` under `key` for as long as none of `paths` changes. */
export function remember(cacheDir: string, key: string, value: string, paths: readonly string[]): void {
  const stamps: Record<string, string> = {};
  for (const path of paths) {
    const stamp = stampOf(path);
    if (stamp === undefined) return;
    stamps[path] = stamp;
  }
  const others = readEntries(cacheDir).filter(([known]) => known !== key);
  const entry: Entry = [key, value, stamps];
  writeEntries(cacheDir, [entry, ...others].slice(0, maxEntries));
}

/** Changes whenever the file or folder does: a rewrite, a replacement, another mode. Undefined when there is none. */
export function stampOf(path: string): string | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat && `${stat.mtimeMs}:${stat.size}:${stat.ino}:${stat.mode}`;
  } catch {
    return undefined;
  }
}

function readEntries(cacheDir: string): Entry[] {
  try {
    const fd = openSync(join(cacheDir, fileName), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { uid, mode } = fstatSync(fd);
      if (uid !== process.getuid?.() || (mode & 0o022) !== 0) return [];
      const data: unknown = JSON.parse(readFileSync(fd, 'utf8'));
      return Array.isArray(data) ? data.filter(isEntry) : [];
    } finally {
      closeSync(fd);
    }
  } catch {
    return [];
  }
}

function isEntry(data: unknown): data is Entry {
  if (!Array.isArray(data)) return false;
  const [key, value, stamps] = data as unknown[];
  return typeof key === 'string' && typeof value === 'string' && typeof stamps === 'object' && stamps !== null;
}

function writeEntries(cacheDir: string, entries: readonly Entry[]): void {
  const file = join(cacheDir, fileName);
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    mkdirSync(cacheDir, { recursive: true, mode: 0o700 });
    writeFileSync(temporary, JSON.stringify(entries), { mode: 0o600, flag: 'wx' });
    renameSync(temporary, file);
  } catch {
    removeQuietly(temporary);
  }
}

function removeQuietly(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // There is no such folder either.
  }
}
