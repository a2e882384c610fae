import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { errnoOf, messageOf, PrisnError } from '../src/base/error.ts';
import { headLength } from './shebang.ts';

/** What of a file tells how to run it. */
export interface FileHead {
  /** The first 256 bytes, or fewer. */
  readonly bytes: Uint8Array;
  /** It has an executable bit. */
  readonly executable: boolean;
}

/**
 * Reads the head of a file that is to be run. A pipe or device (`/dev/fd/63`) is left unread: its bytes come only once.
 * @throws PrisnError `cannot_run` for a file that is missing, unreadable or a directory
 */
export function readHead(file: string): FileHead {
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) throw new PrisnError('cannot_run', `'${file}' is a directory; name the file in it that is to run`);
    const bytes = stat.isFile() ? readStart(file) : new Uint8Array();
    return { bytes, executable: (stat.mode & 0o111) !== 0 };
  } catch (error) {
    if (error instanceof PrisnError) throw error;
    throw new PrisnError('cannot_run', explain(file, error), { cause: error });
  }
}

function readStart(file: string): Uint8Array {
  const buffer = new Uint8Array(headLength);
  const fd = openSync(file, 'r');
  try {
    return buffer.subarray(0, readSync(fd, buffer, 0, headLength, 0));
  } finally {
    closeSync(fd);
  }
}

function explain(file: string, error: unknown): string {
  const code = errnoOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return `'${file}' does not exist; check the name and the folder you are in`;
  if (code === 'EACCES') return `'${file}' cannot be read: permission denied; chmod +r it, or run prisn as its owner`;
  return `'${file}' cannot be read: ${messageOf(error)}`;
}
