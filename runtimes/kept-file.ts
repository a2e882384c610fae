/**
 * Files that prisn keeps between runs: how they are read and replaced, and how it tells that what they depend on is
 * unchanged.
 *
 * A kept file says what is executed, so it is believed only when this user alone could have written it, and when it is
 * the file itself and no link or pipe that somebody put in its place. It is written under a name of its own and renamed,
 * so a reader sees an old or a new one and never a half.
 */
import { dirname } from 'node:path';

/** Every run comes by here, and an `import` of node:fs evaluates its lazy parts as well: 2.5 ms. */
const fs = process.getBuiltinModule('node:fs');

/** @returns the text of a regular file that belongs to this user and that no other may write, else undefined */
export function readOwn(path: string): string | undefined {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  try {
    const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stats = fs.fstatSync(fd);
      const isOwn = stats.isFile() && stats.uid === process.getuid?.() && (stats.mode & 0o022) === 0;
      return isOwn ? fs.readFileSync(fd, 'utf8') : undefined;
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

/**
 * Puts a file with this text in the place of what is there; its folders are made for this user alone.
 * @throws system errors, such as EACCES; what was there is then untouched
 */
export function replaceFile(path: string, text: string): void {
  const temporary = `${path}.${process.pid}-${process.hrtime.bigint().toString(36)}`;
  makeFolder(dirname(path));
  try {
    fs.writeFileSync(temporary, text, { mode: 0o600, flag: 'wx' });
    fs.renameSync(temporary, path);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

/** Node's own recursion never ends below a folder in which nothing can be made, such as /proc. */
function makeFolder(path: string): void {
  if (fs.existsSync(path)) return;
  const parent = dirname(path);
  if (!fs.existsSync(parent)) makeFolder(parent);
  try {
    fs.mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!fs.existsSync(path)) throw error; // else another run has made it meanwhile
  }
}

/** How a file or folder stood when it was looked at; links are followed. */
export interface FileState {
  /** Changes with every rewrite, replacement and change of mode. */
  readonly stamp: string;
  readonly isFile: boolean;
  /**
   * Whether it had been left alone for a while. One that was not may be written once more within the tick of the clock
   * and have the same stamp then (git calls that racily clean, https://git-scm.com/docs/racy-git).
   */
  readonly isSettled: boolean;
}

/** Longer than the tick of any clock that files are stamped by. */
const racyMs = 2000;

/** @returns undefined for what is not there or cannot be reached */
export function stateOf(path: string): FileState | undefined {
  try {
    const stats = fs.statSync(path, { throwIfNoEntry: false });
    if (!stats) return undefined;
    const { size, mtimeMs, ctimeMs, ino } = stats;
    return {
      stamp: [size, mtimeMs, ctimeMs, ino].join(':'),
      isFile: stats.isFile(),
      isSettled: Math.max(mtimeMs, ctimeMs) < Date.now() - racyMs,
    };
  } catch {
    return undefined;
  }
}
