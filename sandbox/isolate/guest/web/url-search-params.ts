/**
 * `URLSearchParams` (https://url.spec.whatwg.org/#interface-urlsearchparams) and the form encoding of section 5.
 */
import { decodeUtf8 } from './encoding.ts';
import {
  defineInterface,
  type Inspect,
  type InspectOptions,
  inspectSymbol,
  nodeError,
  requireArguments,
  usvString,
} from './interface.ts';
import { definePairs } from './pairs.ts';

type Pair = [name: string, value: string];

let pairsOf: (params: URLSearchParams) => Pair[];
/** The parameters of a URL; `changed` is told the new query. */
export let linkedParams: (query: string, changed: (query: string) => void) => URLSearchParams;
/** Follows a change of the URL's own. */
export let replaceParams: (params: URLSearchParams, query: string) => void;

export class URLSearchParams {
  static {
    pairsOf = (params) => params.#pairs;
    linkedParams = (query, changed) => {
      const params = new URLSearchParams(query);
      params.#changed = changed;
      return params;
    };
    replaceParams = (params, query) => {
      params.#pairs = parseQuery(query);
    };
  }

  #pairs: Pair[];
  #changed: ((query: string) => void) | undefined;

  constructor(init: unknown = undefined) {
    this.#pairs = init === undefined ? [] : pairsFrom(init);
  }

  get size(): number {
    return this.#pairs.length;
  }

  append(name: unknown, value: unknown): void {
    requireArguments(arguments.length, 'name', 'value');
    this.#pairs.push([usvString(name), usvString(value)]);
    this.#update();
  }

  delete(name: unknown, value: unknown = undefined): void {
    requireArguments(arguments.length, 'name');
    const matches = matcher(name, value);
    this.#pairs = this.#pairs.filter((pair) => !matches(pair));
    this.#update();
  }

  get(name: unknown): string | null {
    requireArguments(arguments.length, 'name');
    return this.#pairs.find(matcher(name))?.[1] ?? null;
  }

  getAll(name: unknown): string[] {
    requireArguments(arguments.length, 'name');
    return this.#pairs.filter(matcher(name)).map((pair) => pair[1]);
  }

  has(name: unknown, value: unknown = undefined): boolean {
    requireArguments(arguments.length, 'name');
    return this.#pairs.some(matcher(name, value));
  }

  set(name: unknown, value: unknown): void {
    requireArguments(arguments.length, 'name', 'value');
    const matches = matcher(name);
    const text = usvString(value);
    const first = this.#pairs.find(matches);
    if (first === undefined) this.#pairs.push([usvString(name), text]);
    else {
      first[1] = text;
      this.#pairs = this.#pairs.filter((pair) => pair === first || !matches(pair));
    }
    this.#update();
  }

  sort(): void {
    this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    this.#update();
  }

  toString(): string {
    return this.#pairs.map(([name, value]) => `${encodeForm(name)}=${encodeForm(value)}`).join('&');
  }

  [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): string {
    if (depth < 0) return options.stylize?.('[Object]', 'special') ?? '[Object]';
    const inner = { ...options, depth: depth - 1 };
    const output = this.#pairs.map(([name, value]) => `${inspect(name, inner)} => ${inspect(value, inner)}`);
    const { name } = this.constructor;
    if (output.length === 0) return `${name} {}`;
    const long = plain(output.join(', ')).length > (options.breakLength ?? 80);
    return long ? `${name} {\n  ${output.join(',\n  ')} }` : `${name} { ${output.join(', ')} }`;
  }

  #update(): void {
    this.#changed?.(this.toString());
  }
}
definePairs(URLSearchParams, 'URLSearchParams', pairsOf, true);
defineInterface(URLSearchParams, 'URLSearchParams');

function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- colours of a terminal
  return text.replace(/\x1b\[\d+m/g, '');
}

function matcher(name: unknown, value?: unknown): (pair: Pair) => boolean {
  const key = usvString(name);
  if (value === undefined) return (pair) => pair[0] === key;
  const text = usvString(value);
  return (pair) => pair[0] === key && pair[1] === text;
}

function pairsFrom(init: unknown): Pair[] {
  if ((typeof init !== 'object' && typeof init !== 'function') || init === null) return parseQuery(usvString(init));
  const method = (init as { [Symbol.iterator]?: unknown })[Symbol.iterator];
  if (init instanceof URLSearchParams && method === URLSearchParams.prototype[Symbol.iterator as never]) {
    return pairsOf(init).map(([name, value]) => [name, value]);
  }
  if (method == null) return pairsOfRecord(init);
  if (typeof method !== 'function') throw nodeError(TypeError, 'ERR_ARG_NOT_ITERABLE', 'Query pairs must be iterable');
  return [...(init as Iterable<unknown>)].map(tuple);
}

function tuple(value: unknown): Pair {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  const iterable = isObject && typeof (value as { [Symbol.iterator]?: unknown })[Symbol.iterator] === 'function';
  const parts = iterable ? [...(value as Iterable<unknown>)] : [];
  if (parts.length !== 2) {
    throw nodeError(TypeError, 'ERR_INVALID_TUPLE', 'Each query pair must be an iterable [name, value] tuple');
  }
  return [usvString(parts[0]), usvString(parts[1])];
}

/** Names that become equal as USVStrings are one entry, with the last value. */
function pairsOfRecord(record: object): Pair[] {
  const pairs = new Map<string, string>();
  for (const key of Reflect.ownKeys(record)) {
    if (!Object.getOwnPropertyDescriptor(record, key)?.enumerable) continue;
    pairs.set(usvString(key), usvString((record as Record<PropertyKey, unknown>)[key]));
  }
  return [...pairs];
}

function parseQuery(query: string): Pair[] {
  const pairs: Pair[] = [];
  for (const part of (query.startsWith('?') ? query.slice(1) : query).split('&')) {
    if (part === '') continue;
    const at = part.indexOf('=');
    pairs.push(at < 0 ? [decodeForm(part), ''] : [decodeForm(part.slice(0, at)), decodeForm(part.slice(at + 1))]);
  }
  return pairs;
}

function decodeForm(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return decodeLoosely(spaced);
  }
}

/** What `decodeURIComponent` refuses: a bare `%` stands for itself, bytes that are not UTF-8 become U+FFFD. */
function decodeLoosely(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    decodeUtf8(Uint8Array.from(escapes.slice(1).split('%'), (hex) => Number.parseInt(hex, 16))),
  );
}

/** `encodeURIComponent` leaves five characters that a form encodes, and encodes a space as a form does not. */
function encodeForm(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
