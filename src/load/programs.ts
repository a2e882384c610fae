/**
 * Calls that are runs of a program: whole processes, from their start to their end.
 *
 * They are started and timed by a bash that does nothing else: to start a process costs node 0.6 ms more, which is a fifth of what the
 * fastest take (bench/README.md). It has one line a run: `go` in, microseconds and exit code out. The program's stdin is empty, its
 * stdout is discarded, and of the first run that fails the end of its stderr is kept.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { PrisnError } from '../base/error.ts';
import type { Call } from './call.ts';
import { childrenCpuMs } from './process-tree.ts';

/** The decimal separator of EPOCHREALTIME is the locale's. `-p` keeps files named by the environment out. */
const timer = `
while read -r _; do
  from=$EPOCHREALTIME
  "$@" </dev/null >/dev/null
  code=$?
  to=$EPOCHREALTIME
  echo "$((\${to/[.,]/} - \${from/[.,]/})) $code"
done`;

const keptBytes = 4096;
/** Of a program that was asked to end. */
const patienceMs = 2000;

export class Programs {
  readonly #argv: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  readonly #timers: Timer[] = [];

  /** @param argv the program as the PATH finds it, and its arguments */
  constructor(argv: readonly string[], env: NodeJS.ProcessEnv) {
    this.#argv = argv;
    this.#env = env;
  }

  readonly call: Call = async (client) => {
    const { ms, code } = await this.#timer(client).run();
    return { ms, ...(code !== 0 && { failure: typeof code === 'string' ? code : `exit code ${code}` }) };
  };

  /** Of all runs that have ended, user and system; they and what they have waited for. */
  cpuMs(): number {
    return this.#timers.reduce((sum, { pid }) => sum + childrenCpuMs(pid), 0);
  }

  /** The process below which a client's runs are, once it has made one. */
  pidOf(client: number): number | undefined {
    return this.#timers[client]?.pid;
  }

  /** The end of what the first run that failed wrote to stderr. */
  complaint(): string {
    return this.#timers.find((timer) => timer?.complaint)?.complaint ?? '';
  }

  /** Ends runs that have not ended, and waits until they are gone. */
  async close(): Promise<void> {
    await Promise.all(this.#timers.map((timer) => timer?.close()));
  }

  #timer(client: number): Timer {
    return (this.#timers[client] ??= new Timer(this.#argv, this.#env));
  }
}

class Timer {
  readonly #bash: ChildProcess;
  readonly #lines: Interface;
  readonly #ended: Promise<void>;
  /** Of the first run that failed. */
  complaint: string | undefined;
  /** Of the run that goes on, or has just ended. */
  #stderr = '';
  #settle: ((end: { ms: number; code: number | string }) => void) | undefined;

  constructor(argv: readonly string[], env: NodeJS.ProcessEnv) {
    const bash = spawn('bash', ['-pc', timer, 'bash', ...argv], { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#bash = bash;
    this.#ended = new Promise((resolve) => {
      bash.once('error', () => resolve());
      bash.once('close', () => resolve());
    });
    void this.#ended.then(() => this.#end({ ms: 0, code: 'interrupted' }));
    this.#lines = createInterface(bash.stdout).on('line', (line) => {
      const [microseconds, code] = line.split(' ').map(Number) as [number, number];
      // What it wrote to stderr is there by now, and read in the same turn of the loop.
      setImmediate(() => {
        if (code !== 0) this.complaint ??= this.#stderr.trim();
        this.#end({ ms: microseconds / 1000, code });
      });
    });
    bash.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-keptBytes);
    });
    bash.stdin.on('error', () => {});
  }

  get pid(): number {
    return this.#bash.pid ?? 0;
  }

  run(): Promise<{ ms: number; code: number | string }> {
    this.#stderr = '';
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#bash.stdin?.write('go\n');
    });
  }

  async close(): Promise<void> {
    this.#lines.close();
    this.#bash.stdin?.end();
    if (this.#settle) this.#signal('SIGTERM');
    const giveUp = setTimeout(() => this.#signal('SIGKILL'), patienceMs);
    await this.#ended;
    clearTimeout(giveUp);
  }

  #end(end: { ms: number; code: number | string }): void {
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(end);
  }

  /** To the group, which the program is in. */
  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {}
  }
}

/** @throws PrisnError `unsupported` */
export function checkTimer(): void {
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { stdout } = spawnSync('bash', ['-pc', 'echo "$EPOCHREALTIME"'], { encoding: 'utf8' });
  if (!/^\d+[.,]\d{6}\n$/.test(stdout ?? ''))
    throw new PrisnError('unsupported', 'bash 5 or newer on the PATH is what times processes here; install it');
}
