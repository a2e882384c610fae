/**
 * The entry of a thread of an isolate host: an event loop with several programs at once, each in an isolate that is its own
 * while it runs.
 *
 * Their code runs on threads of isolated-vm's: one that never returns keeps its isolate busy, not its neighbours. Programs
 * that have just begun are few at a time, since most are over at once and the next may have the same isolate, while it is
 * warm in the processor's caches; one that is not over soon does not count any more.
 */
import { Socket } from 'node:net';
import { messageOf } from '../../src/base/error.ts';
import { exitCodes } from '../../src/base/exit-codes.ts';
import { giveMemoryBack, QuietWatch } from '../../src/base/give-back.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { Program } from '../../src/model/task.ts';
import { KeptPrograms } from './kept-programs.ts';
import { Link } from './link.ts';
import { makeSnapshot, preludeOf } from './prelude.ts';
import type { FromWorker, Order, Report, SentOrder, ToWorker } from './protocol.ts';
import { Session } from './session.ts';
import { Stocks } from './stocks.ts';
import { Told } from './told.ts';

/** What a thread is started with. */
export interface ThreadStart {
  /** The descriptor of its connection with the pool. */
  readonly fd: number;
  /** Of the prelude. */
  readonly snapshot: ArrayBuffer;
}

/** Programs at once: enough that as many endless loops in each thread do not keep a quick one out (12 ms, measured). */
const maxPrograms = 16;
const maxYoung = 2;
const youthMs = 3;

/** After so long without a program, memory goes back. */
const quietMs = 2000;

interface Running {
  readonly session: Session;
  readonly told: Told;
}

/** Serves programs for as long as the process lives. */
export default function serve({ fd, snapshot }: ThreadStart): Promise<never> {
  const stocks = new Stocks(preludeOf(snapshot), async () => preludeOf(await makeSnapshot('web')));
  const thread = new Thread(stocks, fd);
  return thread.ended;
}

class Thread {
  readonly #stocks: Stocks;
  readonly #link: Link<FromWorker, ToWorker>;
  readonly #programs = new Map<number, Running>();
  readonly #line = new Map<number, Order>();
  readonly #kept: KeptPrograms;
  /** Programs that come again and again. */
  readonly #known = new Map<number, Program>();
  #young = 0;
  readonly #quiet = new QuietWatch(quietMs, () => this.#trim());
  readonly ended = new Promise<never>(() => {});

  constructor(stocks: Stocks, fd: number) {
    this.#stocks = stocks;
    this.#kept = new KeptPrograms(stocks, (id, reports) => this.#tell(id, reports));
    this.#link = new Link(new Socket({ fd, readable: true, writable: true }), (message) => this.#hear(message));
  }

  #hear(message: ToWorker): void {
    const { id } = message;
    switch (message.type) {
      case 'program':
        this.#known.set(id, message.program);
        return;
      case 'forgetProgram':
        this.#known.delete(id);
        return;
      case 'run':
        this.#quiet.touch();
        this.#line.set(id, this.#whole(message.order));
        return this.#advance();
      case 'keep':
        return this.#kept.keep(id, this.#whole(message.order));
      case 'call':
        this.#quiet.touch();
        return this.#kept.call(id, message.kept, message.call);
      case 'drop':
        return this.#kept.drop(id);
      case 'end':
        return this.#end(id, message.outcome);
      default:
        if (!this.#kept.hear(id, message)) this.#programs.get(id)?.told.hear(message);
    }
  }

  #whole({ task, ...rest }: SentOrder): Order {
    const program = typeof task.program === 'number' ? this.#known.get(task.program) : task.program;
    if (!program) throw new TypeError('an order names a program that was not sent');
    return { ...rest, task: { ...task, program } };
  }

  #end(id: number, outcome: Outcome): void {
    if (this.#kept.end(id, outcome)) return;
    const program = this.#programs.get(id);
    if (program) program.session.end(outcome);
    else if (this.#line.delete(id)) this.#tell(id, [{ type: 'ended', outcome, ranAtMs: undefined, isolates: this.#stocks.made }]);
  }

  #tell(id: number, reports: readonly Report[]): void {
    this.#link.tell([id, reports]);
  }

  /** Starts those in the line that may. */
  #advance(): void {
    for (const [id, order] of this.#line) {
      if (this.#young >= maxYoung || this.#programs.size >= maxPrograms) return;
      this.#line.delete(id);
      void this.#run(id, order);
    }
  }

  async #run(id: number, order: Order): Promise<void> {
    const noLongerYoung = this.#grow();
    const told = new Told(order, (reports) => this.#tell(id, reports));
    const session = new Session(order.task, told.io, { rooms: this.#stocks.for(order.task), blocking: false });
    this.#programs.set(id, { session, told });
    const outcome = await session.start().catch(failed);
    noLongerYoung();
    // A thread that does not come back must not look like a program that has ended: the pool's watch waits for this.
    await session.released;
    told.outbox.tell({ type: 'ended', outcome, ranAtMs: session.ranAtMs, isolates: this.#stocks.made });
    told.outbox.flush();
    this.#programs.delete(id);
    this.#advance();
  }

  #trim(): void {
    if (this.#programs.size + this.#kept.running > 0) return this.#quiet.touch();
    this.#stocks.trim();
    giveMemoryBack();
  }

  /** One more is young. @returns to be called at its end */
  #grow(): () => void {
    this.#young++;
    const grown = (): void => {
      if (timer === undefined) return;
      clearTimeout(timer);
      timer = undefined;
      this.#young--;
    };
    let timer: NodeJS.Timeout | undefined = setTimeout(() => {
      grown();
      this.#advance();
    }, youthMs);
    return grown;
  }
}

function failed(error: unknown): Outcome {
  return { reason: 'crashed', exitCode: exitCodes.failed, message: messageOf(error) };
}
