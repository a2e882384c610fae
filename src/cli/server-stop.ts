/**
 * The end of a server that runs in the background.
 *
 * Its second signal ends it at once, and what runs in it, so one that stops already is only waited for. One that hangs takes
 * no signal but SIGKILL; the next start ends what it leaves.
 */
import { PrisnError } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import { isTerminal } from '../base/terminal.ts';
import { formatDuration } from '../base/units.ts';
import type { Client } from '../client/client.ts';
import { isNobodyThere } from '../client/errors.ts';
import { type DaemonRecord, readRecord } from '../client/record.ts';
import { localClient } from './local-client.ts';
import { homeDir } from './home.ts';
import { write } from './output.ts';
import { say } from './say.ts';
import { signalServer, waitUntilGone } from './server-process.ts';
import { loadSettings } from './settings.ts';

const askMs = 2000;
/** Beyond the drain: to end the rest, and to write it down. */
const endingMs = 15_000;
const killMs = 5000;
/** Where the settings cannot be read: its default. */
const usualDrainMs = 30_000;

/** Signals a server to stop, unless it does so already. */
export async function askToStop(record: DaemonRecord): Promise<void> {
  if (!(await isStopping(record))) signalServer(record);
}

async function isStopping(record: DaemonRecord): Promise<boolean> {
  const client = localClient(record);
  try {
    const { reasons } = JSON.parse((await client.page('/ready', AbortSignal.timeout(askMs))).text) as { reasons: string[] };
    return reasons.includes('draining');
  } catch (error) {
    // The socket goes before the process does.
    return error instanceof PrisnError && isNobodyThere(error.cause);
  } finally {
    client.close();
  }
}

/** `prisn server stop`. @param now ends what runs at once @returns the exit code */
export async function stopServer(now: boolean): Promise<number> {
  const home = homeDir(process.env);
  const record = readRecord(home);
  if (!record) {
    say(`no server runs in ${home}`);
    return 0;
  }
  if (!(now ? await endNow(record) : await endInOrder(record, home))) return exitCodes.failure;
  await write(`prisn ${record.version} stopped\n`);
  return 0;
}

async function endNow(record: DaemonRecord): Promise<boolean> {
  signalServer(record);
  // The second one has to arrive as one of its own.
  await waitUntilGone(record, 200);
  signalServer(record);
  if (await waitUntilGone(record, killMs)) return true;
  signalServer(record, 'SIGKILL');
  if (await waitUntilGone(record, killMs)) return true;
  say(`process ${record.pid} cannot be ended`);
  return false;
}

async function endInOrder(record: DaemonRecord, home: string): Promise<boolean> {
  const maxMs = (await drainOf(record, home)) + endingMs;
  await askToStop(record);
  const over = performance.now() + maxMs;
  if (isTerminal(2)) await tellProgress(record, over);
  if (await waitUntilGone(record, Math.max(0, over - performance.now()))) return true;
  say(`process ${record.pid} was asked to stop and has not within ${formatDuration(maxMs)}; prisn server stop --now kills it`);
  return false;
}

/** In milliseconds. */
async function drainOf({ flags }: DaemonRecord, home: string): Promise<number> {
  const at = flags.indexOf('--drain');
  const drain = at < 0 ? undefined : flags[at + 1];
  const asked = loadSettings(home, drain === undefined ? {} : { drain }, process.env);
  return asked.then(
    ({ settings }) => settings.drain,
    () => usualDrainMs,
  );
}

/** Tells whoever waits at a terminal for what the server waits. */
async function tellProgress(record: DaemonRecord, over: number): Promise<void> {
  const client = localClient(record);
  let told = '';
  while (performance.now() < over && !(await waitUntilGone(record, 500))) {
    const running = await countRunning(client);
    const text = running > 0 ? `waits for ${running} running; prisn server stop --now ends them` : 'stops';
    if (text !== told) process.stderr.write(`\r\x1b[K${text}`);
    told = text;
  }
  if (told !== '') process.stderr.write('\r\x1b[K');
}

async function countRunning(client: Client): Promise<number> {
  try {
    const { items } = await client.call('listNodes', {}, AbortSignal.timeout(askMs));
    return items.reduce((sum, { running }) => sum + running, 0);
  } catch {
    return 0;
  }
}
