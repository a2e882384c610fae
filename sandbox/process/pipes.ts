/**
 * The standard descriptors of a recorded program. Node makes socket pairs, and a socket cannot be opened by the names
 * /dev/stdin, /dev/stdout and /dev/stderr (ENXIO), as scripts do: `echo oops > /dev/stderr`.
 *
 * Output: a pipe can be had by its name in the file system only, which mkfifo(1) makes, a few at a time. The name is
 * taken away at once; a descriptor that opens nothing (O_PATH, open(2)) keeps the pipe, and both ends are opened by its
 * path in /proc. Once nobody writes to it any more it is as new, and the next program may have it.
 *
 * Input: a file without a name, since to open a pipe of this kind waits for a writer, who has long left (fifo(7)).
 *
 * Elsewhere than on Linux /dev/stdout is a copy of the descriptor, whatever that is: there Node's own will do.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface OutputPipe {
  readonly stream: Socket;
  /** The program's end: to be closed here once that is started. */
  readonly theirs: number;
}

const madeAtOnce = 8;
const pathOnly = 0o10000000;
const idle: number[] = [];

/** @returns undefined where no such pipe can be had */
export function openOutput(): OutputPipe | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    if (idle.length === 0) idle.push(...makePipes());
    const pipe = idle.pop();
    return pipe === undefined ? undefined : openEnds(pipe);
  } catch {
    return undefined;
  }
}

/** @returns a descriptor to read these bytes from, to be closed once the program is started; undefined where none can be had */
export function openInput(bytes: Uint8Array): number | undefined {
  try {
    return inFolder((folder) => {
      const path = join(folder, 'stdin');
      writeFileSync(path, bytes, { mode: 0o600 });
      return openSync(path, 'r');
    });
  } catch {
    return undefined;
  }
}

function openEnds(pipe: number): OutputPipe {
  const path = `/proc/self/fd/${pipe}`;
  // The reader does not wait for a writer, so that the writer finds one; the program's end is a blocking one.
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const theirs = openSync(path, constants.O_WRONLY);
  const stream = new Socket({ fd: reader, readable: true, writable: false });
  let isOver = false;
  stream.once('end', () => {
    isOver = true;
  });
  stream.once('close', () => (isOver && idle.length < 2 * madeAtOnce ? idle.push(pipe) : closeSync(pipe)));
  return { stream, theirs };
}

function makePipes(): number[] {
  return inFolder((folder) => {
    const paths = Array.from({ length: madeAtOnce }, (_, index) => join(folder, String(index)));
    spawnSync('mkfifo', ['-m', '600', ...paths], { stdio: 'ignore' });
    return paths.map((path) => openSync(path, pathOnly));
  });
}

function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'prisn-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
