/** A daemon for the next foreground run, started when one has just ended that had none. */
import { statSync } from 'node:fs';
import { openHome } from './home.ts';
import { say } from './say.ts';
import { logPath, startSuccessor } from './server-process.ts';

/** One that was started a moment ago is on its way, or cannot start. */
const againMs = 60_000;

/** Waits for nothing, and says so in a line; where one cannot be started it is silent, since nobody asked. */
export async function startForNextTime(env: NodeJS.ProcessEnv): Promise<void> {
  try {
    const home = openHome(env);
    const triedMs = statSync(logPath(home), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (Date.now() - triedMs < againMs) return;
    // It has been started when this call returns; to wait until it listens is of no use to a run that is over.
    startSuccessor(home, env).catch(() => undefined);
    say('started a server in the background, so that the next run starts faster (PRISN_DAEMON=off prevents it)');
  } catch {
    // the next run starts as this one did
  }
}
