/** For `-v`: why a run comes to the Node client and not to the native launcher. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { programPath } from './program.ts';

/** @param declined what the launcher said, where it was there */
export function launcherNote(declined: string | undefined, env: NodeJS.ProcessEnv): string {
  if (declined !== undefined) return `not by the launcher, since ${declined}`;
  if (env['PRISN_LAUNCHER'] === 'off') return 'not by the launcher, since PRISN_LAUNCHER is off';
  const launcher = join(dirname(programPath()), 'launcher', process.arch);
  return existsSync(launcher)
    ? 'not by the launcher, since it was started by another way than bin/prisn'
    : 'there is no launcher: npm install builds it on Linux where a C compiler is (cc, gcc or clang)';
}
