/**
 * The end of a server that runs in the background.
 *
 * Its second signal ends it at once, and what runs in it, so one that stops already is only waited for. One that hangs takes
 * no signal but SIGKILL; the next start ends what it leaves.
 */
import { PrisnError } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import { isTerminal } from '../base/terminal.ts';
import type { ProcessId } from '../base/process-id.ts';
import { formatDuration } from '../base/units.ts';
import type { Client } from '../client/client.ts';
import { isNobodyThere } from '../client/errors.ts';
import { type DaemonRecord, readRecord } from '../client/record.ts';
import { startingServers } from '../client/starting.ts';
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
/** As long as a start may take, and the end after it. */
const startingMs = 45_000;
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
  // In this order: one that becomes ready in between is in either.
  const starting = startingServers(home);
  const record = readRecord(home);
  if (!record) return stopStarting(starting, home, now);
  if (!(now ? await endNow(record) : await endInOrder(record, home))) return exitCodes.failure;
  await write(`prisn ${record.version} stopped\n`);
  return 0;
}

/** Those that are on their way end once they have arrived, and at a second signal at once. @returns the exit code */
async function stopStarting(servers: readonly ProcessId[], home: string, now: boolean): Promise<number> {
  if (servers.length === 0) {
    say(`no server runs in ${home}`);
    return 0;
  }
  const haveEnded = await Promise.all(servers.map((server) => (now ? endNow(server) : endBeforeItServes(server))));
  if (haveEnded.includes(false)) return exitCodes.failure;
  await write('a server that was starting was stopped\n');
  return 0;
}

async function endBeforeItServes(server: ProcessId): Promise<boolean> {
  signalServer(server);
  if (await waitUntilGone(server, startingMs)) return true;
  say(
    `process ${server.pid} starts and was asked to stop, and has not within ${formatDuration(startingMs)}; prisn server stop --now kills it`,
  );
  return false;
}

async function endNow(record: ProcessId): Promise<boolean> {
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
