/**
 * `performance`: High Resolution Time (https://w3c.github.io/hr-time/) and User Timing
 * (https://w3c.github.io/user-timing/). Entries stay until they are cleared.
 */
import { host } from '../host.ts';
import { startInfo } from '../program.ts';
import { structuredClone } from './clone.ts';
import { DOMException } from './dom-exception.ts';
import { EventTarget } from './event-target.ts';
import {
  deeper,
  defineInterface,
  illegalConstructor,
  type Inspect,
  type InspectOptions,
  inspectSymbol,
  invalidArgument,
  nodeError,
  requireArguments,
} from './interface.ts';

const made = Symbol('made by the platform');

interface Fields {
  readonly name: string;
  readonly entryType: string;
  readonly startTime: number;
  readonly duration: number;
}

export class PerformanceEntry {
  readonly #fields: Fields;

  constructor(token: unknown = undefined, fields: unknown = undefined) {
    if (token !== made) throw illegalConstructor();
    this.#fields = fields as Fields;
  }

  get name(): string {
    return this.#fields.name;
  }

  get entryType(): string {
    return this.#fields.entryType;
  }

  get startTime(): number {
    return this.#fields.startTime;
  }

  get duration(): number {
    return this.#fields.duration;
  }

  toJSON(): object {
    return { ...this.#fields };
  }

  [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): unknown {
    return depth < 0 ? this : `${this.constructor.name} ${inspect(this.toJSON(), deeper(options))}`;
  }
}
defineInterface(PerformanceEntry, 'PerformanceEntry');

interface MarkOptions {
  readonly detail?: unknown;
  readonly startTime?: unknown;
}

/** Times of the marks by name, the latest of each. */
const marks = new Map<string, number>();
let entries: PerformanceEntry[] = [];

export class PerformanceMark extends PerformanceEntry {
  readonly #detail: unknown;

  constructor(name: unknown, options: MarkOptions | null | undefined = undefined) {
    requireArguments(arguments.length, 'name');
    const key = `${name as string}`;
    if (options != null && typeof options !== 'object') throw invalidArgument('options', 'of type object', options);
    const startTime = options?.startTime ?? host.now();
    if (typeof startTime !== 'number') throw invalidArgument('startTime', 'of type number', startTime);
    checkTime(startTime);
    super(made, { name: key, entryType: 'mark', startTime, duration: 0 });
    this.#detail = detailOf(options);
    marks.set(key, startTime);
  }

  get detail(): unknown {
    return this.#detail;
  }

  override toJSON(): object {
    return { ...super.toJSON(), detail: this.#detail };
  }
}
defineInterface(PerformanceMark, 'PerformanceMark', ['toJSON']);

export class PerformanceMeasure extends PerformanceEntry {
  readonly #detail: unknown;

  constructor(token: unknown = undefined, fields: unknown = undefined, detail: unknown = undefined) {
    super(token, fields);
    this.#detail = detail;
  }

  get detail(): unknown {
    return this.#detail;
  }

  override toJSON(): object {
    return { ...super.toJSON(), detail: this.#detail };
  }
}
defineInterface(PerformanceMeasure, 'PerformanceMeasure', ['toJSON']);

export class Performance extends EventTarget {
  constructor(token: unknown = undefined) {
    if (token !== made) throw illegalConstructor();
    super();
  }

  clearMarks(name: unknown = undefined): void {
    clear('mark', name);
    if (name === undefined) marks.clear();
    else marks.delete(`${name as string}`);
  }

  clearMeasures(name: unknown = undefined): void {
    clear('measure', name);
  }

  getEntries(): PerformanceEntry[] {
    return entries.toSorted((a, b) => a.startTime - b.startTime);
  }

  getEntriesByName(name: unknown, type: unknown = undefined): PerformanceEntry[] {
    requireArguments(arguments.length, 'name');
    const key = `${name as string}`;
    return this.getEntries().filter(
      (entry) => entry.name === key && (type === undefined || entry.entryType === `${type as string}`),
    );
  }

  getEntriesByType(type: unknown): PerformanceEntry[] {
    requireArguments(arguments.length, 'type');
    const key = `${type as string}`;
    return this.getEntries().filter((entry) => entry.entryType === key);
  }

  mark(name: unknown, options: MarkOptions | null | undefined = undefined): PerformanceMark {
    requireArguments(arguments.length, 'name');
    const mark = new PerformanceMark(name, options);
    entries.push(mark);
    return mark;
  }

  measure(name: unknown, startOrOptions: unknown = undefined, endMark: unknown = undefined): PerformanceMeasure {
    if (typeof name !== 'string') throw invalidArgument('name', 'of type string', name);
    const { start, end } = span(startOrOptions, endMark);
    const detail = typeof startOrOptions === 'object' ? detailOf(startOrOptions) : null;
    const fields = { name, entryType: 'measure', startTime: start, duration: end - start };
    const measure = new PerformanceMeasure(made, fields, detail);
    entries.push(measure);
    return measure;
  }

  now(): number {
    return host.now();
  }

  get timeOrigin(): number {
    return startInfo().timeOrigin;
  }

  toJSON(): object {
    return { timeOrigin: this.timeOrigin };
  }

  override [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): unknown {
    return depth < 0 ? this : `${this.constructor.name} ${inspect({ timeOrigin: this.timeOrigin }, deeper(options))}`;
  }
}
defineInterface(Performance, 'Performance');

export const performance: Performance = new Performance(made);

function clear(type: string, name: unknown): void {
  const key = name === undefined ? undefined : `${name as string}`;
  entries = entries.filter((entry) => entry.entryType !== type || (key !== undefined && entry.name !== key));
}

function detailOf(options: MarkOptions | null | undefined): unknown {
  return options?.detail == null ? null : structuredClone(options.detail);
}

function checkTime(time: number): void {
  if (time < 0) throw nodeError(TypeError, 'ERR_PERFORMANCE_INVALID_TIMESTAMP', `${time} is not a valid timestamp`);
}

/** The time of a mark, or a time given as a number. */
function timeOf(mark: unknown): number {
  if (typeof mark === 'number') {
    checkTime(mark);
    return mark;
  }
  const time = marks.get(`${mark as string}`);
  if (time !== undefined) return time;
  throw new DOMException(`The "${mark as string}" performance mark has not been set`, 'SyntaxError');
}

interface MeasureOptions {
  readonly start?: unknown;
  readonly end?: unknown;
  readonly duration?: unknown;
}

/** Start and end of a measure: https://w3c.github.io/user-timing/#measure-method */
function span(startOrOptions: unknown, endMark: unknown): { start: number; end: number } {
  const options = typeof startOrOptions === 'object' && startOrOptions !== null ? (startOrOptions as MeasureOptions) : {};
  const { duration } = options;
  const given = options.start !== undefined || options.end !== undefined;
  if (given && endMark !== undefined) throw invalidMeasure('endMark must not be specified');
  if (options.start !== undefined && options.end !== undefined && duration !== undefined) {
    throw invalidMeasure('Must not have options.start, options.end, and options.duration specified');
  }
  const startMark = typeof startOrOptions === 'string' ? startOrOptions : options.start;
  const last = endMark ?? options.end;
  let end = last === undefined ? undefined : timeOf(last);
  let start = startMark === undefined ? undefined : timeOf(startMark);
  if (duration !== undefined && end === undefined && start !== undefined) end = start + timeOf(duration);
  if (duration !== undefined && start === undefined && end !== undefined) start = end - timeOf(duration);
  return { start: start ?? 0, end: end ?? host.now() };
}

function invalidMeasure(message: string): Error {
  return nodeError(TypeError, 'ERR_PERFORMANCE_MEASURE_INVALID_OPTIONS', message);
}
