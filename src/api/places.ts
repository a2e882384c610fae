/** Listening where nobody else gets in the way: on a socket that is its owner's alone, and on a port that is free. */
import { lstatSync, mkdirSync, statSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { errnoOf, PrisnError } from '../base/error.ts';

/** `sun_path`, less its NUL: of unix(7), and of unix(4) on macOS. */
const maxPathBytes = process.platform === 'darwin' ? 103 : 107;

/**
 * Makes way for a socket and lets `listen` create it, with mode 0600 from its first moment on.
 * @param path absolute; the folder is made with mode 0700 where it is missing
 * @throws PrisnError `conflict` when a server answers there; `usage` for a path that cannot be one or is not safe
 */
export async function withSocketAt(path: string, listen: () => Promise<void>): Promise<void> {
  if (Buffer.byteLength(path) > maxPathBytes)
    throw new PrisnError(
      'usage',
      `socket: ${path} is longer than the ${maxPathBytes} bytes that the system allows; choose another with --socket`,
    );
  makeFolder(dirname(path));
  await removeStale(path);
  // Bound before `listen` returns: nothing else runs in between.
  const umask = process.umask(0o177);
  let listening: Promise<void>;
  try {
    listening = listen();
  } finally {
    process.umask(umask);
  }
  try {
    await listening;
  } catch (error) {
    throw asListenError(error, path);
  }
}

function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { mode, uid } = statSync(folder);
  const own = process.getuid?.() ?? uid;
  const isShared = (mode & 0o022) !== 0;
  const isSticky = (mode & 0o1000) !== 0;
  if ((isShared && !isSticky) || (uid !== own && uid !== 0))
    throw new PrisnError(
      'usage',
      `socket: others may replace files in ${folder}, so the socket would not be safe there; chmod go-w it, or choose another with --socket`,
    );
}

/** Removes a socket on which nobody answers. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket())
    throw new PrisnError('usage', `socket: ${path} is there and no socket; remove it, or choose another with --socket`);
  const code = await new Promise<string | undefined>((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error) => resolve(errnoOf(error)));
  });
  if (code === 'ECONNREFUSED') unlinkSync(path);
  else if (code === undefined) throw new PrisnError('conflict', `a server answers on ${path} already`);
  else if (code !== 'ENOENT')
    throw new PrisnError('usage', `socket: ${path} cannot be used (${code}); choose another with --socket`);
}

/** What an error of listen(2) means to whoever chose the address. */
export function asListenError(error: unknown, where: string): unknown {
  const code = errnoOf(error);
  if (code === 'EADDRINUSE')
    return new PrisnError('conflict', `${where} is taken by another program; choose another with --addr or --socket`, {
      cause: error,
    });
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'EINVAL')
    return new PrisnError('usage', `cannot listen on ${where} (${code}); choose another with --addr or --socket`, {
      cause: error,
    });
  return error;
}
