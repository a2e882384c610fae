/**
 * Programs in isolates that live in a child process, the isolate host, seen from the one who starts them.
 *
 * A task is watched by this process's own clock. At its end the host is told to take the isolate away; some programs
 * hold on to a thread whatever one does (`throw new Proxy({}, { get() { for (;;); } })`), so a host that does not answer
 * within `graceMs` is killed, and its other programs end as `crashed`. The next task gets a new host.
 *
 *   starting ──ready──▶ serving ──(no answer, memory cap, exit)──▶ gone
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatDuration, formatMemory } from '../../src/base/units.ts';
import { exitCodes, type Outcome } from '../../src/model/outcome.ts';
import type { IsolateTask } from '../../src/model/task.ts';
import type { Running, Sandbox, Sink } from '../sandbox.ts';
import { isolateFlags } from './flags.ts';
import { type FromHost, threadsVariable, type ToHost } from './protocol.ts';

export interface IsolatePoolOptions {
  /** Threads of the host. */
  readonly threads: number;
  /** The host is killed when it has more than this resident, bytes: V8's heap limit does not count WebAssembly memory. */
  readonly maxHostBytes: number;
}

/** How long a host may take to give a program up. */
const graceMs = 500;
/** A hog fills some 50 MB between two looks at this interval. */
const sampleMs = 25;

interface Entry {
  readonly sink: Sink;
  readonly settle: (outcome: Outcome) => void;
}

export class IsolatePool {
  readonly #options: IsolatePoolOptions;
  #host: IsolateHost | undefined;
  #closed = false;

  constructor(options: IsolatePoolOptions) {
    this.#options = options;
  }

  readonly start: Sandbox<IsolateTask> = (task, sink) => {
    if (this.#closed) throw new TypeError('the pool is closed');
    if (!this.#host?.serving) this.#host = new IsolateHost(this.#options);
    return this.#host.start(task, sink);
  };

  /** Kills the host. What still runs ends as `interrupted`. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#host?.kill({
      reason: 'interrupted',
      exitCode: exitCodes.failed,
      message: 'prisn stopped before the program ended',
    });
  }
}

class IsolateHost {
  readonly #child: ChildProcess;
  readonly #maxBytes: number;
  readonly #entries = new Map<number, Entry>();
  readonly #gone: Promise<void>;
  readonly #watch: NodeJS.Timeout;
  #nextId = 0;
  #lost: Outcome | undefined;

  constructor({ threads, maxHostBytes }: IsolatePoolOptions) {
    this.#maxBytes = maxHostBytes;
    this.#child = fork(fileURLToPath(new URL(`./host${extname(import.meta.url)}`, import.meta.url)), {
      // No secret of ours: what runs there may look around.
      env: { [threadsVariable]: String(threads) },
      execArgv: isolateFlags(),
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child.on('message', (message) => this.#hear(message as FromHost));
    this.#child.on('error', () => {}); // its exit says all
    this.#gone = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#bury(code, signal);
        resolve();
      });
    });
    this.#watch = setInterval(() => this.#checkMemory(), sampleMs);
  }

  get serving(): boolean {
    return this.#lost === undefined && this.#child.connected;
  }

  start(task: IsolateTask, sink: Sink): Running {
    const id = ++this.#nextId;
    let timer: NodeJS.Timeout | undefined;
    const exited = new Promise<Outcome>((resolve) => {
      this.#entries.set(id, {
        sink,
        settle: (outcome) => {
          clearTimeout(timer);
          resolve(outcome);
        },
      });
    });
    const end = (outcome: Outcome): void => {
      clearTimeout(timer);
      if (!this.#entries.has(id)) return;
      this.#send({ type: 'end', id, outcome });
      timer = setTimeout(() => this.#giveUp(id, outcome), graceMs);
    };
    const { timeoutMs } = task.limits;
    if (timeoutMs !== undefined) timer = setTimeout(() => end(timedOut(timeoutMs)), timeoutMs);
    this.#send({ type: 'run', id, task });
    return { exited, stop: () => end({ reason: 'canceled', exitCode: exitCodes.failed, message: 'the program was canceled' }) };
  }

  /** Ends all of its programs with this outcome. */
  async kill(outcome: Outcome): Promise<void> {
    this.#lost ??= outcome;
    this.#child.kill('SIGKILL');
    await this.#gone;
  }

  #send(message: ToHost): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #hear(message: FromHost): void {
    if (message.type === 'ready') return;
    const entry = this.#entries.get(message.id);
    if (!entry) return;
    if (message.type === 'output') return message.fd === 1 ? entry.sink.stdout(message.data) : entry.sink.stderr(message.data);
    this.#entries.delete(message.id);
    entry.settle(message.outcome);
  }

  /** The thread of this program does not come back: only the end of the process gives it back. */
  #giveUp(id: number, outcome: Outcome): void {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    entry?.settle(outcome);
    void this.kill(crashed('another program in the same isolate host could not be ended, and the host with it'));
  }

  #checkMemory(): void {
    if (residentBytes(this.#child.pid) <= this.#maxBytes) return;
    const message = `the isolate host used more than its ${formatMemory(this.#maxBytes)} of memory`;
    void this.kill({ reason: 'memory', exitCode: exitCodes.memory, message });
  }

  #bury(code: number | null, signal: NodeJS.Signals | null): void {
    clearInterval(this.#watch);
    const outcome = this.#lost ?? crashed(`the isolate host ended with ${signal ?? `exit code ${code}`}`);
    this.#lost = outcome;
    for (const { settle } of this.#entries.values()) settle(outcome);
    this.#entries.clear();
  }
}

function timedOut(ms: number): Outcome {
  return { reason: 'timeout', exitCode: exitCodes.timeout, message: `the program did not end within ${formatDuration(ms)}` };
}

function crashed(message: string): Outcome {
  return { reason: 'crashed', exitCode: exitCodes.failed, message };
}

/** proc(5), /proc/PID/statm: the second field is resident pages. 0 where there is no /proc. */
function residentBytes(pid: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4096;
  } catch {
    return 0;
  }
}
