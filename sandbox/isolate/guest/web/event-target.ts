/**
 * `EventTarget` without a tree: DOM 2.6–2.9 for targets that have no parent (https://dom.spec.whatwg.org/#events).
 *
 * A target keeps an array of listeners a type. Dispatch walks a copy, so listeners added meanwhile wait for the next
 * event, and skips those removed meanwhile. What a listener throws ends the program as an uncaught exception, after the
 * remaining listeners and the code that dispatched.
 */
import { reportUncaught } from '../errors.ts';
import { Event, flightOf } from './event.ts';
import {
  deeper,
  defineInterface,
  type Inspect,
  type InspectOptions,
  inspectSymbol,
  invalidArgument,
  nodeError,
  requireArguments,
} from './interface.ts';

type Callback = ((this: EventTarget, event: Event) => unknown) | { handleEvent?: (event: Event) => unknown };

interface Listener {
  readonly callback: Callback;
  readonly capture: boolean;
  readonly once: boolean;
  readonly passive: boolean;
  removed: boolean;
}

/** What a listener's `signal` has to offer; `abort.ts` builds on this file, not the other way round. */
interface Signal {
  readonly aborted: boolean;
  addEventListener(type: string, callback: Callback, options?: unknown): void;
}

let listenersOf: (target: EventTarget) => Map<string, Listener[]>;
/** Calls `changed` with the number of listeners of a type whenever it changes. */
export let watchListeners: (target: EventTarget, changed: (type: string, count: number) => void) => void;

export class EventTarget {
  static {
    listenersOf = (target) => target.#listeners;
    watchListeners = (target, changed) => {
      target.#changed = changed;
    };
  }

  readonly #listeners = new Map<string, Listener[]>();
  #changed: ((type: string, count: number) => void) | undefined;

  addEventListener(type: unknown, callback: unknown, options: unknown = undefined): void {
    requireArguments(arguments.length, 'type', 'listener');
    const { capture, once, passive, signal } = flatten(options);
    if (signal?.aborted || !isCallback(callback)) return;
    const key = `${type as string}`;
    const listeners = this.#listeners.get(key) ?? [];
    if (listeners.some((listener) => listener.callback === callback && listener.capture === capture)) return;
    this.#listeners.set(key, [...listeners, { callback, capture, once, passive, removed: false }]);
    signal?.addEventListener('abort', () => this.removeEventListener(key, callback, capture), { once: true });
    this.#changed?.(key, listeners.length + 1);
  }

  removeEventListener(type: unknown, callback: unknown, options: unknown = undefined): void {
    requireArguments(arguments.length, 'type', 'listener');
    const key = `${type as string}`;
    const capture =
      typeof options === 'boolean' ? options : Boolean((options as { capture?: unknown } | null | undefined)?.capture);
    const listeners = this.#listeners.get(key);
    const found = listeners?.find((listener) => listener.callback === callback && listener.capture === capture);
    if (listeners === undefined || found === undefined) return;
    found.removed = true;
    const rest = listeners.filter((listener) => listener !== found);
    if (rest.length > 0) this.#listeners.set(key, rest);
    else this.#listeners.delete(key);
    this.#changed?.(key, rest.length);
  }

  dispatchEvent(event: unknown): boolean {
    requireArguments(arguments.length, 'event');
    if (!(event instanceof Event)) throw invalidArgument('event', 'an instance of Event', event);
    if (flightOf(event).dispatching) {
      throw nodeError(Error, 'ERR_EVENT_RECURSION', `The event "${event.type}" is already being dispatched`);
    }
    flightOf(event).trusted = false;
    return dispatch(this, event);
  }

  [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): unknown {
    const { name } = this.constructor;
    return depth < 0 ? name : `${name} ${inspect({}, deeper(options))}`;
  }
}
defineInterface(EventTarget, 'EventTarget');

/** Dispatches an event of the platform's own. */
export function dispatchTrusted(target: EventTarget, event: Event): void {
  flightOf(event).trusted = true;
  dispatch(target, event);
}

function dispatch(target: EventTarget, event: Event): boolean {
  const flight = flightOf(event);
  flight.target = target;
  flight.dispatching = true;
  for (const listener of listenersOf(target).get(event.type) ?? []) {
    if (flight.stopped) break;
    if (listener.removed) continue;
    if (listener.once) target.removeEventListener(event.type, listener.callback, listener.capture);
    flight.passive = listener.passive;
    call(listener.callback, target, event);
    flight.passive = false;
  }
  flight.dispatching = false;
  flight.stopped = false;
  return !event.defaultPrevented;
}

function call(callback: Callback, target: EventTarget, event: Event): void {
  try {
    if (typeof callback === 'function') callback.call(target, event);
    else callback.handleEvent?.(event);
  } catch (error) {
    void Promise.resolve().then(() => reportUncaught(error));
  }
}

function isCallback(value: unknown): value is Callback {
  if (typeof value === 'function' || (typeof value === 'object' && value !== null)) return true;
  if (value == null) return false;
  throw invalidArgument('listener', 'an instance of EventListener', value);
}

interface ListenerOptions {
  readonly capture: boolean;
  readonly once: boolean;
  readonly passive: boolean;
  readonly signal?: Signal | undefined;
}

function flatten(options: unknown): ListenerOptions {
  if (typeof options === 'boolean' || options == null) {
    return { capture: options ?? false, once: false, passive: false };
  }
  if (typeof options !== 'object' && typeof options !== 'function') throw invalidArgument('options', 'of type object', options);
  const { once, capture, passive, signal } = options as Record<string, unknown>;
  if (signal !== undefined && !(typeof signal === 'object' && signal !== null && 'aborted' in signal)) {
    throw invalidArgument('options.signal', 'an instance of AbortSignal', signal);
  }
  return { once: Boolean(once), capture: Boolean(capture), passive: Boolean(passive), signal: signal as Signal | undefined };
}

/**
 * Defines the attribute `on…` of a target: a listener that keeps its place while it is replaced.
 * HTML 8.1.8.1: https://html.spec.whatwg.org/#event-handler-attributes
 */
export function defineHandler(prototype: EventTarget, type: string): void {
  const handlers = new WeakMap<EventTarget, unknown>();
  const key = `on${type}`;
  const attribute = {
    get [key](): unknown {
      return handlers.get(this as unknown as EventTarget) ?? null;
    },
    set [key](value: unknown) {
      const target = this as unknown as EventTarget;
      const wasSet = handlers.has(target);
      handlers.set(target, (typeof value === 'object' && value !== null) || typeof value === 'function' ? value : null);
      if (wasSet) return;
      target.addEventListener(type, (event: Event) => {
        const handler = handlers.get(target);
        if (typeof handler === 'function' && handler.call(target, event) === false) event.preventDefault();
      });
    },
  };
  Object.defineProperty(prototype, key, { ...Object.getOwnPropertyDescriptor(attribute, key), enumerable: true });
}
