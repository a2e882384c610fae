/** The two clients of `prisn run`: the native launcher, where there is one, and Node. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './prisn.ts';

export const launcher = join(root, 'dist/launcher', process.arch);

/** Options of a test that needs the launcher. */
export const needsLauncher: { skip: string | false } = {
  skip: !existsSync(launcher) && 'no launcher was built: it takes Linux and a C compiler',
};

export const clients: readonly { name: string; env: NodeJS.ProcessEnv; options: { skip: string | false } }[] = [
  { name: 'the launcher', env: {}, options: needsLauncher },
  { name: 'the Node client', env: { PRISN_LAUNCHER: 'off' }, options: { skip: false } },
];
