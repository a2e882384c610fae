/**
 * One program in one isolate: from the closed graph of its modules to how it ended.
 *
 * The session drives the isolate from outside: it enters to start the program, when a timer is due, and when an answer
 * of the outside world has come. Entries run one after the other, each until the guest's stack and its microtasks are
 * empty. The program is at its end when nothing that could enter it again is left.
 *
 *   running ──(no timer that keeps it alive, no answer awaited)──▶ ended: exit
 *      ├──(process.exit, uncaught error, bad syntax)─────────────▶ ended: exit
 *      └──(heap limit)───────────────────────────────────────────▶ ended: memory
 *
 * The engine decides whether an entry blocks this thread (a program alone in its process) or runs on a thread of
 * isolated-vm's while this one serves its neighbours. A program that never returns is not ended here: whoever owns the
 * process watches the clock.
 */
import ivm from 'isolated-vm';
import { pathToFileURL } from 'node:url';
import type { IsolateTask, ProgramModule } from '../../src/model/task.ts';
import { exitCodes, type Outcome } from '../../src/model/outcome.ts';
import { messageOf } from '../../src/base/error.ts';
import { formatMemory } from '../../src/base/units.ts';
import { blockingEngine, type Engine, type GuestFunction, threadedEngine } from './engine.ts';
import { type Entries, hostFunctions, type Start } from './guest/host.ts';
import { HostCalls } from './host-calls.ts';
import type { Prelude } from './prelude.ts';
import { guestError, syntaxReport } from './reports.ts';
import { ProgramSources } from './sources.ts';

export interface SessionIo {
  readonly write: (fd: 1 | 2, data: string | Uint8Array) => void;
  /** Standard input for a default export that is a function, read to its end; undefined when there is none. */
  readonly readInput: () => string | undefined;
  readonly colors: { readonly stdout: boolean; readonly stderr: boolean };
}

export interface SessionOptions {
  readonly prelude: Prelude;
  /** Whether entries block this thread. */
  readonly blocking: boolean;
  /** Limit of the heap, bytes. */
  readonly heapBytes: number;
}

const moduleBindings = `globalThis[Symbol.for('prisn.module')]`;

export class Session {
  readonly #task: IsolateTask;
  readonly #io: SessionIo;
  readonly #options: SessionOptions;
  readonly #engine: Engine;
  readonly #isolate: ivm.Isolate;
  readonly #sources: ProgramSources;
  readonly #modules = new Map<string, ivm.Module>();
  readonly #keys = new Map<ivm.Module, string>();
  readonly #host: HostCalls;
  #context!: ivm.Context;
  #guest!: GuestFunction;
  #queue: Promise<void> = Promise.resolve();
  /** Entries to come, timers aside. */
  #pending = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerKeepsAlive = false;
  /** The program's own code has begun. */
  #running = false;
  #outcome: Outcome | undefined;
  #resolve!: (outcome: Outcome) => void;
  /** Never rejects. */
  readonly ended = new Promise<Outcome>((resolve) => {
    this.#resolve = resolve;
  });

  constructor(task: IsolateTask, io: SessionIo, options: SessionOptions) {
    this.#task = task;
    this.#io = io;
    this.#options = options;
    this.#engine = options.blocking ? blockingEngine : threadedEngine;
    this.#sources = new ProgramSources(task.program);
    this.#host = new HostCalls(io, this.#sources, {
      timer: (delayMs, keepAlive) => this.#setTimer(delayMs, keepAlive),
      exit: (code) => this.end({ reason: 'exit', exitCode: code }),
      refuse: (message) => this.end({ reason: 'invalid', exitCode: 2, message }),
      importModule: (id, referrer, specifier) => this.#enter(() => this.#import(id, referrer, specifier)),
      hold: () => {
        this.#pending++;
      },
      deliver: (id, ok, head, body) => {
        this.#enter(() => this.#call('deliver', id, ok, head, body && new ivm.ExternalCopy(body).copyInto({ release: true })));
        this.#pending--;
      },
    });
    this.#isolate = new ivm.Isolate({ memoryLimit: Math.max(8, Math.floor(options.heapBytes / 2 ** 20)) });
  }

  start(): Promise<Outcome> {
    this.#enter(async () => {
      await this.#boot();
      await this.#runProgram();
    });
    return this.ended;
  }

  /** Resolves when the program has let go of its thread, which may be never: `end` cannot break every loop of V8's own. */
  get released(): Promise<void> {
    return this.#queue;
  }

  /** Takes the isolate away from the program, wherever it stands. The first outcome wins. */
  end(outcome: Outcome): void {
    if (this.#outcome) return;
    this.#outcome = outcome;
    clearTimeout(this.#timer);
    this.#host.close();
    if (!this.#isolate.isDisposed) this.#isolate.dispose();
    this.#resolve(outcome);
  }

  async #boot(): Promise<void> {
    const { prelude } = this.#options;
    this.#context = await this.#engine.createContext(this.#isolate);
    const script = await this.#engine.compileScript(this.#isolate, prelude.code, {
      filename: 'prisn:prelude',
      ...(prelude.cachedData && { cachedData: new ivm.ExternalCopy(prelude.cachedData) }),
    });
    const boot = await this.#engine.run(script, this.#context);
    const callbacks = hostFunctions.map((name) => new ivm.Callback(this.#host.functions[name]));
    this.#guest = await this.#engine.boot(boot, callbacks);
    const { args, cwd, env, input, program } = this.#task;
    const isModule = this.#source(program.entry).format !== 'script';
    const start: Start = {
      argv: [process.execPath, program.entry, ...args],
      env,
      cwd,
      entry: isModule ? pathToFileURL(program.entry).href : program.entry,
      isModule,
      ...(input !== undefined && { input }),
      engine: `Node.js ${process.version}`,
      timeOrigin: Date.now(),
      colors: this.#io.colors,
    };
    await this.#call('start', new ivm.ExternalCopy(start).copyInto({ release: true }));
  }

  /** Code that does not compile is the program's own failure, reported as node reports it. */
  async #runProgram(): Promise<void> {
    const { entry } = this.#task.program;
    let run: () => unknown;
    try {
      run =
        this.#source(entry).format === 'script' ? await this.#script(entry) : await this.#opener(entry, 'evaluated(namespace)');
    } catch (error) {
      if (this.#isolate.isDisposed || !(error instanceof SyntaxError)) throw error;
      this.#io.write(2, syntaxReport(error, this.#task.program, this.#sources));
      return this.end({ reason: 'exit', exitCode: 1 });
    }
    this.#running = true;
    await run();
  }

  async #script(key: string): Promise<() => unknown> {
    const code = `(function ($impt$) {\n${this.#source(key).code}\n})`;
    const script = await this.#engine.compileScript(this.#isolate, code, { filename: key, lineOffset: -1 });
    const body = await this.#engine.run(script, this.#context);
    return () => this.#call('runScript', body.derefInto(), key);
  }

  /** A module of ours that imports another and hands its namespace to the guest's own side. */
  async #opener(key: string, then: string): Promise<() => unknown> {
    await this.#compileGraph(key);
    const code = `import * as namespace from ${JSON.stringify(key)};\n${moduleBindings}.${then};`;
    const opener = await this.#engine.compileModule(this.#isolate, code, { filename: 'prisn:open' });
    await this.#engine.instantiate(opener, this.#context, (specifier, referrer) => this.#resolveImport(specifier, referrer));
    return () => this.#engine.evaluate(opener);
  }

  /** Compiles a module and what it imports statically; what it imports later is compiled then. */
  async #compileGraph(key: string): Promise<void> {
    if (this.#modules.has(key)) return;
    const source = this.#source(key);
    const url = pathToFileURL(key).href;
    const { code, lineOffset } = this.#moduleCode(key, url, source);
    const module = await this.#engine.compileModule(this.#isolate, code, { filename: url, lineOffset });
    this.#modules.set(key, module);
    this.#keys.set(module, key);
    for (const specifier of module.dependencySpecifiers) await this.#compileGraph(this.#target(key, specifier));
  }

  #moduleCode(key: string, url: string, source: ProgramModule): { code: string; lineOffset: number } {
    if (source.format === 'json') return { code: `export default JSON.parse(${JSON.stringify(source.code)});`, lineOffset: 0 };
    if (!source.code.includes('$impt$') && !source.code.includes('$importMeta')) return { code: source.code, lineOffset: 0 };
    const [id, href, main] = [key, url, key === this.#task.program.entry].map((value) => JSON.stringify(value));
    const line = `const $impt$ = ${moduleBindings}.importer(${id}), $importMeta = ${moduleBindings}.meta(${id}, ${href}, ${main});`;
    return { code: `${line}\n${source.code}`, lineOffset: -1 };
  }

  #resolveImport(specifier: string, referrer: ivm.Module): ivm.Module {
    const key = this.#keys.get(referrer);
    return this.#modules.get(key === undefined ? specifier : this.#target(key, specifier)) as ivm.Module;
  }

  #target(referrer: string, specifier: string): string {
    const key = this.#source(referrer).imports[specifier];
    if (key === undefined) throw new Error(`Cannot find module '${specifier}' imported from ${referrer}`);
    return key;
  }

  #source(key: string): ProgramModule {
    const module = this.#task.program.modules[key];
    if (!module) throw new TypeError(`the program has no module ${key}`);
    return module;
  }

  async #import(id: number, referrer: string, specifier: string): Promise<void> {
    try {
      const open = await this.#opener(this.#target(referrer, specifier), `imported(${id}, namespace)`);
      await open();
    } catch (error) {
      if (this.#isolate.isDisposed) throw error;
      const { stack, message } = guestError(error);
      await this.#call('importFailed', id, stack ?? '', message);
    }
  }

  #call(name: keyof Entries, ...args: unknown[]): unknown {
    return this.#engine.apply(this.#guest, [name, ...args] as ivm.Transferable[]);
  }

  /** Queues an entry. */
  #enter(work: () => unknown): void {
    this.#pending++;
    this.#queue = this.#queue.then(async () => {
      try {
        if (!this.#outcome) await work();
      } catch (error) {
        await this.#escaped(error);
      }
      this.#pending--;
      await this.#endIfIdle();
    });
  }

  /**
   * What escapes an entry is a rejection that nobody handled, or the end of the isolate itself. A program that has broken
   * what its report is made with gets a plain one.
   */
  async #escaped(error: unknown): Promise<void> {
    if (this.#outcome) return;
    try {
      if (this.#isolate.isDisposed) throw error;
      const { stack, message } = guestError(error);
      await this.#call('unhandled', stack, message);
    } catch {
      if (this.#isolate.isDisposed || !this.#running) return this.end(this.#lost(error));
      this.#io.write(2, `Uncaught ${guestError(error).message}\n`);
    }
    this.end({ reason: 'exit', exitCode: 1 });
  }

  #lost(error: unknown): Outcome {
    if (this.#isolate.isDisposed || /memory limit/.test(messageOf(error))) {
      const message = `the program used more than its ${formatMemory(this.#options.heapBytes)} of memory`;
      return { reason: 'memory', exitCode: exitCodes.memory, message };
    }
    return { reason: 'crashed', exitCode: exitCodes.failed, message: messageOf(error) };
  }

  async #endIfIdle(): Promise<void> {
    if (this.#outcome || this.#pending > 0 || this.#timerKeepsAlive) return;
    this.end({ reason: 'exit', exitCode: (await this.#call('exitCode')) as number });
  }

  #setTimer(delayMs: number, keepAlive: boolean): void {
    clearTimeout(this.#timer);
    this.#timerKeepsAlive = keepAlive;
    if (delayMs >= 0) this.#timer = setTimeout(() => this.#enter(() => this.#call('fire')), delayMs);
  }
}
