/**
 * `starting-PID.json` in `PRISN_HOME`: a server that is on its way and not in `daemon.json` yet, so that it can be shown and
 * stopped. Each has a file of its own, since several may be started at once, of which one gets the lock.
 *
 * A server writes it first of all and removes it once it is ready or has failed. Whoever starts one in the background writes it as
 * well, as a process takes its time until it can. One that was killed leaves it, which the next start clears away.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, processId, type ProcessId } from '../base/process-id.ts';

const form = /^starting-\d+\.json$/;

/** Says that a process of this home will be a server. @returns takes it back */
export function announceStart(home: string, pid: number): () => void {
  for (const { file, server } of announced(home)) if (!server || !isRunning(server)) rmSync(file, { force: true });
  const file = join(home, `starting-${pid}.json`);
  const server = processId(pid);
  if (server) writeFileSync(file, JSON.stringify(server), { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

/** @returns the servers of this home that are on their way; some may end soon, refused by the lock */
export function startingServers(home: string): ProcessId[] {
  return announced(home).flatMap(({ server }) => (server && isRunning(server) ? [server] : []));
}

function announced(home: string): { file: string; server: ProcessId | undefined }[] {
  return names(home)
    .filter((name) => form.test(name))
    .map((name) => ({ file: join(home, name), server: read(join(home, name)) }));
}

function names(home: string): string[] {
  try {
    return readdirSync(home);
  } catch {
    return [];
  }
}

/** Undefined also for one that is being written. */
function read(file: string): ProcessId | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessId;
  } catch {
    return undefined;
  }
}
