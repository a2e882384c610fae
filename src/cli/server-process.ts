/**
 * The server as a process of its own, started and stopped by the CLI.
 *
 * It is started detached, in a clean environment, with its output in `daemon.log`, and it is there once it has written
 * `daemon.json`. Several commands may start one at the same moment: one server gets the lock, the others are refused by it
 * and end, and all commands wait for the same file.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { managerVariables } from '../../runtimes/manager-variables.ts';
import { type ErrorCode, PrisnError } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import { isRunning, type ProcessId } from '../base/process-id.ts';
import { type DaemonRecord, readRecord, type StartMode, storedRecord } from '../client/record.ts';
import { announceStart } from '../client/starting.ts';
import { settingNames, variableOf } from '../model/settings.ts';
import { readableLine } from './log-lines.ts';
import { programPath } from './program.ts';
import { absoluteVariables } from './settings.ts';

const startMs = 30_000;
/** How long another server may hold the lock without being there: it starts as well, or is on its way out. */
const refusedMs = 10_000;
const pollMs = 10;
const maxLogBytes = 5 * 2 ** 20;
const shownLines = 8;

/** What a server in the background has of its starter's environment, beside the settings: also where version managers live. */
const inherited = [...'PATH HOME USER LOGNAME LANG LC_ALL LC_CTYPE TZ TMPDIR PRISN_MASTER_KEY'.split(' '), ...managerVariables];

export function logPath(home: string): string {
  return join(home, 'daemon.log');
}

export interface ServerStart {
  /** Absolute path of `PRISN_HOME`; it is there. */
  readonly home: string;
  readonly mode: Exclude<StartMode, 'foreground'>;
  /** Of `prisn server`, with absolute paths. */
  readonly flags: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Starts a server in the background, or waits for one that somebody else starts meanwhile.
 * @returns its record, once it listens
 * @throws PrisnError with the server's own words when it ends instead, `unavailable` when it is not there in time
 */
export async function startServer(start: ServerStart): Promise<DaemonRecord> {
  const from = rotateLog(start.home);
  const startedAt = Date.now();
  let child = launch(start);
  for (; ; await pause(pollMs)) {
    const record = readRecord(start.home);
    if (record) {
      // Another one was faster. Ours would be refused, unless that one ended first: then it would come unasked.
      if (record.pid !== child.pid) child.kill('SIGKILL');
      return record;
    }
    const waitedMs = Date.now() - startedAt;
    if (hasEnded(child)) {
      if (child.exitCode !== exitCodes.conflict || waitedMs > refusedMs) throw failedStart(child, start.home, from);
      await pause(20 * pollMs);
      if (!readRecord(start.home)) child = launch(start);
    } else if (waitedMs > startMs)
      throw new PrisnError('unavailable', `the server is not up after ${startMs / 1000} s; its log is ${logPath(start.home)}`);
  }
}

const byItself = { mode: 'auto', flags: [] } as const;

/**
 * Starts a server that a command needs, with the mode and the flags of the one before where its user started that in the
 * background and did not stop it: it was killed, or is replaced.
 * @throws as `startServer`
 */
export function startSuccessor(home: string, env: NodeJS.ProcessEnv, before = storedRecord(home)): Promise<DaemonRecord> {
  return startServer({ home, env, ...(before?.mode === 'background' ? { mode: before.mode, flags: before.flags } : byItself) });
}

/** @returns false when it was gone already */
export function signalServer(server: ProcessId, signal: NodeJS.Signals = 'SIGTERM'): boolean {
  try {
    return isRunning(server) && process.kill(server.pid, signal);
  } catch {
    return false;
  }
}

/** @returns whether it is gone within that time */
export async function waitUntilGone(server: ProcessId, ms: number): Promise<boolean> {
  for (const deadline = Date.now() + ms; isRunning(server); await pause(pollMs)) if (Date.now() > deadline) return false;
  return true;
}

function launch({ home, mode, flags, env }: ServerStart): ChildProcess {
  const log = openSync(logPath(home), 'a', 0o600);
  const child = spawn(process.execPath, ['--', programPath(), 'server', '--mode', mode, ...flags], {
    cwd: '/',
    env: { ...environmentOf(env), PRISN_HOME: home },
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  child.on('error', () => undefined);
  child.unref();
  if (child.pid !== undefined) announceStart(home, child.pid);
  return child;
}

function environmentOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const given = absoluteVariables(env);
  const names = [...inherited, ...settingNames.map(variableOf)].filter((name) => given[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, given[name]]));
}

/** @returns where the log goes on */
function rotateLog(home: string): number {
  const path = logPath(home);
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= maxLogBytes) return size;
  renameSync(path, `${path}.1`);
  return 0;
}

function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

function failedStart({ exitCode, signalCode }: ChildProcess, home: string, from: number): PrisnError {
  const lines = readFileSync(logPath(home)).subarray(from).toString().trim().split('\n').slice(-shownLines).map(readableLine);
  const last = lines.at(-1) || `it ended with ${signalCode ?? `exit code ${exitCode}`}`;
  const said = last.startsWith('prisn: ') ? last.slice('prisn: '.length) : lines.join('\n');
  return new PrisnError(codeOf(exitCode), `the server could not be started: ${said}; its log is ${logPath(home)}`);
}

function codeOf(exitCode: number | null): ErrorCode {
  if (exitCode === exitCodes.usage) return 'usage';
  return exitCode === exitCodes.conflict ? 'conflict' : 'unavailable';
}
