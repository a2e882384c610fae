/** What `prisn doctor` finds out about the server of `PRISN_HOME` and what it has stored. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../base/error.ts';
import { type DaemonRecord, readRecord } from '../client/record.ts';
import { startingServers } from '../client/starting.ts';
import { acquireLock } from '../store/lock.ts';
import { openStore } from '../store/store.ts';
import { localClient } from './local-client.ts';
import type { Finding } from './doctor.ts';
import { homeDir } from './home.ts';
import { readiness } from './server.ts';
import { loadSettings } from './settings.ts';

/** @returns not ok for one that runs and is not ready; one that does not run is no fault */
export async function checkServer(env: NodeJS.ProcessEnv): Promise<Finding> {
  const [starting] = startingServers(homeDir(env));
  const record = readRecord(homeDir(env));
  if (!record && starting) return { ok: true, what: 'state', detail: `process ${starting.pid} is starting` };
  if (!record) return { ok: true, what: 'state', detail: 'does not run; a command that needs it starts it' };
  try {
    const { status, reasons } = await readiness(localClient(record));
    const detail = `process ${record.pid}, prisn ${record.version}, ${status}${reasons.map((reason) => `; ${reason}`).join('')}`;
    return { ok: reasons.length === 0, what: 'state', detail };
  } catch (error) {
    return { ok: false, what: 'state', detail: `process ${record.pid} does not answer: ${messageOf(error)}` };
  }
}

/** Reads all records, through the server where one runs. */
export async function checkStore(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  try {
    const record = readRecord(homeDir(env));
    const { records, problems } = record ? await verifyThere(record) : await verifyHere(env);
    const broken = problems.map((detail) => ({ ok: false, what: 'store', detail }));
    return [...broken, { ok: problems.length === 0, what: 'store', detail: `${records} records read` }];
  } catch (error) {
    return [{ ok: false, what: 'store', detail: messageOf(error) }];
  }
}

interface Verdict {
  readonly records: number;
  readonly problems: readonly string[];
}

function verifyThere(record: DaemonRecord): Promise<Verdict> {
  return localClient(record).call('verify');
}

async function verifyHere(env: NodeJS.ProcessEnv): Promise<Verdict> {
  const { settings } = await loadSettings(homeDir(env), {}, env);
  const directory = join(settings.data_dir, 'store');
  if (!existsSync(directory)) return { records: 0, problems: [] };
  const lock = await acquireLock(settings.data_dir, settings.socket);
  try {
    const store = await openStore({ directory });
    try {
      return { records: await store.verify(), problems: store.health().problems };
    } finally {
      await store.close();
    }
  } finally {
    await lock.release();
  }
}
