/**
 * One fork server, seen from the daemon: a warm interpreter that forks itself for each run, and the runs that it has.
 *
 * ```
 * starting ──ready──▶ ready ──leave──▶ leaving ──(its last run has ended)──▶ gone
 *     └──unfit, exit, silence───────────┴──────────────────────────────────────▶
 * ```
 * Runs are told of by their ids, or by tickets where a client comes to the server itself. What breaks the grammar
 * (`fork-protocol.ts`) or names a run that the server does not have is dropped: a run may have written it. A server that leaves
 * an order or a ticket unanswered is killed. With it go its runs: each has a monitor, which ends when the server does, as the
 * server ends with the daemon.
 *
 * A program says itself that it begins, before it does (`runtimes/python3/fork/beginning.py`), and all that was said is heard,
 * also of a server that is killed; what has not begun then may begin elsewhere.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';
import { type ForkEnd, type FromForkServer, longestLine, parseMessage, type ToForkServer } from './fork-protocol.ts';

/** A recorded run, as it is told to a server. */
export interface RunOrder {
  readonly id: string;
  /** Of `orderLine`. */
  readonly line: string;
}

/** What a run hears: `refused`; or `started` and then `ended` or `lost`. */
export interface ForkHears {
  /** @param pid of its monitor, the root of its tree */
  started(pid: number): void;
  /** Nothing of its program has run. */
  refused(why: string): void;
  ended(end: ForkEnd): void;
  /** The server is gone, and nobody knows how the run ended. */
  lost(): void;
}

export interface ForkServerOptions {
  /** What is executed, with its arguments. */
  readonly command: readonly string[];
  /** The variables that act at an interpreter's start; it has no others. */
  readonly env: Readonly<Record<string, string>>;
  /** A line of its own on stderr, or what is wrong with it. */
  readonly complain: (line: string) => void;
  /** When it can take runs. */
  readonly onReady: () => void;
  /** When it has no run any more. */
  readonly onIdle: () => void;
  /** What a run imported that the server had not. */
  readonly onImports: (modules: readonly string[]) => void;
  /** When it is gone. @param why in words, where nobody asked for it */
  readonly onGone: (why: string | undefined) => void;
}

export type Preloaded = Extract<FromForkServer, { op: 'preloaded' }>;

type State = 'starting' | 'ready' | 'leaving' | 'gone';

/** An interpreter of a slow disk may take seconds. */
const startMs = 20_000;
/** It forks in a millisecond, also when the machine is busy. */
const answerMs = 5000;
/** Each module of a batch may take ten seconds. */
const preloadMs = 120_000;
/** A ticket is good for four seconds, at the end of which at the latest is told what came of it. */
const ticketMs = 6000;
const stopMs = 1000;

const mostComplaints = 100;
const longestComplaint = 500;

interface Run {
  readonly hears: ForkHears;
  /** Nothing has been heard of it. */
  isWaiting: boolean;
  hasStarted: boolean;
  /** Runs out when nothing is heard of it. */
  readonly clock: NodeJS.Timeout;
}

const nothing = (): void => {};
/** A run in the foreground tells its launcher. */
const deaf: ForkHears = { started: nothing, refused: nothing, ended: nothing, lost: nothing };

export class ForkServer {
  readonly #options: ForkServerOptions;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #runs = new Map<string, Run>();
  readonly #gone = Promise.withResolvers<void>();
  #state: State = 'starting';
  #socket = '';
  /** Of what it waits for: its start, or modules that it imports. */
  #clock: NodeJS.Timeout | undefined;
  #preloading: ((answer: Preloaded) => void) | undefined;
  #why: string | undefined;
  #rest = '';
  #complaints = 0;
  /** How many runs it has had. */
  served = 0;

  constructor(options: ForkServerOptions) {
    this.#options = options;
    const [file = '', ...args] = options.command;
    // Of a session of its own, so that no signal of a terminal reaches it.
    this.#child = spawn(file, args, { env: options.env, cwd: '/', detached: true, stdio: 'pipe' });
    this.#clock = setTimeout(() => this.#fail(`it was not ready after ${startMs / 1000} s`), startMs);
    this.#child.once('error', (error) => this.#fail(`it could not be started: ${error.message}`));
    this.#child.stdin.on('error', () => {});
    this.#listen();
    const told = new Promise((resolve) => this.#child.stdout.once('close', resolve));
    this.#child.once('exit', (code, signal) => {
      // What it told before its end may be heard after its exit. What holds its output open then has not begun, and cannot any more.
      const timer = setTimeout(() => this.#child.stdout.destroy(), stopMs);
      void told.then(() => {
        clearTimeout(timer);
        // It ends by itself when what it loaded was replaced on the disk, and it has no run.
        if (code === 0 && this.#runs.size === 0 && this.#state === 'ready') this.#state = 'leaving';
        this.#bury(`it ended with ${signal ?? `exit code ${code}`}`);
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it takes runs at this moment: while it imports modules it would keep them waiting. */
  get isReady(): boolean {
    return this.#state === 'ready' && this.#preloading === undefined;
  }

  get isLeaving(): boolean {
    return this.#state === 'leaving' || this.#state === 'gone';
  }

  /** The abstract socket that tickets are good at. */
  get socket(): string {
    return this.#socket;
  }

  get runs(): number {
    return this.#runs.size;
  }

  /** Runs that wait for their fork. */
  get waiting(): number {
    let count = 0;
    for (const run of this.#runs.values()) if (run.isWaiting) count++;
    return count;
  }

  /** Has it fork a recorded run; to be called when it is ready. */
  run(order: RunOrder, hears: ForkHears): void {
    this.#add(order.id, hears, answerMs, 'it left an order unanswered');
    this.#child.stdin.write(`${order.line}\n`);
  }

  /** Ends a server that did not tell of the end of this run, and with it the run is lost. */
  giveUp(id: string): void {
    if (this.#runs.has(id)) this.#fail('it did not tell of an end');
  }

  /** Has it expect a run of the foreground; to be called when it is ready. */
  expect(ticket: string): void {
    this.#add(ticket, deaf, ticketMs, 'it left a ticket unanswered');
    this.#tell({ op: 'ticket', ticket });
  }

  /** Has it import modules, for the runs to come; resolves when it has, and never where it goes. */
  preload(modules: readonly string[]): Promise<Preloaded> {
    return new Promise((resolve) => {
      this.#preloading = resolve;
      this.#clock = setTimeout(() => this.#fail('it did not come back from importing modules'), preloadMs);
      this.#tell({ op: 'preload', modules });
    });
  }

  /** Takes no more runs, and ends with the last that it has. */
  leave(): void {
    if (this.#state === 'starting' || this.#state === 'ready') this.#state = 'leaving';
    if (this.#runs.size === 0) void this.close();
  }

  /** Ends it, with all that runs. */
  close(): Promise<void> {
    if (this.#state === 'gone') return this.#gone.promise;
    this.#state = 'leaving';
    this.#tell({ op: 'stop' });
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopMs);
    return this.#gone.promise.finally(() => clearTimeout(timer));
  }

  #tell(message: ToForkServer): void {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  /** @param why what silence is told as */
  #add(id: string, hears: ForkHears, withinMs: number, why: string): void {
    const fail = (): void => void (this.#runs.get(id)?.isWaiting && this.#fail(why));
    // Where we were stopped ourselves the answer may be there already, and is heard before an immediate.
    const clock = setTimeout(() => setImmediate(fail), withinMs);
    this.#runs.set(id, { hears, isWaiting: true, hasStarted: false, clock });
  }

  #remove(id: string): void {
    clearTimeout(this.#runs.get(id)?.clock);
    this.#runs.delete(id);
    if (this.#runs.size > 0) return;
    this.#options.onIdle();
    if (this.#state === 'leaving') void this.close();
  }

  #listen(): void {
    const decoder = new StringDecoder('utf8');
    this.#child.stdout.on('data', (chunk: Buffer) => {
      const lines = (this.#rest + decoder.write(chunk)).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#hearLine(line);
      if (this.#rest.length > longestLine) this.#rest = this.#messageIn(this.#rest);
    });
    this.#child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      for (const line of chunk.split('\n').filter(Boolean)) this.#complain(line);
    });
  }

  #complain(line: string): void {
    if (this.#complaints++ < mostComplaints) this.#options.complain(line.slice(0, longestComplaint));
  }

  /** Messages begin by their `op`, and no text in them can look like that: what stands before is dropped. */
  #messageIn(line: string): string {
    const at = line.lastIndexOf('{"op"');
    if (at === 0 && line.length <= longestLine) return line;
    this.#complain(`it wrote what none writes: ${line.slice(0, 100)}`);
    return at < 0 || line.length - at > longestLine ? '' : line.slice(at);
  }

  #hearLine(line: string): void {
    const message = this.#messageIn(line);
    if (message === '') return;
    try {
      this.#hear(parseMessage(message));
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
      this.#complain(`it wrote what none writes: ${message.slice(0, 100)}`);
    }
  }

  #hear(message: FromForkServer): void {
    switch (message.op) {
      case 'ready':
        if (this.#state !== 'starting') return;
        clearTimeout(this.#clock);
        this.#state = 'ready';
        this.#socket = message.socket;
        return this.#options.onReady();
      case 'unfit':
        return this.#fail(message.why);
      case 'preloaded':
        return this.#endPreload(message);
      case 'started':
      case 'launched':
      case 'refused':
      case 'ended':
        return this.#hearOf(message);
      default:
        return message satisfies never;
    }
  }

  #hearOf(message: Extract<FromForkServer, { op: 'started' | 'launched' | 'refused' | 'ended' }>): void {
    const run = this.#runs.get(message.run);
    if (!run) return this.#complain(`it has no such run: ${message.run.slice(0, 100)}`);
    if (message.op === 'started' || message.op === 'launched') {
      if (!run.isWaiting) return this.#complain(`it started a run for the second time: ${message.run.slice(0, 100)}`);
      clearTimeout(run.clock);
      run.isWaiting = false;
      this.served++;
      if (message.op === 'launched') return;
      run.hasStarted = true;
      return run.hears.started(message.pid);
    }
    this.#remove(message.run);
    // A program that has begun is not refused any more.
    if (message.op === 'refused') return run.hasStarted ? run.hears.lost() : run.hears.refused(message.why);
    if (message.end.imports) this.#options.onImports(message.end.imports);
    if (!run.hasStarted) return run.hears.refused('its monitor was ended');
    run.hears.ended(message.end);
  }

  #endPreload(answer: Preloaded): void {
    const resolve = this.#preloading;
    if (!resolve) return this.#complain('it imported what nobody asked for');
    clearTimeout(this.#clock);
    this.#preloading = undefined;
    resolve(answer);
  }

  #fail(why: string): void {
    if (this.#state === 'gone') return;
    this.#why ??= why;
    this.#child.kill('SIGKILL');
    if (this.#child.pid === undefined) this.#bury(why);
  }

  #bury(how: string): void {
    if (this.#state === 'gone') return;
    const why = this.#state === 'leaving' && this.#why === undefined ? undefined : (this.#why ?? how);
    this.#state = 'gone';
    clearTimeout(this.#clock);
    const runs = [...this.#runs.values()];
    this.#runs.clear();
    for (const { hears, hasStarted, clock } of runs) {
      clearTimeout(clock);
      if (hasStarted) hears.lost();
      else hears.refused(`its fork server was lost: ${why ?? how}`);
    }
    this.#options.onGone(why);
    this.#gone.resolve();
  }
}
