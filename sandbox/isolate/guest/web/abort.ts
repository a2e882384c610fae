/**
 * `AbortController` and `AbortSignal`. DOM 3: https://dom.spec.whatwg.org/#aborting-ongoing-activities
 *
 * A signal of `any` follows its sources, never another signal of `any`. Sources know their followers weakly, so that a
 * signal which lives as long as the program does not keep one follower a request; a follower that somebody listens to
 * is kept until it aborts or nobody listens any more.
 */
import { setTimeout } from '../timers.ts';
import { DOMException } from './dom-exception.ts';
import { Event } from './event.ts';
import { defineHandler, dispatchTrusted, EventTarget, watchListeners } from './event-target.ts';
import {
  deeper,
  defineInterface,
  illegalConstructor,
  type Inspect,
  type InspectOptions,
  inspectSymbol,
  invalidArgument,
  nodeError,
  sequence,
} from './interface.ts';

const made = Symbol('made by the platform');
const observed = new Set<AbortSignal>();

let abort: (signal: AbortSignal, reason: unknown) => void;
let algorithmsOf: (signal: AbortSignal) => Set<() => void>;
/** Whether a value is a signal made here. */
export let isSignal: (value: unknown) => value is AbortSignal;
/** The signal that aborts with the first of `sources`. */
export let follow: (sources: readonly AbortSignal[]) => AbortSignal;

export class AbortSignal extends EventTarget {
  static {
    isSignal = (value): value is AbortSignal => typeof value === 'object' && value !== null && #aborted in value;
    algorithmsOf = (signal) => signal.#algorithms;

    abort = (signal, reason) => {
      if (signal.#aborted) return;
      const all = [signal, ...[...signal.#followers].map((ref) => ref.deref()).filter((found) => found?.aborted === false)];
      for (const each of all as AbortSignal[]) {
        each.#aborted = true;
        each.#reason = reason;
        observed.delete(each);
      }
      signal.#followers.clear();
      for (const each of all as AbortSignal[]) each.#run();
    };

    follow = (sources) => {
      const result = new AbortSignal(made);
      result.#sources = new Set();
      const aborted = sources.find((source) => source.#aborted);
      if (aborted) {
        result.#aborted = true;
        result.#reason = aborted.#reason;
        return result;
      }
      const ref = new WeakRef(result);
      for (const source of sources) for (const root of source.#sources ?? [source]) result.#sources.add(root);
      for (const root of result.#sources) root.#addFollower(ref);
      watchListeners(result, (type, count) => {
        if (type === 'abort') result.#observe(count > 0);
      });
      return result;
    };
  }

  #aborted = false;
  #reason: unknown;
  /** Only of a signal that follows others. */
  #sources: Set<AbortSignal> | undefined;
  readonly #followers = new Set<WeakRef<AbortSignal>>();
  #sweepAt = 32;
  readonly #algorithms = new Set<() => void>();

  constructor(token: unknown = undefined) {
    if (token !== made) throw illegalConstructor();
    super();
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  throwIfAborted(): void {
    if (this.#aborted) throw this.#reason;
  }

  static abort(reason: unknown = abortError()): AbortSignal {
    const signal = new AbortSignal(made);
    signal.#aborted = true;
    signal.#reason = reason;
    return signal;
  }

  static timeout(delay: unknown): AbortSignal {
    const signal = new AbortSignal(made);
    setTimeout(() => {
      abort(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
    }, uint32(delay)).unref();
    return signal;
  }

  static any(signals: unknown): AbortSignal {
    const list = sequence(signals);
    if (list === undefined) throw conversionError('signals cannot be converted to sequence.');
    const wrong = list.findIndex((signal) => !isSignal(signal));
    if (wrong >= 0) throw conversionError(`signals[${wrong}] is not of type AbortSignal.`);
    return follow(list as AbortSignal[]);
  }

  override [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): unknown {
    return depth < 0 ? this : `${this.constructor.name} ${inspect({ aborted: this.aborted }, deeper(options))}`;
  }

  #run(): void {
    for (const algorithm of this.#algorithms) algorithm();
    this.#algorithms.clear();
    dispatchTrusted(this, new Event('abort'));
  }

  #observe(wanted: boolean): void {
    if (wanted && !this.#aborted) observed.add(this);
    else observed.delete(this);
  }

  #addFollower(ref: WeakRef<AbortSignal>): void {
    this.#followers.add(ref);
    if (this.#followers.size < this.#sweepAt) return;
    for (const follower of this.#followers) if (follower.deref() === undefined) this.#followers.delete(follower);
    this.#sweepAt = Math.max(32, this.#followers.size * 2);
  }
}
defineInterface(AbortSignal, 'AbortSignal', ['reason', 'throwIfAborted', 'abort', 'timeout', 'any']);
defineHandler(AbortSignal.prototype, 'abort');

export class AbortController {
  #signal: AbortSignal | undefined;

  get signal(): AbortSignal {
    this.#signal ??= new AbortSignal(made);
    return this.#signal;
  }

  abort(reason: unknown = abortError()): void {
    abort(this.signal, reason);
  }

  [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): unknown {
    return depth < 0 ? this : `${this.constructor.name} ${inspect({ signal: this.signal }, deeper(options))}`;
  }
}
defineInterface(AbortController, 'AbortController');

/**
 * Runs `algorithm` when the signal aborts, before its listeners. Does not keep the signal alive.
 * @returns what takes it back
 */
export function onAbort(signal: AbortSignal, algorithm: () => void): () => void {
  algorithmsOf(signal).add(algorithm);
  return () => algorithmsOf(signal).delete(algorithm);
}

function abortError(): DOMException {
  return new DOMException('This operation was aborted', 'AbortError');
}

function conversionError(message: string): Error {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

function uint32(delay: unknown): number {
  if (typeof delay !== 'number') throw invalidArgument('delay', 'of type number', delay);
  const outOf = (range: string): Error =>
    nodeError(
      RangeError,
      'ERR_OUT_OF_RANGE',
      `The value of "delay" is out of range. It must be ${range}. Received ${grouped(delay)}`,
    );
  if (!Number.isInteger(delay)) throw outOf('an integer');
  if (delay < 0 || delay > 2 ** 32 - 1) throw outOf('>= 0 && <= 4294967295');
  return delay;
}

/** Node writes large integers with underscores. */
function grouped(value: number): string {
  const text = String(value);
  return Number.isInteger(value) && Math.abs(value) > 2 ** 32 ? text.replace(/\B(?=(\d{3})+$)/g, '_') : text;
}
