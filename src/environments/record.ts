/** `<key>.json`: what makes a folder an environment. Its time of modification is that of the last use. */
import { readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface EnvironmentRecord {
  /** Name of the folder beside the record. */
  readonly folder: string;
  readonly form: string;
  /** Absolute path of the file that asked for it first. */
  readonly source: string;
  /** Such as `Python 3.11.7`. */
  readonly interpreter: string;
  /** Of all files: `files.ts`. */
  readonly digest: string;
  readonly files: number;
  readonly bytes: number;
  /** RFC 3339. */
  readonly built_at: string;
}

export const recordSuffix = '.json';

/** How exact the time of the last use is. */
const touchMs = 60_000;

/** @returns undefined where there is none, or none that can be read */
export function readRecord(root: string, key: string): { record: EnvironmentRecord; usedAt: Date } | undefined {
  const path = join(root, key + recordSuffix);
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as EnvironmentRecord;
    return typeof record.folder === 'string' ? { record, usedAt: statSync(path).mtime } : undefined;
  } catch {
    return undefined;
  }
}

export function touchRecord(root: string, key: string, usedAt: Date): void {
  const now = new Date();
  if (now.getTime() - usedAt.getTime() < touchMs) return;
  try {
    utimesSync(join(root, key + recordSuffix), now, now);
  } catch {
    // It only seems older than it is.
  }
}

/** It appears with its content, on the disk, or not at all. @throws system errors */
export function writeRecord(root: string, key: string, record: EnvironmentRecord): void {
  const path = join(root, key + recordSuffix);
  const draft = `${path}.${process.pid}`;
  try {
    const fd = openSync(draft, 'w', 0o600);
    try {
      writeSync(fd, JSON.stringify(record));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  const folder = openSync(root, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

export function removeRecord(root: string, key: string): void {
  rmSync(join(root, key + recordSuffix), { force: true });
}
