/** The program that this prisn is. */
import { fileURLToPath } from 'node:url';

/** Absolute path of what node is given to start it: the same for all commands of one installation. */
export function programPath(): string {
  const isBuilt = import.meta.url.endsWith('.js');
  return fileURLToPath(new URL(isBuilt ? '../../prisn.cjs' : './prisn.ts', import.meta.url));
}

/** Absolute path of the command `prisn` itself: what its users have on the PATH. */
export function commandPath(): string {
  const isBuilt = import.meta.url.endsWith('.js');
  return fileURLToPath(new URL(isBuilt ? '../../../bin/prisn' : '../../bin/prisn', import.meta.url));
}
