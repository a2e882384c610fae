/**
 * One isolate host, seen from the pool: a child process, and the programs that it runs.
 *
 *   serving ──(its share of programs, a program that holds on to its thread)──▶ leaving ──(empty, or time is over)──▶ gone
 *      └──────(memory cap, crash, close)─────────────────────────────────────────────────────────────────────────────▶
 *
 * A host that leaves takes no more programs and lets those that it has end, unless one of them keeps a thread for good:
 * then they get a short while only. Some programs do so whatever one does (`indexOf` on an array of length 2 ** 32 - 1),
 * and only the end of the process frees the thread.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { Socket } from 'node:net';
import { formatMemory } from '../../src/base/units.ts';
import { canceled, type Outcome, timedOut } from '../../src/model/outcome.ts';
import type { IsolateTask } from '../../src/model/task.ts';
import { residentBytes, sampleMs } from '../proc.ts';
import { siblingPath } from '../sibling.ts';
import { crashed, interrupted, outOfHostMemory } from './endings.ts';
import { isolateFlags } from './flags.ts';
import { Hosted } from './hosted.ts';
import { callOf, identityOf, KnownPrograms } from './known-programs.ts';
import { Link } from './link.ts';
import type { IsolatePoolOptions, IsolateRunning, IsolateSink } from './pool.ts';
import { type Answer, firstThreadFd, type FromWorker, threadsVariable, type ToWorker } from './protocol.ts';

/** How long a host may take to give a program up, and then how long its other programs have to end. */
const graceMs = 500;

/** Each leaves so much of its host behind, outside V8's heaps (measured over 20,000 and 60,000): a new host gives it back. */
const bytesLeft = { isolate: 12_000, program: 2_000 };
const maxBytesLeft = 100 * 2 ** 20;

const defaultOutputBytes = 10 * 2 ** 20;

/** A message names no more programs than this. */
const shownNames = 5;

/** A thread of a host, seen from here. */
export interface Thread {
  readonly link: Link<ToWorker, FromWorker>;
  readonly known: KnownPrograms;
  /** How many it has. */
  programs: number;
  /** How many it has had. */
  isolates: number;
}

/** Why a host goes. */
interface Loss {
  /** Of the programs that it has. */
  readonly outcome: Outcome;
  /** Whose doing it is: the one's that the outcome is told to or names, one's of which it is not known which, or none's. */
  readonly culprit: 'none' | 'itself' | 'another' | 'unknown';
}

export interface Gone {
  /** Whether it was lost to a program, and did not just leave. */
  readonly isLost: boolean;
  /** The names of the programs of which one did it, where it is not known which. */
  readonly suspects: readonly string[];
}

export class IsolateHost {
  /** It is killed when it has more than this resident. */
  maxBytes: number;
  readonly #child: ChildProcess;
  readonly #options: IsolatePoolOptions;
  readonly #programs = new Map<number, Hosted>();
  readonly #threads: Thread[];
  readonly #gone = Promise.withResolvers<Gone>();
  #state: 'serving' | 'leaving' | 'gone' = 'serving';
  #watch: NodeJS.Timeout | undefined;
  #nextId = 0;
  /** Of those that run once, which leave something behind. */
  #programsRun = 0;
  #loss: Loss | undefined;
  readonly #whenIdle: () => void;
  #idleSinceMs = performance.now();

  /** @param whenIdle is told each time that its last program has ended */
  constructor(options: IsolatePoolOptions, whenIdle: () => void) {
    this.#options = options;
    this.#whenIdle = whenIdle;
    this.maxBytes = options.maxHostBytes;
    this.#child = fork(siblingPath(import.meta.url, 'host'), {
      // No secret of ours: what runs there may look around.
      env: { ...options.env, [threadsVariable]: String(options.threads) },
      execArgv: isolateFlags(),
      stdio: ['ignore', 'ignore', 'ignore', 'ipc', ...Array.from({ length: options.threads }, () => 'pipe' as const)],
    });
    // A fork for which there are no descriptors left has none of them.
    const { stdio } = this.#child as { stdio?: ChildProcess['stdio'] };
    const socketOf = (index: number): Socket => (stdio?.[firstThreadFd + index] as Socket | null | undefined) ?? new Socket();
    const sockets = Array.from({ length: options.threads }, (_, index) => socketOf(index));
    this.#threads = sockets.map((socket) => {
      const link = new Link<ToWorker, FromWorker>(socket, (message) => this.#hear(message));
      return { link, known: new KnownPrograms((message) => link.tell(message)), programs: 0, isolates: 0 };
    });
    // A fork that fails emits an error and no exit.
    this.#child.on('error', (error) => {
      if (this.#child.pid !== undefined) return;
      this.#bury({ outcome: crashed(`the isolate host could not be started: ${error.message}`), culprit: 'none' });
    });
    // What it told before its end may be heard after its exit.
    const told = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    this.#child.once('exit', (code, signal) => {
      void Promise.all(told).then(() => this.#bury(this.#loss ?? this.#crash(signal ?? `exit code ${code}`)));
    });
  }

  /** Whether it takes programs. */
  get isServing(): boolean {
    return this.#state === 'serving' && this.#child.connected;
  }

  /** How many programs it has. */
  get running(): number {
    return this.#programs.size;
  }

  /** 0 where the system does not tell. */
  get residentBytes(): number {
    return residentBytes(this.#child.pid);
  }

  /** Whether it has contexts of programs that are called again. */
  get keepsPrograms(): boolean {
    return this.#threads.some(({ known }) => known.keepsAny);
  }

  /** For how long it has run nothing. */
  get idleMs(): number {
    return this.#programs.size > 0 ? 0 : performance.now() - this.#idleSinceMs;
  }

  get gone(): Promise<Gone> {
    return this.#gone.promise;
  }

  start(task: IsolateTask, sink: IsolateSink): IsolateRunning {
    const id = ++this.#nextId;
    const identity = identityOf(task);
    const thread = this.#threadFor(identity);
    const program = new Hosted(task, sink, thread);
    if (identity === undefined) this.#programsRun++;
    this.#add(id, program);
    const end = (outcome: Outcome): void => {
      if (!this.#programs.has(id) || !program.end(outcome)) return;
      thread.link.tell({ id, type: 'end', outcome });
      program.after(graceMs, () => this.#giveUp(id, program));
    };
    const { timeoutMs } = task.limits;
    if (timeoutMs !== undefined) program.after(timeoutMs, () => end(timedOut(timeoutMs)));
    const { maxOutputBytes = defaultOutputBytes } = this.#options;
    const order = { task, asksInput: sink.inputWanted !== undefined, maxOutputBytes };
    if (identity === undefined) thread.link.tell({ id, type: 'run', order: thread.known.sent(order) });
    else thread.link.tell({ id, type: 'call', kept: thread.known.kept(identity, order), call: callOf(task) });
    return {
      exited: program.exited,
      stop: () => end(canceled),
      taken: (bytes) => {
        const sum = program.taken(bytes);
        if (sum > 0) this.#tell(id, { type: 'taken', bytes: sum });
      },
      input: (text) => this.#tell(id, { type: 'input', text }),
    };
  }

  /** Ends it when it has no program any more. */
  leave(): void {
    if (this.#state === 'serving') this.#state = 'leaving';
    if (this.#state === 'leaving' && this.#programs.size === 0) void this.close();
  }

  /** Ends it now, and all of its programs as `interrupted`. */
  close(): Promise<void> {
    return this.#kill({ outcome: interrupted, culprit: 'none' });
  }

  async #kill(loss: Loss): Promise<void> {
    this.#loss ??= loss;
    if (this.#state === 'serving') this.#state = 'leaving';
    this.#child.kill('SIGKILL');
    await this.#gone.promise;
  }

  /**
   * All calls of a program that is kept go to one thread: its contexts run on threads of isolated-vm's, and what comes to one
   * thread together goes into an isolate together (14,000 calls a second, where two threads that compete make 7,000).
   */
  #threadFor(identity: string | undefined): Thread {
    const keeper = identity === undefined ? undefined : this.#threads.find(({ known }) => known.keeps(identity));
    return keeper ?? this.#leastBusy();
  }

  #leastBusy(): Thread {
    return this.#threads.reduce((least, thread) => (thread.programs < least.programs ? thread : least));
  }

  #tell(id: number, answer: Answer): void {
    this.#programs.get(id)?.thread.link.tell({ id, ...answer });
  }

  #hear([id, reports]: FromWorker): void {
    for (const report of reports) {
      const program = this.#programs.get(id);
      if (report.type === 'ended') {
        if (program) program.thread.isolates = report.isolates;
        this.#remove(id);
        program?.ended(report.outcome, report.ranAtMs);
      } else program?.hear(report);
      if (report.type === 'acts') this.#tell(id, { type: 'proceed' });
    }
  }

  #add(id: number, program: Hosted): void {
    this.#programs.set(id, program);
    program.thread.programs++;
    this.#watch ??= setInterval(() => this.#checkMemory(), sampleMs);
    const isolates = this.#threads.reduce((sum, thread) => sum + thread.isolates, 0);
    if (isolates * bytesLeft.isolate + this.#programsRun * bytesLeft.program > maxBytesLeft) this.leave();
  }

  #remove(id: number): void {
    const program = this.#programs.get(id);
    if (!program) return;
    this.#programs.delete(id);
    program.thread.programs--;
    if (this.#programs.size > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#idleSinceMs = performance.now();
    if (this.#state === 'leaving') this.leave();
    else this.#whenIdle();
  }

  /** The thread of this program does not come back. */
  #giveUp(id: number, program: Hosted): void {
    if (!this.#programs.has(id)) return;
    const message = `its isolate host was ended because of ${program.name}, which held on to its thread after its own end`;
    this.#loss ??= { outcome: crashed(message), culprit: 'another' };
    this.#state = 'leaving';
    setTimeout(() => void this.close(), graceMs);
    program.lost(this.#loss.outcome, false);
    this.#remove(id);
  }

  #checkMemory(): void {
    const { maxBytes } = this;
    if (this.residentBytes <= maxBytes) return;
    const outcome = `it used more than ${formatMemory(maxBytes)} of memory`;
    void this.#kill(
      this.#programs.size === 1
        ? { outcome: outOfHostMemory(maxBytes), culprit: 'itself' }
        : { outcome: this.#oneOfMany(outcome), culprit: 'unknown' },
    );
  }

  #crash(how: string): Loss {
    return this.#programs.size === 1
      ? { outcome: crashed(`the program crashed its isolate host (${how})`), culprit: 'itself' }
      : { outcome: this.#oneOfMany(`it ended with ${how}`), culprit: 'unknown' };
  }

  #oneOfMany(what: string): Outcome {
    const names = [...this.#programs.values()].map(({ name }) => name);
    const shown = names.length > shownNames ? [...names.slice(0, shownNames), `${names.length - shownNames} more`] : names;
    return crashed(`its isolate host was lost: ${what}, through one of the programs ${shown.join(', ')}`);
  }

  #bury({ outcome, culprit }: Loss): void {
    clearInterval(this.#watch);
    this.#state = 'gone';
    const programs = [...this.#programs.values()];
    this.#programs.clear();
    // First: who starts one of them again at once must find it among the suspects.
    this.#gone.resolve({ isLost: culprit !== 'none', suspects: culprit === 'unknown' ? programs.map(({ name }) => name) : [] });
    for (const program of programs) program.lost(outcome, culprit !== 'itself');
  }
}
