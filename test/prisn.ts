/** Runs the command as its users do: `bin/prisn` as a process, with a home of its own and no terminal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Scratch } from './scratch.ts';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const bin = join(root, 'bin/prisn');

export interface Result {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The pid, which is the id of its session too. */
  readonly pid: number;
  /** From the start of the process to its exit. */
  readonly elapsedMs: number;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** What stdin holds; it is empty without. */
  readonly stdin?: string | Uint8Array;
  /** Another program in the place of `bin/prisn`, with what comes before the words. */
  readonly command?: readonly [string, ...string[]];
  /** When it is killed, with its group: a test fails then by what it expects of the result. */
  readonly timeoutMs?: number;
  /** latin1 keeps every byte apart, also where a program writes what is not UTF-8. */
  readonly encoding?: 'utf8' | 'latin1';
}

/** What is kept of each stream: its end. */
const keptBytes = 16 * 2 ** 20;

/** One for all runs of a test file, so that nothing is written to the user's own. */
const home = new Scratch().root;

const shared: NodeJS.ProcessEnv = {};

/** Sets variables of all runs from now on, where a test says nothing else. */
export function everyRunHas(variables: NodeJS.ProcessEnv): void {
  Object.assign(shared, variables);
}

/**
 * The environment of a run: a plain one, without what a test runner or a Python environment adds, and this very node first.
 * `CI` keeps a run at a terminal from leaving a daemon behind.
 */
export function environment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { HOME, LANG, TMPDIR } = process.env;
  const PATH = [dirname(process.execPath), process.env['PATH']].join(delimiter);
  return { PATH, HOME, LANG, TMPDIR, CI: '1', PRISN_HOME: home, ...shared, ...extra };
}

/** Starts a run, for those that look at it while it lasts. */
export function startPrisn(
  words: readonly string[],
  { cwd = root, env = {}, stdin, command = [bin] }: RunOptions = {},
): ChildProcess {
  const [file, ...before] = command;
  const child = spawn(file, [...before, ...words], {
    cwd,
    env: environment(env),
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  // Many programs end without reading it.
  child.stdin?.on('error', () => {}).end(stdin);
  return child;
}

export function prisn(words: readonly string[], options: RunOptions = {}): Promise<Result> {
  const { encoding = 'utf8', timeoutMs = 60_000 } = options;
  const startedAt = performance.now();
  const child = startPrisn(words, options);
  const { pid = 0 } = child;
  const [stdout, stderr] = [endOf(child.stdout), endOf(child.stderr)];
  let elapsedMs = 0;
  child.once('exit', () => {
    elapsedMs = Math.round(performance.now() - startedAt);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      const giveUp = setTimeout(() => process.kill(-pid, 'SIGKILL'), timeoutMs);
      child.once('close', (code, signal) => {
        clearTimeout(giveUp);
        resolve({ code, signal, stdout: stdout().toString(encoding), stderr: stderr().toString(encoding), pid, elapsedMs });
      });
    });
  });
}

/** The exit code as a shell gives it: 128 + n for signal n. */
export function shellCodeOf({ code, signal }: Pick<Result, 'code' | 'signal'>): number {
  return code ?? 128 + (signal ? constants.signals[signal] : 0);
}

/** Reads a stream, and forgets all but its end. */
function endOf(stream: ChildProcess['stdout']): () => Buffer {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream?.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    while (bytes - (chunks[0]?.length ?? 0) > keptBytes) bytes -= chunks.shift()?.length ?? 0;
  });
  return () => Buffer.concat(chunks);
}
