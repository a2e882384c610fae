/** Whether a daemon of this machine runs foreground programs. On the path of every run: one file is looked for. */
import { readRecord } from '../client/record.ts';
import type { WarmRunner } from '../foreground.ts';
import { isTerminal } from '../base/terminal.ts';
import { nodeOf, placeOf } from '../model/foreground-run.ts';
import { homeDir } from './home.ts';

/**
 * @param env of this process: `PRISN_DAEMON=off` and a `PRISN_SERVER` that is another machine say no
 * @param explain hears whether a program was run there, or why not
 */
export function warmRunner(env: NodeJS.ProcessEnv, explain: (line: string) => void): WarmRunner | undefined {
  if (!usesLocal(env)) return undefined;
  const socket = env['PRISN_SOCKET'] || readRecord(homeDir(env))?.socket;
  if (!socket) return undefined;
  return async (task, io) => {
    const [{ runWarm }, { versionText }] = await Promise.all([import('./warm-run.ts'), import('./version-text.ts')]);
    const asked = { node: nodeOf(process), place: placeOf(task.env, process.env), task };
    const result = await runWarm(socket, versionText(), asked, io);
    explain('outcome' in result ? 'the daemon held its isolate' : `not in the daemon, since ${result.declined}`);
    return 'outcome' in result ? result.outcome : undefined;
  };
}

/** Whether one may be started for the next time: for a person at a terminal, where none is there. */
export function wantsDaemon(env: NodeJS.ProcessEnv): boolean {
  return usesLocal(env) && !env['PRISN_SERVER'] && !env['CI'] && isTerminal(2) && readRecord(homeDir(env)) === undefined;
}

function usesLocal({ PRISN_DAEMON, PRISN_SERVER }: NodeJS.ProcessEnv): boolean {
  const here = /^(?:unix:|(?:https?:\/\/)?(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?:[:/]|$))/i;
  return PRISN_DAEMON !== 'off' && (!PRISN_SERVER || here.test(PRISN_SERVER));
}
