/**
 * One program in one isolate: from the closed graph of its modules to how it ended.
 *
 * The session drives the isolate from outside: it enters to start the program, when a timer is due, and when an answer
 * of the outside world has come. Entries run one after the other, each until the guest's stack and its microtasks are
 * empty. The program is at its end when nothing that could enter it again is left.
 *
 *   starting ──▶ running ──(no timer that keeps it alive, no answer awaited)──▶ ended: exit
 *      │            ├──(process.exit, uncaught error, bad syntax)─────────────▶ ended: exit
 *      │            └──(heap limit)───────────────────────────────────────────▶ ended: memory
 *      └──(the platform itself fails)─────────────────────────────────────────▶ ended: crashed
 *
 * A program that serves calls is not at its end while it waits for the next one: `serve` hands some over, and the sink of
 * calls (`CallSink`) hears how each ended. One that lacks a default export, or that has a call which can never end, ends.
 *
 * The engine decides whether an entry blocks this thread (a program alone in its process) or runs on a thread of
 * isolated-vm's while this one serves its neighbours. A program that never returns is not ended here: whoever owns the
 * process watches the clock. Whatever the program does to its own builtins, no entry of it can reject here.
 */
import ivm from 'isolated-vm';
import { messageOf } from '../../src/base/error.ts';
import { exitCodes } from '../../src/base/exit-codes.ts';
import { type Outcome, outOfMemory } from '../../src/model/outcome.ts';
import type { IsolateTask } from '../../src/model/task.ts';
import type { Room, Rooms } from './cell.ts';
import { blockingEngine, type Engine, type GuestFunction, threadedEngine } from './engine.ts';
import type { Entries, Failure } from './guest/host.ts';
import { HostCalls } from './host-calls.ts';
import { Linker } from './linker.ts';
import { sharedClockMs } from './protocol.ts';
import { guestError, syntaxReport } from './reports.ts';
import type { SessionIo } from './session-io.ts';
import { ProgramSources } from './sources.ts';
import { isScript, startOf } from './start.ts';

export interface SessionOptions {
  readonly rooms: Rooms;
  /** Whether entries block this thread. */
  readonly blocking: boolean;
  /** Of a program that is called again and again. */
  readonly calls?: CallSink;
}

export interface CallSink {
  /** It takes calls from now on. */
  readonly opened: () => void;
  /** The first of those that it was given and that had not ended. */
  readonly ended: (outcome: Outcome) => void;
}

export class Session {
  readonly #task: IsolateTask;
  readonly #io: SessionIo;
  readonly #options: SessionOptions;
  readonly #engine: Engine;
  readonly #sources: ProgramSources;
  readonly #host: HostCalls;
  readonly #ended = Promise.withResolvers<Outcome>();
  #state: 'starting' | 'running' | 'ended' = 'starting';
  #room: Room | undefined;
  #guest!: GuestFunction;
  #linker!: Linker;
  #queue: Promise<void> = Promise.resolve();
  /** The first `import()` of each module. */
  readonly #imports = new Map<string, number>();
  /** Entries and answers to come, timers aside. */
  #pending = 0;
  #timer: NodeJS.Timeout | undefined;
  #due: NodeJS.Immediate | undefined;
  #timerKeepsAlive = false;
  #exitCode = 0;
  /** What the program's end waits for: its evaluation with what its default export returned, or calls that it serves. */
  #awaited: number;
  #isOpen = false;
  #result: string | undefined;
  /** When the program's own code began, by `sharedClockMs`. */
  ranAtMs: number | undefined;

  constructor(task: IsolateTask, io: SessionIo, options: SessionOptions) {
    this.#task = task;
    this.#io = io;
    this.#options = options;
    this.#engine = options.blocking ? blockingEngine : threadedEngine;
    this.#sources = new ProgramSources(task.program);
    this.#awaited = isScript(task) ? 0 : 1;
    this.#host = new HostCalls(io, this.#sources, {
      timer: (delayMs, keepAlive) => this.#setTimer(delayMs, keepAlive),
      exit: (code) => this.end({ reason: 'exit', exitCode: code }),
      refuse: (message, exitCode) => this.end({ reason: 'invalid', exitCode, message }),
      exitCode: (code) => {
        this.#exitCode = code;
      },
      settled: () => this.#settled(this.#exitCode),
      failed: () => this.#settled(exitCodes.failure),
      outlives: () => {
        if (this.#room) this.#room.isSpoiled = true;
      },
      result: (json) => {
        this.#result = json;
      },
      importModule: (id, referrer, specifier) => this.#enter(() => this.#import(id, referrer, specifier)),
      hold: () => this.#hold(),
      deliver: (id, ok, head, body) =>
        this.#enter(() => this.#call('deliver', id, ok, head, body && new ivm.ExternalCopy(body).copyInto({ release: true }))),
      deliverInput: (text) => this.#enter(() => this.#call('input', text)),
    });
  }

  /** Runs the program. @returns how it ended; never rejects */
  start(): Promise<Outcome> {
    this.#enter(async () => {
      this.#boot();
      await this.#run();
    });
    return this.#ended.promise;
  }

  /**
   * Hands calls over to a program that serves them, and has ended those that it had.
   * @param calls how many
   * @param fields of the entry `calls`
   * @returns when it has stopped, or waits for something; those that have not begun by then are taken back, all but the first
   */
  serve(calls: number, fields: readonly ivm.Transferable[]): Promise<void> {
    const over = Promise.withResolvers<void>();
    this.#awaited = calls;
    this.#host.beginCall();
    this.#enter(async () => {
      try {
        await this.#call('calls', ...fields);
      } finally {
        this.#awaited = Math.min(this.#awaited, 1);
        over.resolve();
      }
    });
    return over.promise;
  }

  get hasEnded(): boolean {
    return this.#state === 'ended';
  }

  /** For how long it has had a thread, ms. */
  get cpuMs(): number {
    return this.#room && !this.#isDisposed ? this.#room.cpuMs : 0;
  }

  /** The share of its heap's limit that is in use, or not collected yet; of what is beside the heap, where that is more. */
  get heapShare(): number {
    if (!this.#room || this.#isDisposed) return 0;
    const { memory, heapBytes } = this.#room.cell;
    return Math.max(memory.heap, memory.buffers) / heapBytes;
  }

  /** Resolves when the program has let go of its thread, which may be never: `end` cannot break every loop of V8's own. */
  get released(): Promise<void> {
    return this.#queue;
  }

  /** Takes the isolate away from the program, wherever it stands. The first outcome wins. */
  end(outcome: Outcome): void {
    this.#end(outcome, false);
  }

  /** @param inOrder whether nothing of the program can go on by itself: its isolate may serve another */
  #end(outcome: Outcome, inOrder: boolean): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    clearTimeout(this.#timer);
    clearImmediate(this.#due);
    this.#host.close();
    const usage = this.#usage();
    if (!inOrder) this.#room?.cell.close();
    this.#linker?.close();
    if (this.#room) this.#options.rooms.giveBack(this.#room, inOrder);
    this.#ended.resolve({ ...this.#outcomeOf(outcome), ...usage });
  }

  get #isDisposed(): boolean {
    return this.#room?.cell.isolate.isDisposed === true;
  }

  /** The time that the isolate had a thread. */
  #usage(): Pick<Outcome, 'usage'> {
    if (!this.#room || this.#isDisposed) return {};
    return { usage: { cpuMs: this.#room.cpuMs } };
  }

  #boot(): void {
    const room = this.#options.rooms.take(this.#task.limits.memoryBytes, this.#task.revision);
    this.#room = room;
    const start = startOf(this.#task, this.#io.colors, this.#options.calls !== undefined);
    this.#guest = room.enter(this.#host.answer, start, this.#options.blocking, this.#io.gate);
    this.#linker = new Linker(this.#task.program, this.#engine, room.cell.isolate, room.context);
  }

  async #run(): Promise<void> {
    const { entry } = this.#task.program;
    if (isScript(this.#task)) {
      if (this.#options.calls) return this.#host.functions.noHandler('calls');
      if (this.#task.request) return this.#host.functions.noHandler('request');
      this.#begin();
      try {
        await this.#linker.script(entry);
      } catch (error) {
        if (!(error instanceof SyntaxError) || this.#isDisposed || (await this.#call('hasBegun'))) throw error;
        this.#refuseSyntax(error);
      }
      return;
    }
    let evaluate: () => unknown;
    try {
      evaluate = await this.#linker.open(entry, 'evaluated(namespace)');
    } catch (error) {
      if (!(error instanceof SyntaxError) || this.#isDisposed) throw error;
      return this.#refuseSyntax(error);
    }
    this.#begin();
    await evaluate();
  }

  /** The evaluation has, or a call, or what a default export returned is there. */
  #settled(exitCode: number): void {
    const { calls } = this.#options;
    if (this.#awaited > 0) this.#awaited--;
    if (!calls) return;
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#exitCode = 0;
      return calls.opened();
    }
    this.#host.abandon();
    this.#host.beginCall();
    const outcome = this.#outcomeOf({ reason: 'exit', exitCode });
    this.#exitCode = 0;
    this.#result = undefined;
    calls.ended(outcome);
  }

  #outcomeOf(outcome: Outcome): Outcome {
    return outcome.reason === 'exit' && this.#result !== undefined ? { ...outcome, result: this.#result } : outcome;
  }

  #begin(): void {
    if (this.#state === 'starting') this.#state = 'running';
    this.ranAtMs = sharedClockMs();
  }

  /** Code that does not compile is the program's own failure, reported as node reports it. */
  #refuseSyntax(error: SyntaxError): void {
    this.#io.write(2, syntaxReport(error, this.#task.program, this.#sources));
    this.end({ reason: 'exit', exitCode: exitCodes.failure });
  }

  /** The guest tells whose failure it is that comes out here: the import's, or a rejection of something else. */
  async #import(id: number, referrer: string, specifier: string): Promise<void> {
    try {
      const key = this.#linker.target(referrer, specifier);
      const first = this.#imports.get(key);
      if (first !== undefined) return void (await this.#call('importedBefore', id, first));
      const open = await this.#linker.open(key, `imported(${id}, namespace)`);
      this.#imports.set(key, id);
      await this.#call('opening', id);
      await open();
    } catch (error) {
      if (this.#isDisposed) throw error;
      await this.#call('importFailed', id, failureOf(error));
    }
  }

  #call(name: keyof Entries, ...args: unknown[]): unknown {
    return this.#engine.apply(this.#guest, [name, ...args] as ivm.Transferable[]);
  }

  #hold(): () => void {
    this.#pending++;
    let held = true;
    return () => {
      if (held) this.#pending--;
      held = false;
    };
  }

  /** Queues an entry. */
  #enter(work: () => unknown): void {
    this.#pending++;
    this.#queue = this.#queue.then(async () => {
      this.#pending--;
      if (this.#state === 'ended') return;
      try {
        await work();
        await this.#endIfIdle();
      } catch (error) {
        await this.#escaped(error);
      }
    });
  }

  /**
   * What escapes an entry is a rejection that nobody handled, or the end of the isolate itself. A program that has broken
   * what its report is made with gets a plain one.
   */
  async #escaped(error: unknown): Promise<void> {
    if (this.#state === 'ended') return;
    if (this.#isDisposed || this.#state === 'starting') return this.end(this.#lost(error));
    try {
      if (await this.#call('unhandled', failureOf(error))) return await this.#endIfIdle();
    } catch {
      if (this.#isDisposed) return this.end(this.#lost(error));
      this.#io.write(2, `Uncaught ${guestError(error).message}\n`);
    }
    this.end({ reason: 'exit', exitCode: exitCodes.failure });
  }

  #lost(error: unknown): Outcome {
    if (this.#isDisposed) return outOfMemory(this.#room?.cell.heapBytes ?? 0);
    return { reason: 'crashed', exitCode: exitCodes.failed, message: `the isolate could not be set up: ${messageOf(error)}` };
  }

  async #endIfIdle(): Promise<void> {
    if (this.#state === 'ended' || this.#pending > 0 || this.#timerKeepsAlive) return;
    if (this.#isOpen && this.#awaited === 0) return;
    const exitCode = this.#awaited === 0 ? this.#exitCode : Number(await this.#call('exitCode'));
    this.#end({ reason: 'exit', exitCode }, true);
  }

  #setTimer(delayMs: number, keepAlive: boolean): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#due);
    this.#timerKeepsAlive = keepAlive;
    const fire = (): void => this.#enter(() => this.#call('fire'));
    // Node makes at least a millisecond of setTimeout, which of thousands of due timers would each cost one.
    if (delayMs > 0) this.#timer = setTimeout(fire, delayMs);
    else if (delayMs === 0) this.#due = setImmediate(fire);
  }
}

/** What came out of the guest, as it goes back in. */
function failureOf(error: unknown): ivm.Copy<Failure> {
  const { stack, message, ...rest } = guestError(error);
  const syntax = error instanceof SyntaxError && stack === undefined ? message.replace(/ \[.*:\d+:\d+\]$/s, '') : undefined;
  return new ivm.ExternalCopy<Failure>({ stack, message, syntax, ...rest }).copyInto({ release: true });
}
