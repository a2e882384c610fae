/**
 * Programs in isolates that live in a child process, the isolate host, seen from the one who starts them.
 *
 * A task is watched by this process's own clock. At its end the host is told to take the isolate away. Some programs hold
 * on to their thread whatever one does (`indexOf` on an array of length 2 ** 32 - 1), so a host that has not got it back
 * within `graceMs` is killed, and its other programs end as `crashed`. The next task gets a new host.
 *
 *   a task:  running ──(timeout, stop)──▶ ending ──(the host's answer, or the grace is over)──▶ settled
 *               └──────(the host's answer, or its end)─────────────────────────────────────────────▶
 */
import { type ChildProcess, fork } from 'node:child_process';
import { exitCodes } from '../../src/base/exit-codes.ts';
import { formatDuration, formatMemory } from '../../src/base/units.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { IsolateTask } from '../../src/model/task.ts';
import { residentBytes, sampleMs } from '../proc.ts';
import type { Running, Sandbox, Sink } from '../sandbox.ts';
import { siblingPath } from '../sibling.ts';
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

/** Each program leaves some 12 kB of its host behind, outside V8's heaps (measured over 20,000): a new host gives it back. */
const programsPerHost = 5000;

export class IsolatePool {
  readonly #options: IsolatePoolOptions;
  readonly #hosts = new Set<IsolateHost>();
  #host: IsolateHost | undefined;
  #closed = false;

  constructor(options: IsolatePoolOptions) {
    this.#options = options;
  }

  readonly start: Sandbox<IsolateTask> = (task, sink) => {
    if (this.#closed) throw new TypeError('the pool is closed');
    const { cpu, pids } = task.limits;
    if (cpu !== undefined || pids !== undefined) return ended(refusedLimits);
    if (!this.#host?.serving) this.#host = this.#newHost();
    return this.#host.start(task, sink);
  };

  /** Kills the hosts. What still runs ends as `interrupted`. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#hosts].map((host) => host.kill(interrupted)));
  }

  #newHost(): IsolateHost {
    const host = new IsolateHost(this.#options);
    this.#hosts.add(host);
    void host.gone.then(() => this.#hosts.delete(host));
    return host;
  }
}

/** A program in a host. */
class Entry {
  readonly sink: Sink;
  readonly #settled = Promise.withResolvers<Outcome>();
  /** Why it is being ended: the first cause wins. */
  #ending: Outcome | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(sink: Sink) {
    this.sink = sink;
  }

  get exited(): Promise<Outcome> {
    return this.#settled.promise;
  }

  after(ms: number, action: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, ms);
  }

  /** @returns whether it is this cause that ends it */
  end(outcome: Outcome): boolean {
    if (this.#ending) return false;
    this.#ending = outcome;
    return true;
  }

  settle(outcome: Outcome): void {
    clearTimeout(this.#timer);
    this.#settled.resolve(this.#ending ?? outcome);
  }
}

class IsolateHost {
  readonly #child: ChildProcess;
  readonly #maxBytes: number;
  readonly #entries = new Map<number, Entry>();
  readonly #gone = Promise.withResolvers<void>();
  readonly #watch: NodeJS.Timeout;
  #nextId = 0;
  /** What its programs end with when it goes; set once it serves no more. */
  #lost: Outcome | undefined;

  constructor({ threads, maxHostBytes }: IsolatePoolOptions) {
    this.#maxBytes = maxHostBytes;
    this.#child = fork(siblingPath(import.meta.url, 'host'), {
      // No secret of ours: what runs there may look around.
      env: { [threadsVariable]: String(threads) },
      execArgv: isolateFlags(),
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child.on('message', (message) => this.#hear(message as FromHost));
    // A fork that fails emits an error and no exit.
    this.#child.once('error', (error) => this.#bury(`could not be started: ${error.message}`));
    this.#child.once('exit', (code, signal) => this.#bury(`ended with ${signal ?? `exit code ${code}`}`));
    this.#watch = setInterval(() => this.#checkMemory(), sampleMs);
  }

  /** Whether it takes programs: one that is lost does not, nor one that has had its share. */
  get serving(): boolean {
    return this.#lost === undefined && this.#child.connected && this.#nextId < programsPerHost;
  }

  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  start(task: IsolateTask, sink: Sink): Running {
    const id = ++this.#nextId;
    const entry = new Entry(sink);
    this.#entries.set(id, entry);
    const end = (outcome: Outcome): void => {
      if (!this.#entries.has(id) || !entry.end(outcome)) return;
      this.#send({ type: 'end', id, outcome });
      entry.after(graceMs, () => this.#giveUp(id));
    };
    const { timeoutMs } = task.limits;
    if (timeoutMs !== undefined) entry.after(timeoutMs, () => end(timedOut(timeoutMs)));
    this.#send({ type: 'run', id, task });
    return { exited: entry.exited, stop: () => end(canceled) };
  }

  /** Ends all of its programs with this outcome. */
  async kill(outcome: Outcome): Promise<void> {
    this.#lost ??= outcome;
    this.#child.kill('SIGKILL');
    await this.#gone.promise;
  }

  #send(message: ToHost): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #hear(message: FromHost): void {
    const entry = this.#entries.get(message.id);
    if (!entry) return;
    if (message.type === 'output') return message.fd === 1 ? entry.sink.stdout(message.data) : entry.sink.stderr(message.data);
    this.#entries.delete(message.id);
    entry.settle(message.outcome);
    if (this.#entries.size === 0 && !this.serving) void this.kill(retired);
  }

  /** The thread of this program does not come back: only the end of the process frees it. */
  #giveUp(id: number): void {
    const outcome = crashed('another program in the same isolate host could not be ended, and the host with it');
    this.#entries.get(id)?.settle(outcome);
    this.#entries.delete(id);
    void this.kill(outcome);
  }

  #checkMemory(): void {
    if (residentBytes(this.#child.pid) <= this.#maxBytes) return;
    const size = formatMemory(this.#maxBytes);
    // Whose memory it is cannot be told, unless there is but one.
    const outcome: Outcome =
      this.#entries.size === 1
        ? { reason: 'memory', exitCode: exitCodes.memory, message: `the program used more than the ${size} of its isolate host` }
        : crashed(`the programs of its isolate host together used more than ${size} of memory`);
    void this.kill(outcome);
  }

  #bury(how: string): void {
    clearInterval(this.#watch);
    this.#lost ??= crashed(`the isolate host ${how}`);
    for (const entry of this.#entries.values()) entry.settle(this.#lost);
    this.#entries.clear();
    this.#gone.resolve();
  }
}

const canceled: Outcome = { reason: 'canceled', exitCode: exitCodes.failed, message: 'the program was canceled' };
/** No program is left to hear it. */
const retired: Outcome = { reason: 'interrupted', exitCode: exitCodes.failed, message: 'the isolate host was retired' };
const interrupted: Outcome = {
  reason: 'interrupted',
  exitCode: exitCodes.failed,
  message: 'prisn stopped before the program ended',
};
const refusedLimits: Outcome = {
  reason: 'invalid',
  exitCode: exitCodes.failed,
  errorCode: 'unsupported',
  message: 'cpu and pids cannot be limited for one isolate of many; run it with --runtime node to limit them',
};

function ended(outcome: Outcome): Running {
  return { exited: Promise.resolve(outcome), stop: () => {} };
}

function timedOut(ms: number): Outcome {
  return { reason: 'timeout', exitCode: exitCodes.timeout, message: `the program did not end within ${formatDuration(ms)}` };
}

function crashed(message: string): Outcome {
  return { reason: 'crashed', exitCode: exitCodes.failed, message };
}
