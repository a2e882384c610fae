/** `Event` and `CustomEvent`. DOM 2.2 and 2.4: https://dom.spec.whatwg.org/#events */
import { host } from '../host.ts';
import type { EventTarget } from './event-target.ts';
import {
  deeper,
  defineConstants,
  defineInterface,
  type Inspect,
  type InspectOptions,
  inspectSymbol,
  invalidArgument,
  requireArguments,
} from './interface.ts';

interface EventOptions {
  readonly bubbles?: unknown;
  readonly cancelable?: unknown;
  readonly composed?: unknown;
}

/** Where an event stands in its dispatch; the target's code alone writes it. */
interface Flight {
  target: EventTarget | null;
  dispatching: boolean;
  passive: boolean;
  stopped: boolean;
  trusted: boolean;
}

export let flightOf: (event: Event) => Flight;

export class Event {
  static {
    flightOf = (event) => event.#flight;
  }

  readonly #flight: Flight = { target: null, dispatching: false, passive: false, stopped: false, trusted: false };
  readonly #timeStamp = host.now();
  #type: string;
  #bubbles: boolean;
  #cancelable: boolean;
  readonly #composed: boolean;
  #prevented = false;
  #propagationStopped = false;

  constructor(type: unknown, options: EventOptions | null | undefined = undefined) {
    requireArguments(arguments.length, 'type');
    if (options != null && (typeof options !== 'object' || Array.isArray(options))) {
      throw invalidArgument('options', 'of type object', options);
    }
    this.#bubbles = Boolean(options?.bubbles);
    this.#cancelable = Boolean(options?.cancelable);
    this.#composed = Boolean(options?.composed);
    this.#type = `${type as string}`;
  }

  initEvent(type: unknown, bubbles: unknown = false, cancelable: unknown = false): void {
    requireArguments(arguments.length, 'type');
    if (this.#flight.dispatching) return;
    this.#type = `${type as string}`;
    this.#bubbles = Boolean(bubbles);
    this.#cancelable = Boolean(cancelable);
  }

  stopImmediatePropagation(): void {
    this.#propagationStopped = true;
    this.#flight.stopped = true;
  }

  preventDefault(): void {
    if (this.#cancelable && !this.#flight.passive) this.#prevented = true;
  }

  get target(): EventTarget | null {
    return this.#flight.target;
  }

  get currentTarget(): EventTarget | null {
    return this.#flight.dispatching ? this.#flight.target : null;
  }

  get srcElement(): EventTarget | null {
    return this.#flight.target;
  }

  get type(): string {
    return this.#type;
  }

  get cancelable(): boolean {
    return this.#cancelable;
  }

  get defaultPrevented(): boolean {
    return this.#prevented;
  }

  get timeStamp(): number {
    return this.#timeStamp;
  }

  composedPath(): EventTarget[] {
    const { dispatching, target } = this.#flight;
    return dispatching && target ? [target] : [];
  }

  get returnValue(): boolean {
    return !this.#prevented;
  }

  set returnValue(value: unknown) {
    if (!value) this.preventDefault();
  }

  get bubbles(): boolean {
    return this.#bubbles;
  }

  get composed(): boolean {
    return this.#composed;
  }

  get eventPhase(): number {
    return this.#flight.dispatching ? phases.AT_TARGET : phases.NONE;
  }

  get cancelBubble(): boolean {
    return this.#propagationStopped;
  }

  set cancelBubble(value: unknown) {
    if (value) this.#propagationStopped = true;
  }

  stopPropagation(): void {
    this.#propagationStopped = true;
  }

  get isTrusted(): boolean {
    return this.#flight.trusted;
  }

  [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): string {
    const { name } = this.constructor;
    if (depth < 0) return name;
    const { type, defaultPrevented, cancelable, timeStamp } = this;
    return `${name} ${inspect({ type, defaultPrevented, cancelable, timeStamp }, deeper(options))}`;
  }
}
const phases = { NONE: 0, CAPTURING_PHASE: 1, AT_TARGET: 2, BUBBLING_PHASE: 3 };
defineInterface(Event, 'Event');
defineConstants([Event], phases);
Object.defineProperty(Event.prototype, 'isTrusted', { configurable: false });

export class CustomEvent extends Event {
  readonly #detail: unknown;

  constructor(type: unknown, options: (EventOptions & { readonly detail?: unknown }) | null | undefined = undefined) {
    requireArguments(arguments.length, 'type');
    super(type, options);
    this.#detail = options?.detail ?? null;
  }

  get detail(): unknown {
    return this.#detail;
  }
}
defineInterface(CustomEvent, 'CustomEvent');
