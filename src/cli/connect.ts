/**
 * The way of a command to its server.
 *
 * ```
 * --server ─▶ PRISN_SERVER ─▶ the daemon of PRISN_HOME, by its socket ─▶ one that is started now
 * ```
 * Nothing is asked of a local daemon before the command's own call: `daemon.json` and the process that it names tell that it is
 * there. One of another version or installation is replaced when nothing runs or waits in it, so that an update takes effect; one
 * that belongs to a terminal or a supervisor is its owner's to replace.
 */
import { PrisnError } from '../base/error.ts';
import { isTerminal } from '../base/terminal.ts';
import { type Address, parseAddress } from '../client/address.ts';
import { Client } from '../client/client.ts';
import { isNobodyThere } from '../client/errors.ts';
import { type DaemonRecord, readRecord } from '../client/record.ts';
import { homeDir, openHome } from './home.ts';
import { localClient, socketOf } from './local-client.ts';
import { programPath } from './program.ts';
import { say } from './say.ts';
import { versionText } from './version-text.ts';

export interface ConnectOptions {
  /** Of `--server`. */
  readonly server?: string;
  /** False leaves a local daemon that does not run alone. */
  readonly start?: boolean;
}

const replaceMs = 10_000;
/** From the end of its socket to the end of the server. */
const leavingMs = 2000;

/** @throws PrisnError `unreachable` when there is no daemon and none may be started, and as `startServer` */
export async function connect({ server, start = true }: ConnectOptions = {}): Promise<Client> {
  const { env } = process;
  if (server !== undefined) return new Client(parseAddress(server, '--server'));
  if (env['PRISN_SERVER']) return new Client(parseAddress(env['PRISN_SERVER'], 'PRISN_SERVER'));
  const mayStart = start && env['PRISN_DAEMON'] !== 'off';
  const running = readRecord(homeDir(env));
  if (running && (await isCurrent(running, mayStart)))
    return localClient(running, (error) => successor(running, mayStart, error));
  if (!mayStart) throw noServer(env);
  return localClient(await startHere(env, running));
}

async function startHere(env: NodeJS.ProcessEnv, before?: DaemonRecord): Promise<DaemonRecord> {
  const { startSuccessor } = await import('./server-process.ts');
  const record = await startSuccessor(openHome(env), env, before);
  if (isTerminal(2)) say('started a server in the background (prisn server stop ends it)');
  if (record.note !== undefined) say(record.note);
  return record;
}

/** Another command has replaced or stopped the server since its record was read. */
async function successor(before: DaemonRecord, mayStart: boolean, error: unknown): Promise<Address> {
  const { waitUntilGone } = await import('./server-process.ts');
  if (!(await waitUntilGone(before, leavingMs))) throw error;
  const { env } = process;
  const record = readRecord(homeDir(env)) ?? (mayStart ? await startHere(env, before) : undefined);
  if (!record) throw error;
  return socketOf(record);
}

function noServer(env: NodeJS.ProcessEnv): PrisnError {
  const off = env['PRISN_DAEMON'] === 'off' ? ', and PRISN_DAEMON=off keeps one from being started' : '';
  return new PrisnError(
    'unreachable',
    `no prisn server runs in ${homeDir(env)}${off}; start one with prisn server start, or name another with --server or PRISN_SERVER`,
  );
}

/** Whether this daemon is to be used; otherwise it is gone by then. */
async function isCurrent(running: DaemonRecord, mayReplace: boolean): Promise<boolean> {
  const version = versionText();
  if (running.version === version && running.install === programPath()) return true;
  const what = `the server is prisn ${running.version} of ${running.install}, and this is ${version}`;
  if (!mayReplace || running.mode === 'foreground') say(`${what}; restart it when you can`);
  else if (await isBusy(running)) say(`${what}; it is busy, and is replaced once nothing runs in it: prisn server stop`);
  else if (await stop(running)) return false;
  else say(`${what}; it was asked to stop and did not`);
  return true;
}

async function isBusy(running: DaemonRecord): Promise<boolean> {
  const client = localClient(running);
  try {
    const { items } = await client.call('listNodes', {}, AbortSignal.timeout(replaceMs));
    // An older server does not tell of its foreground runs.
    return items.some((node) => [node.running, node.pending, node.foreground_runs].some((count) => count > 0));
  } catch (error) {
    // It is on its way out.
    if (error instanceof PrisnError && isNobodyThere(error.cause)) return false;
    throw error;
  } finally {
    client.close();
  }
}

async function stop(running: DaemonRecord): Promise<boolean> {
  const [{ waitUntilGone }, { askToStop }] = await Promise.all([import('./server-process.ts'), import('./server-stop.ts')]);
  await askToStop(running);
  return waitUntilGone(running, replaceMs);
}
