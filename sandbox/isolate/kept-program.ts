/**
 * A program that is kept in a thread: the calls that wait, and the contexts that serve them, one call at a time each.
 *
 * A context more costs some milliseconds and has state of its own, so it is made only when calls have waited for longer than
 * that, or when there is none.
 */
import type { Outcome } from '../../src/model/outcome.ts';
import type { Rooms } from './cell.ts';
import { type KeptCall, KeptContext } from './kept-context.ts';
import type { Order, Report } from './protocol.ts';

/** Contexts of a program in one thread. */
const maxContexts = 16;
const patienceMs = 3;

export interface ProgramEvents {
  readonly tell: (id: number, reports: readonly Report[]) => void;
  readonly ended: (call: KeptCall, outcome: Outcome, ranAtMs: number | undefined) => void;
  /** The number of its contexts has changed. */
  readonly resized: () => void;
}

export class KeptProgram {
  readonly #order: Order;
  readonly #rooms: Rooms;
  readonly #events: ProgramEvents;
  readonly #contexts = new Set<KeptContext>();
  /** The one that served last is at the end. */
  readonly #idle: KeptContext[] = [];
  #line: KeptCall[] = [];
  /** Whether it is being waited for one of them to be free. */
  #isPatient = false;
  #isDropped = false;

  constructor(order: Order, rooms: Rooms, events: ProgramEvents) {
    this.#order = order;
    this.#rooms = rooms;
    this.#events = events;
  }

  get contexts(): number {
    return this.#contexts.size;
  }

  /** Since when its oldest idle context has been so; Infinity where none is idle. */
  get idleSince(): number {
    return this.#idle[0]?.idleSince ?? Number.POSITIVE_INFINITY;
  }

  add(call: KeptCall): void {
    this.#line.push(call);
    this.#advance();
  }

  /** Ends a call, wherever it is. */
  end(call: KeptCall, outcome: Outcome): void {
    const holder = [...this.#contexts].find(({ present }) => present === call);
    if (holder) return holder.end(outcome);
    this.#line = this.#line.filter((each) => each !== call);
    this.#events.ended(call, outcome, undefined);
  }

  /** Ends the context that has been idle longest, if one is. */
  shrink(): void {
    this.#idle.shift()?.end(over);
  }

  /** No calls of it come any more: those that it has are served. */
  drop(): void {
    this.#isDropped = true;
    for (const context of this.#idle.splice(0)) context.end(over);
  }

  #advance(): void {
    while (this.#line.length > 0) {
      const context = this.#idle.pop();
      if (!context) return this.#grow();
      context.serve(this.#line.splice(0, context.room));
    }
  }

  /** More calls than contexts. */
  #grow(): void {
    if (this.#contexts.size === 0) return this.#open();
    if (this.#isPatient || this.#contexts.size >= maxContexts) return;
    this.#isPatient = true;
    const [first] = this.#line;
    setTimeout(() => {
      this.#isPatient = false;
      if (this.#line.length > 0 && this.#line[0] === first) this.#open();
      this.#advance();
    }, patienceMs);
  }

  #open(): void {
    const first = this.#line.shift();
    if (!first) return;
    const context = new KeptContext(this.#order, this.#rooms, first, {
      tell: this.#events.tell,
      ended: this.#events.ended,
      givenBack: (calls) => {
        this.#line.unshift(...calls);
        this.#advance();
      },
      idle: (each) => {
        if (this.#isDropped && this.#line.length === 0) return each.end(over);
        this.#idle.push(each);
        this.#advance();
      },
      gone: (each) => this.#forget(each),
    });
    this.#contexts.add(context);
    this.#events.resized();
  }

  #forget(context: KeptContext): void {
    this.#contexts.delete(context);
    const at = this.#idle.indexOf(context);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#events.resized();
    this.#advance();
  }
}

/** Of a context that serves nothing at the moment. */
const over: Outcome = { reason: 'exit', exitCode: 0 };
