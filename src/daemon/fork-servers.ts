import { join } from 'node:path';
import { ForkHabits } from '../../runtimes/python3/fork-habits.ts';
import { forkKey, forkServerPath } from '../../runtimes/python3/fork-key.ts';
import { ForkServers } from '../../sandbox/process/fork-servers.ts';
import { probeTier } from '../../sandbox/process/job.ts';
import type { Log } from '../engine/log.ts';
import type { Settings } from '../model/settings.ts';

/** The warm interpreters of Python programs. @param cacheDir absolute path */
export function openForkServers(settings: Settings, cacheDir: string, log: Log): ForkServers {
  return new ForkServers({
    script: forkServerPath,
    keyOf: forkKey,
    habits: new ForkHabits(join(cacheDir, 'fork-habits.json')),
    tier: probeTier,
    maxServers: settings.fork_servers,
    idleMs: settings.fork_idle,
    maxBytes: settings.fork_memory,
    log: (fields, message) => log.debug(fields, message),
  });
}
