import { resolve } from 'node:path';
import { isExecutable } from '../src/base/executable.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a program is going to run: it decides which interpreter is meant. */
export interface Surroundings {
  readonly env: Environment;
  /** Absolute path. */
  readonly cwd: string;
}

/** Where execvp(3) of glibc looks when there is no PATH. */
const defaultPath = '/bin:/usr/bin';

export function pathOf(env: Environment): string {
  return env['PATH'] ?? defaultPath;
}

/** Absolute paths of the programs called `command` in PATH, in its order. An empty part of PATH is the working directory. */
export function* searchPath(command: string, { env, cwd }: Surroundings): Generator<string, undefined> {
  for (const folder of pathOf(env).split(':')) {
    const file = folder.startsWith('/') ? `${folder}/${command}` : resolve(cwd, folder, command);
    if (isExecutable(file)) yield file;
  }
  return undefined;
}
