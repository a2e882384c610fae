/** Where prisn keeps its things: `PRISN_HOME`, by default `~/.prisn`. */
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { messageOf, PrisnError } from '../base/error.ts';

/** Absolute path of `PRISN_HOME`, whether or not it is there. */
export function homeDir(env: NodeJS.ProcessEnv): string {
  return resolve(env['PRISN_HOME'] || join(userHome(env), '.prisn'));
}

/** Absolute path of the folder for what is worth keeping between runs, and no loss when it is gone. */
export function cacheDir(env: NodeJS.ProcessEnv): string {
  return join(homeDir(env), 'cache');
}

/** Absolute path of the folder of what was installed for programs: `src/environments`. */
export function environmentsDir(env: NodeJS.ProcessEnv): string {
  return join(homeDir(env), 'environments');
}

/**
 * `PRISN_HOME`, made when it is missing and closed to everybody else: its socket and its files are as good as a password.
 * @returns its absolute path
 * @throws PrisnError `usage` when it belongs to another user, or cannot be made
 */
export function openHome(env: NodeJS.ProcessEnv): string {
  const home = homeDir(env);
  const advice = 'set PRISN_HOME to a folder of your own';
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(home);
    if (uid !== process.getuid?.()) throw new PrisnError('usage', `${home} belongs to another user (uid ${uid}); ${advice}`);
    if ((mode & 0o077) !== 0) chmodSync(home, 0o700);
    return home;
  } catch (error) {
    if (error instanceof PrisnError) throw error;
    throw new PrisnError('usage', `cannot use ${home}: ${messageOf(error)}; ${advice}`, { cause: error });
  }
}

/** As os.homedir() finds it; the module costs half a millisecond, which HOME saves nearly always. */
function userHome(env: NodeJS.ProcessEnv): string {
  return env['HOME'] || process.getBuiltinModule('node:os').homedir();
}
