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
 * The engine decides whether an entry blocks this thread (a program alone in its process) or runs on a thread of
 * isolated-vm's while this one serves its neighbours. A program that never returns is not ended here: whoever owns the
 * process watches the clock. Whatever the program does to its own builtins, no entry of it can reject here.
 */
import { pathToFileURL } from 'node:url';
import ivm from 'isolated-vm';
import { messageOf } from '../../src/base/error.ts';
import { exitCodes } from '../../src/base/exit-codes.ts';
import { formatMemory } from '../../src/base/units.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { IsolateTask } from '../../src/model/task.ts';
import { blockingEngine, type Engine, type GuestFunction, threadedEngine } from './engine.ts';
import { type Entries, type Failure, hostFunctions, type Start } from './guest/host.ts';
import { HostCalls } from './host-calls.ts';
import { Linker } from './linker.ts';
import type { Prelude } from './prelude.ts';
import { sharedClockMs } from './protocol.ts';
import { guestError, syntaxReport } from './reports.ts';
import type { SessionIo } from './session-io.ts';
import { ProgramSources } from './sources.ts';

export interface SessionOptions {
  readonly prelude: Prelude;
  /** Whether entries block this thread. */
  readonly blocking: boolean;
  /** Limit of the heap, bytes. */
  readonly heapBytes: number;
}

export class Session {
  readonly #task: IsolateTask;
  readonly #io: SessionIo;
  readonly #options: SessionOptions;
  readonly #engine: Engine;
  readonly #isolate: ivm.Isolate;
  readonly #sources: ProgramSources;
  readonly #host: HostCalls;
  readonly #ended = Promise.withResolvers<Outcome>();
  #state: 'starting' | 'running' | 'ended' = 'starting';
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
  #result: string | undefined;
  /** When the program's own code began, by `sharedClockMs`. */
  ranAtMs: number | undefined;

  constructor(task: IsolateTask, io: SessionIo, options: SessionOptions) {
    this.#task = task;
    this.#io = io;
    this.#options = options;
    this.#engine = options.blocking ? blockingEngine : threadedEngine;
    this.#sources = new ProgramSources(task.program);
    this.#host = new HostCalls(io, this.#sources, {
      timer: (delayMs, keepAlive) => this.#setTimer(delayMs, keepAlive),
      exit: (code) => this.end({ reason: 'exit', exitCode: code }),
      refuse: (message, exitCode) => this.end({ reason: 'invalid', exitCode, message }),
      result: (json) => {
        this.#result = json;
      },
      importModule: (id, referrer, specifier) => this.#enter(() => this.#import(id, referrer, specifier)),
      hold: () => this.#hold(),
      deliver: (id, ok, head, body) =>
        this.#enter(() => this.#call('deliver', id, ok, head, body && new ivm.ExternalCopy(body).copyInto({ release: true }))),
      deliverInput: (text) => this.#enter(() => this.#call('input', text)),
    });
    this.#isolate = new ivm.Isolate({ memoryLimit: Math.max(8, Math.floor(options.heapBytes / 2 ** 20)) });
  }

  /** Runs the program. @returns how it ended; never rejects */
  start(): Promise<Outcome> {
    this.#enter(async () => {
      this.#boot();
      await this.#run();
    });
    return this.#ended.promise;
  }

  /** Resolves when the program has let go of its thread, which may be never: `end` cannot break every loop of V8's own. */
  get released(): Promise<void> {
    return this.#queue;
  }

  /** Takes the isolate away from the program, wherever it stands. The first outcome wins. */
  end(outcome: Outcome): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    clearTimeout(this.#timer);
    clearImmediate(this.#due);
    this.#host.close();
    const usage = this.#usage();
    if (!this.#isolate.isDisposed) this.#isolate.dispose();
    const result = outcome.reason === 'exit' && this.#result !== undefined ? { result: this.#result } : {};
    this.#ended.resolve({ ...outcome, ...result, ...usage });
  }

  /** The time that the isolate had a thread. */
  #usage(): Pick<Outcome, 'usage'> {
    return this.#isolate.isDisposed ? {} : { usage: { cpuMs: Number(this.#isolate.cpuTime) / 1e6 } };
  }

  /** Blocks in any case: it is the platform's own code, takes 2 ms, and each step by another thread would cost one more 0.1. */
  #boot(): void {
    const { prelude } = this.#options;
    const context = this.#isolate.createContextSync();
    const script = this.#isolate.compileScriptSync(prelude.code, {
      filename: 'prisn:prelude',
      ...(prelude.cachedData && { cachedData: new ivm.ExternalCopy(prelude.cachedData) }),
    });
    const boot = script.runSync(context, { reference: true }) as GuestFunction;
    const callbacks = hostFunctions.map((name) => new ivm.Callback(this.#host.functions[name]));
    this.#guest = boot.applySync(undefined, callbacks, { result: { reference: true } }) as GuestFunction;
    this.#linker = new Linker(this.#task.program, this.#engine, this.#isolate, context);
    const enter = (name: keyof Entries, value: object): void => {
      this.#guest.applySync(undefined, [name, new ivm.ExternalCopy(value).copyInto({ release: true })]);
    };
    enter('start', this.#startInfo());
    if (this.#io.gate) enter('pace', this.#io.gate);
  }

  #startInfo(): Start {
    const { args, calledAs, cwd, env, input, program, request, returns } = this.#task;
    const isModule = program.modules[program.entry]?.format !== 'script';
    return {
      argv: [process.execPath, calledAs ?? program.entry, ...args],
      env,
      cwd,
      entry: isModule ? pathToFileURL(program.entry).href : program.entry,
      isModule,
      ...(input !== undefined && { input }),
      // A buffer of its own: the whole one behind a view would go along.
      ...(request && { request: { ...request, body: request.body.slice() } }),
      returnsToHost: returns === 'outcome',
      engine: `Node.js ${process.version}`,
      timeOrigin: Date.now(),
      colors: this.#io.colors,
    };
  }

  /** Code that does not compile is the program's own failure, reported as node reports it. */
  async #run(): Promise<void> {
    const { entry, modules } = this.#task.program;
    let run: () => unknown;
    try {
      if (modules[entry]?.format === 'script') {
        if (this.#task.request) return this.#host.functions.noHandler();
        const body = await this.#linker.script(entry);
        run = () => this.#call('runScript', body.derefInto(), entry);
      } else {
        run = await this.#linker.open(entry, 'evaluated(namespace)');
      }
    } catch (error) {
      if (this.#isolate.isDisposed || !(error instanceof SyntaxError)) throw error;
      this.#io.write(2, syntaxReport(error, this.#task.program, this.#sources));
      return this.end({ reason: 'exit', exitCode: exitCodes.failure });
    }
    if (this.#state === 'starting') this.#state = 'running';
    this.ranAtMs = sharedClockMs();
    await run();
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
      if (this.#isolate.isDisposed) throw error;
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
    if (this.#isolate.isDisposed || this.#state === 'starting') return this.end(this.#lost(error));
    try {
      if (await this.#call('unhandled', failureOf(error))) return await this.#endIfIdle();
    } catch {
      if (this.#isolate.isDisposed) return this.end(this.#lost(error));
      this.#io.write(2, `Uncaught ${guestError(error).message}\n`);
    }
    this.end({ reason: 'exit', exitCode: exitCodes.failure });
  }

  #lost(error: unknown): Outcome {
    if (this.#isolate.isDisposed) {
      const message = `the program used more than its ${formatMemory(this.#options.heapBytes)} of memory`;
      return { reason: 'memory', exitCode: exitCodes.memory, message };
    }
    return { reason: 'crashed', exitCode: exitCodes.failed, message: `the isolate could not be set up: ${messageOf(error)}` };
  }

  async #endIfIdle(): Promise<void> {
    if (this.#state === 'ended' || this.#pending > 0 || this.#timerKeepsAlive) return;
    this.end({ reason: 'exit', exitCode: Number(await this.#call('exitCode')) });
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
