/** Where prisn keeps its things: `PRISN_HOME`, by default `~/.prisn`. */
import { join, resolve } from 'node:path';

/** Absolute path of the folder for what is worth keeping between runs, and no loss when it is gone. */
export function cacheDir(env: NodeJS.ProcessEnv): string {
  return join(resolve(env['PRISN_HOME'] || join(home(env), '.prisn')), 'cache');
}

/** As os.homedir() finds it; the module costs half a millisecond, which HOME saves nearly always. */
function home(env: NodeJS.ProcessEnv): string {
  return env['HOME'] || process.getBuiltinModule('node:os').homedir();
}
