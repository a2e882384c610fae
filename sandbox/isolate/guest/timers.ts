/**
 * Timers as node has them: `Timeout` objects that convert to a number, at least 1 ms, due ones in the order of their
 * expiry, microtasks drained after each callback.
 *
 * One queue here, one timer at the host: the host sleeps until the earliest is due and then calls `fire` until nothing
 * is. Each `fire` runs one callback, since V8 drains the microtasks when the host's call returns.
 *
 * The queue is a binary heap by (due, sequence); a cleared timer stays until it comes up and is skipped then.
 */
import { invalidArgument } from './arguments.ts';
import { host } from './host.ts';

type Callback = (...args: unknown[]) => unknown;

const maxDelayMs = 2 ** 31 - 1;
let sequence = 0;
let referenced = 0;
let firing = false;
const heap: Place[] = [];
const byId = new Map<number, Timeout>();

class Timeout {
  readonly #id = ++sequence;
  readonly #callback: Callback;
  readonly #args: unknown[];
  readonly #repeat: boolean;
  readonly #delay: number;
  #due = 0;
  #order = 0;
  #active = false;
  #cleared = false;
  #referenced = true;

  constructor(callback: Callback, delay: unknown, args: unknown[], repeat: boolean) {
    this.#callback = callback;
    this.#args = args;
    this.#repeat = repeat;
    const ms = Number(delay);
    this.#delay = ms >= 1 && ms <= maxDelayMs ? Math.trunc(ms) : 1;
    this.#schedule();
  }

  ref(): this {
    if (!this.#referenced && this.#active) referenced++;
    this.#referenced = true;
    arm();
    return this;
  }

  unref(): this {
    if (this.#referenced && this.#active) referenced--;
    this.#referenced = false;
    arm();
    return this;
  }

  hasRef(): boolean {
    return this.#referenced;
  }

  refresh(): this {
    if (!this.#cleared) this.#schedule();
    return this;
  }

  close(): this {
    Timeout.cancel(this);
    return this;
  }

  /** Only a timer that has been made a number can be cleared by it. */
  [Symbol.toPrimitive](): number {
    byId.set(this.#id, this);
    return this.#id;
  }

  [Symbol.dispose](): void {
    Timeout.cancel(this);
  }

  static cancel(timer: Timeout): void {
    byId.delete(timer.#id);
    timer.#cleared = true;
    if (!timer.#active) return;
    timer.#active = false;
    if (timer.#referenced) referenced--;
    arm();
  }

  static is(value: unknown): value is Timeout {
    return typeof value === 'object' && value !== null && #id in value;
  }

  static cancelAll(timers: readonly Timeout[]): void {
    for (const timer of timers) {
      timer.#active = false;
      timer.#cleared = true;
    }
    referenced = 0;
  }

  /** Ms until the timer is due; entries that were cleared or moved report undefined. */
  static waits(timer: Timeout, order: number): number | undefined {
    return timer.#active && timer.#order === order ? timer.#due - Math.floor(host.now()) : undefined;
  }

  static run(timer: Timeout): void {
    timer.#active = false;
    if (timer.#referenced) referenced--;
    try {
      timer.#callback.apply(timer, timer.#args);
    } catch (error) {
      (require('./errors.ts') as typeof import('./errors.ts')).reportUncaught(error);
    }
    if (timer.#active) return; // refreshed by its own callback
    if (timer.#repeat && !timer.#cleared) timer.#schedule();
    else byId.delete(timer.#id);
  }

  #schedule(): void {
    if (!this.#active && this.#referenced) referenced++;
    this.#active = true;
    this.#due = Math.floor(host.now()) + this.#delay;
    this.#order = ++sequence;
    push({ timer: this, due: this.#due, order: this.#order });
    arm();
  }
}

// esbuild names a class that mentions itself otherwise.
Object.defineProperty(Timeout, 'name', { value: 'Timeout' });

/** A place in the queue; it is stale when its timer was cleared or scheduled anew. */
interface Place {
  readonly timer: Timeout;
  readonly due: number;
  readonly order: number;
}

const before = (a: Place, b: Place): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);

function push(place: Place): void {
  let index = heap.length;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent] as Place;
    if (!before(place, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = place;
}

function pop(): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    const left = 2 * index + 1;
    if (left >= heap.length) break;
    const right = left + 1;
    const child = right < heap.length && before(heap[right] as Place, heap[left] as Place) ? right : left;
    if (!before(heap[child] as Place, last)) break;
    heap[index] = heap[child] as Place;
    index = child;
  }
  heap[index] = last;
}

/** The earliest timer that still counts, with the ms until it is due. Stale places are dropped on the way. */
function next(): { timer: Timeout; waitMs: number } | undefined {
  for (let place = heap[0]; place !== undefined; place = heap[0]) {
    const waitMs = Timeout.waits(place.timer, place.order);
    if (waitMs !== undefined) return { timer: place.timer, waitMs };
    pop();
  }
  return undefined;
}

/** What the host was told last: crossing the border costs more than a timer does. */
let told = { due: Number.POSITIVE_INFINITY, keepAlive: false };

/** Tells the host when to call `fire` next, if that has changed; once at the end of a `fire`, whatever its callback did. */
function arm(): void {
  if (firing) return;
  const upcoming = next();
  const due = upcoming ? (heap[0]?.due ?? 0) : Number.POSITIVE_INFINITY;
  const keepAlive = referenced > 0;
  if (due === told.due && keepAlive === told.keepAlive) return;
  told = { due, keepAlive };
  host.timer(upcoming ? Math.max(0, upcoming.waitMs) : -1, keepAlive);
}

/** Runs one timer if it is due, and arms the host for the next. */
export function fire(): void {
  told = { due: Number.NaN, keepAlive: false };
  const due = next();
  if (due === undefined || due.waitMs > 0) return arm();
  pop();
  firing = true;
  try {
    Timeout.run(due.timer);
  } finally {
    firing = false;
    arm();
  }
}

/** As if each timer that there is were cleared. */
export function clearTimers(): void {
  if (heap.length === 0) return;
  Timeout.cancelAll(heap.splice(0).map(({ timer }) => timer));
  byId.clear();
  arm();
}

function checked(callback: unknown): Callback {
  if (typeof callback === 'function') return callback as Callback;
  throw invalidArgument('callback', 'of type function', callback);
}

export function setTimeout(callback: unknown, delay?: unknown, ...args: unknown[]): Timeout {
  return new Timeout(checked(callback), delay, args, false);
}

export function setInterval(callback: unknown, delay?: unknown, ...args: unknown[]): Timeout {
  return new Timeout(checked(callback), delay, args, true);
}

/** As `clearTimeout` and `clearInterval` do: a timer or its number. */
export function clearTimer(timer: unknown): void {
  const isNumber = typeof timer === 'number' || typeof timer === 'string';
  const found = Timeout.is(timer) ? timer : isNumber ? byId.get(Number(timer)) : undefined;
  if (found) Timeout.cancel(found);
}
