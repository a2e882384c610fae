/**
 * A context that is kept, with a program in it that serves one call after the other.
 *
 *   opening ──▶ entered ──▶ waiting ──▶ idle ──▶ entered …
 *      └───────────┴───────────┴─────────┴──(the program ends, is ended, or has served its share)──▶ gone
 *
 * An entry into an isolate costs more than a short call does (40 µs: two threads wake), so several calls may go in at once.
 * They run in turn, and what the program tells is of the first of them that has not ended. When the entry is over and that
 * one waits for something, the others have not begun, and are given back.
 *
 * It is opened for a call, to which belongs what the program tells while it is evaluated.
 */
import ivm from 'isolated-vm';
import type { Outcome } from '../../src/model/outcome.ts';
import type { Rooms } from './cell.ts';
import { Gate } from './gate.ts';
import { type CallOrder, type Order, type Report, sharedClockMs } from './protocol.ts';
import { Session } from './session.ts';
import type { SessionIo } from './session-io.ts';
import { Told } from './told.ts';

/** It is let go after so many calls, or so long, whatever it holds: what a program leaks grows with either. */
const maxCalls = 100_000;
const maxAgeMs = 60 * 60_000;
/** And when so much of its heap is in use. This is looked at every so many calls, since it takes up to 30 µs. */
const maxHeapShare = 0.75;
const callsPerLook = 64;

/** Calls go in together as long as they take about so long, and no more than so many. */
const batchMs = 1;
const maxBatch = 16;

export interface KeptCall {
  readonly id: number;
  readonly order: CallOrder;
  /** Once a context has it. */
  told?: Told;
}

export interface ContextEvents {
  readonly tell: (id: number, reports: readonly Report[]) => void;
  readonly ended: (call: KeptCall, outcome: Outcome, ranAtMs: number | undefined) => void;
  readonly givenBack: (calls: readonly KeptCall[]) => void;
  /** It waits for calls. */
  readonly idle: (context: KeptContext) => void;
  readonly gone: (context: KeptContext) => void;
}

/** A body or an input, as it goes in. */
function contentOf({ body, input }: CallOrder): ivm.Transferable {
  if (body instanceof Uint8Array)
    return new ivm.ExternalCopy(new Uint8Array(body).buffer).copyInto({ release: true }) as ivm.Transferable;
  return body ?? input;
}

export class KeptContext {
  readonly #order: Order;
  readonly #events: ContextEvents;
  readonly #session: Session;
  readonly #gate: Gate | undefined;
  readonly #openedAt = performance.now();
  #state: 'opening' | 'entered' | 'waiting' | 'idle' | 'gone' = 'opening';
  /** Those that it has and that have not ended; the first one is under way. */
  #calls: KeptCall[];
  #ranAtMs: number | undefined;
  #cpuMs = 0;
  #served = 0;
  /** Of a call, smoothed; not known at first. */
  #msPerCall = Number.POSITIVE_INFINITY;
  /** Since when it has been idle. */
  idleSince = 0;

  constructor(order: Order, rooms: Rooms, first: KeptCall, events: ContextEvents) {
    this.#order = order;
    this.#events = events;
    this.#gate = order.task.paced ? new Gate() : undefined;
    this.#calls = [this.#taken(first)];
    const calls = { opened: () => void this.#serve(), ended: (outcome: Outcome) => this.#ended(outcome) };
    this.#session = new Session(order.task, this.#io(), { rooms, blocking: false, calls });
    void this.#run();
  }

  /** How many calls it would take. */
  get room(): number {
    return Math.max(1, Math.min(maxBatch, Math.floor(batchMs / this.#msPerCall)));
  }

  /** The call that is under way. */
  get present(): KeptCall | undefined {
    return this.#calls[0];
  }

  /** @param calls for an idle one, not more than `room` */
  serve(calls: readonly KeptCall[]): void {
    this.#calls = calls.map((call) => this.#taken(call));
    void this.#serve();
  }

  /** Takes the isolate away from the program. @param outcome of the call that is under way */
  end(outcome: Outcome): void {
    this.#session.end(outcome);
  }

  async #run(): Promise<void> {
    const outcome = await this.#session.start();
    // A thread that does not come back must not look like a call that has ended: the pool's watch waits for this.
    await this.#session.released;
    this.#gone(outcome);
  }

  async #serve(): Promise<void> {
    this.#state = 'entered';
    const given = this.#calls.length;
    this.#ranAtMs = sharedClockMs();
    const fields = this.#calls.flatMap(({ order }) => [order.executionId, order.head, contentOf(order)]);
    await this.#session.serve(given, fields);
    if (this.#isGone) return;
    this.#state = 'waiting';
    const [present, ...others] = this.#calls;
    if (others.length > 0) {
      this.#calls = present ? [present] : [];
      this.#events.givenBack(others);
    }
    const took = present ? Number.POSITIVE_INFINITY : (sharedClockMs() - this.#ranAtMs) / given;
    this.#msPerCall = Number.isFinite(this.#msPerCall) ? (3 * this.#msPerCall + took) / 4 : took;
    this.#rest();
  }

  /** What it had has ended, and so has the entry. */
  #rest(): void {
    if (this.#calls.length > 0 || this.#state !== 'waiting' || this.#session.hasEnded) return;
    if (this.#hasServedItsShare()) return this.#session.end({ reason: 'exit', exitCode: 0 });
    this.#state = 'idle';
    this.idleSince = performance.now();
    this.#events.idle(this);
  }

  #ended(outcome: Outcome): void {
    const call = this.#calls.shift();
    if (!call) return;
    this.#served++;
    this.#gate?.reset();
    this.#events.ended(call, { ...outcome, usage: { cpuMs: this.#cpuSince() } }, this.#ranAtMs);
    this.#ranAtMs = sharedClockMs();
    this.#rest();
  }

  #gone(outcome: Outcome): void {
    this.#state = 'gone';
    const [present, ...others] = this.#calls;
    this.#calls = [];
    const usage = outcome.usage && { usage: { cpuMs: (outcome.usage.cpuMs ?? 0) - this.#cpuMs } };
    if (present) this.#events.ended(present, { ...outcome, ...usage }, this.#ranAtMs ?? this.#session.ranAtMs);
    this.#events.givenBack(others);
    this.#events.gone(this);
  }

  get #isGone(): boolean {
    return this.#state === 'gone';
  }

  #hasServedItsShare(): boolean {
    if (this.#served >= maxCalls || performance.now() - this.#openedAt >= maxAgeMs) return true;
    return this.#served % callsPerLook === 0 && this.#session.heapShare > maxHeapShare;
  }

  #cpuSince(): number {
    const before = this.#cpuMs;
    this.#cpuMs = this.#session.cpuMs;
    return this.#cpuMs - before;
  }

  #taken(call: KeptCall): KeptCall {
    call.told = new Told(this.#order, (reports) => this.#events.tell(call.id, reports), this.#gate);
    return call;
  }

  /** Of whichever call is under way. */
  #io(): SessionIo {
    const present = (): SessionIo | undefined => this.#calls[0]?.told?.io;
    return {
      write: (fd, data) => present()?.write(fd, data),
      answer: (head, data) => present()?.answer?.(head, data),
      head: (head) => present()?.head?.(head),
      body: (data) => present()?.body?.(data),
      readInput: (answer) => answer(undefined),
      colors: this.#order.task.colors ?? { stdout: false, stderr: false },
      beforeActing: () => present()?.beforeActing?.() ?? Promise.resolve(),
      ...(this.#gate && { gate: this.#gate.shared }),
    };
  }
}
