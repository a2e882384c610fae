/** Runs the entry `test/fixtures/process/run-foreground.ts` from outside, and looks at processes by the kernel's own tables. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Sink } from '../../../sandbox/sandbox.ts';
import type { Outcome } from '../../../src/model/outcome.ts';
import type { Limits, ProcessTask } from '../../../src/model/task.ts';

export const python = '/usr/bin/python3';
export const fixture = (name: string): string => new URL(`../../fixtures/process/${name}`, import.meta.url).pathname;
export const entry = fixture('run-foreground.ts');

let runs = 0;
/** Unique among the test files that run at once. */
export const newRunId = (): string => `test-${process.pid}-${++runs}`;

export function taskOf(file: string, args: readonly string[] = [], more: Partial<ProcessTask> = {}): ProcessTask {
  return { file, args, env: process.env as Record<string, string>, cwd: tmpdir(), limits: {}, runId: newRunId(), ...more };
}

export interface Foreground {
  readonly child: ChildProcess;
  readonly runId: string;
  /** All of stdout so far. */
  readonly output: () => string;
  readonly errors: () => string;
  /** Resolves with the match once stdout matches. */
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; outcome: Outcome | undefined }>;
}

export interface Surroundings {
  readonly env?: Record<string, string>;
  /** A command that execs the rest of its arguments. */
  readonly via?: readonly string[];
}

/** A foreground run without a terminal, in a process of its own; what is left of it is ended with the test. */
export function foreground(
  t: TestContext,
  limits: Limits,
  file: string,
  args: readonly string[] = [],
  { env = {}, via = [] }: Surroundings = {},
): Foreground {
  const runId = newRunId();
  const folder = mkdtempSync(join(tmpdir(), 'prisn-test-'));
  const outcomeFile = join(folder, 'outcome');
  const [command = '', ...rest] = [...via, process.execPath, entry, JSON.stringify(limits), file, ...args];
  const child = spawn(command, rest, {
    env: { ...process.env, PRISN_TEST_RUN_ID: runId, PRISN_TEST_OUTCOME: outcomeFile, ...env },
    detached: true,
  });
  t.after(() => {
    for (const pid of [child.pid, ...carriersOf(runId)]) if (pid && isAlive(pid)) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true });
  });
  let output = '';
  let errors = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const ended = once(child, 'exit').then(async ([code, signal]) => {
    const text = await readFile(outcomeFile, 'utf8').catch(() => undefined);
    return { code, signal, outcome: text === undefined ? undefined : JSON.parse(text) };
  });
  const says = async (pattern: RegExp): Promise<RegExpExecArray> => {
    let match = pattern.exec(output);
    await until(`output ${pattern} in ${JSON.stringify(output)}`, () => (match = pattern.exec(output)) !== null);
    return match as RegExpExecArray;
  };
  return { child, runId, output: () => output, errors: () => errors, says, ended };
}

/** Polls for what no event announces. @throws when it is not so within ten seconds */
export async function until(what: string, condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; !condition(); await new Promise((resolve) => setTimeout(resolve, 5))) {
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`);
  }
}

const readProc = (path: string): string => {
  try {
    return readFileSync(`/proc/${path}`, 'latin1');
  } catch {
    return '';
  }
};

/** The letter of proc(5), or '' when there is no such process. */
export const stateOf = (pid: number): string => /\) (\w)/.exec(readProc(`${pid}/stat`))?.[1] ?? '';
export const isAlive = (pid: number): boolean => !['', 'Z', 'X'].includes(stateOf(pid));

/** Living processes that have this run's id in their environment. */
export function carriersOf(runId: string): number[] {
  return pids().filter((pid) => isAlive(pid) && readProc(`${pid}/environ`).includes(`PRISN_RUN_ID=${runId}\0`));
}

/** Children of a process, dead ones that were not reaped included. */
export function childrenOf(parent: number): { pid: number; command: string }[] {
  return pids()
    .filter((pid) => Number(readProc(`${pid}/stat`).split(') ')[1]?.split(' ')[1]) === parent)
    .map((pid) => ({ pid, command: readProc(`${pid}/cmdline`).replaceAll('\0', ' ') }));
}

function pids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

/** A sink that keeps what it hears. */
export function recorder(): Sink & { stdoutText: () => string; stderrText: () => string; bytes: () => number } {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  return {
    stdout: (chunk) => void chunks.stdout.push(Buffer.from(chunk)),
    stderr: (chunk) => void chunks.stderr.push(Buffer.from(chunk)),
    stdoutText: () => Buffer.concat(chunks.stdout).toString(),
    stderrText: () => Buffer.concat(chunks.stderr).toString(),
    bytes: () => chunks.stdout.reduce((sum, { length }) => sum + length, 0),
  };
}

export interface Step {
  readonly expect?: string;
  readonly handles?: 1;
  readonly send?: string;
  readonly kill?: string;
  readonly killgroup?: string;
  readonly resize?: readonly [number, number];
  readonly stdin?: 'null';
}

/** Plays these steps at a pseudo-terminal whose command is a foreground run, or another. */
export function atTerminal(
  steps: readonly Step[],
  command: readonly string[],
): Promise<{ output: string; code?: number; error?: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(python, [fixture('drive-terminal.py'), JSON.stringify(steps), ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    child.once('error', reject).once('close', () => resolve(JSON.parse(text)));
  });
}

/** A job of a shell, `counts-signals.py`, from Ctrl-Z over fg and Ctrl-C to its end, and the shell's. */
export const stoppedAndContinued: readonly Step[] = [
  { send: '\x1a' },
  { expect: 'Stopped' },
  { expect: 'prompt' },
  { send: 'jobs; fg\n' },
  { expect: 'Stopped' },
  { expect: 'SIGCONT 1' },
  { send: '\x03' },
  { expect: 'SIGINT 1' },
  { send: 'quit\n' },
  { expect: 'prompt' },
  { send: 'echo code=$?; exit\n' },
  { expect: 'code=0' },
];
