/** `Headers`. Fetch 5.1: https://fetch.spec.whatwg.org/#headers-class */
import { defineInterface, type Inspect, type InspectOptions, inspectSymbol, requireCount } from './interface.ts';
import { definePairs } from './pairs.ts';

/** By lower-case name: the name as first written, and each value that was appended. */
export type HeaderList = Map<string, { readonly name: string; readonly values: readonly string[] }>;

/** The list behind a `Headers`, not a copy. */
export let headerList: (headers: Headers) => HeaderList;
/** A `Headers` over a list; an immutable one refuses changes. */
export let headersOver: (list: HeaderList, immutable?: boolean) => Headers;
/** As `new Headers(init)` fills itself. */
export let fillHeaders: (headers: Headers, init: unknown) => void;

export class Headers {
  static {
    headerList = (headers) => headers.#list;
    headersOver = (list, immutable = false) => {
      const headers = new Headers();
      headers.#list = list;
      headers.#immutable = immutable;
      return headers;
    };
    fillHeaders = (headers, init) => {
      for (const [name, value] of pairsFrom(init)) headers.#append(name, value);
    };
  }

  #list: HeaderList = new Map();
  #immutable = false;

  constructor(init: unknown = undefined) {
    if (init !== undefined) fillHeaders(this, init);
  }

  append(name: unknown, value: unknown): void {
    requireCount(arguments.length, 2, 'Headers.append');
    this.#append(byteString(name), byteString(value));
  }

  delete(name: unknown): void {
    requireCount(arguments.length, 1, 'Headers.delete');
    const key = this.#key(name, 'Headers.delete');
    this.#checkMutable();
    this.#list.delete(key);
  }

  get(name: unknown): string | null {
    requireCount(arguments.length, 1, 'Headers.get');
    const key = this.#key(name, 'Headers.get');
    return this.#list.has(key) ? combined(this.#list, key) : null;
  }

  has(name: unknown): boolean {
    requireCount(arguments.length, 1, 'Headers.has');
    return this.#list.has(this.#key(name, 'Headers.has'));
  }

  set(name: unknown, value: unknown): void {
    requireCount(arguments.length, 2, 'Headers.set');
    const written = byteString(name);
    const text = normalized(byteString(value));
    const key = this.#key(written, 'Headers.set');
    checkValue(text, 'Headers.set');
    this.#checkMutable();
    this.#list.set(key, { name: written, values: [text] });
  }

  getSetCookie(): string[] {
    return [...(this.#list.get('set-cookie')?.values ?? [])];
  }

  [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): string {
    const fields = [...this.#list].map(([key, { name }]) => [name, combined(this.#list, key)] as const);
    return `Headers ${inspect(Object.fromEntries(fields), { ...options, depth: options.depth ?? depth })}`;
  }

  #append(name: string, value: string): void {
    const text = normalized(value);
    const key = this.#key(name, 'Headers.append');
    checkValue(text, 'Headers.append');
    this.#checkMutable();
    const known = this.#list.get(key);
    this.#list.set(key, { name: known?.name ?? name, values: [...(known?.values ?? []), text] });
  }

  #key(name: unknown, where: string): string {
    const text = byteString(name);
    if (!isToken(text)) throw new TypeError(`${where}: "${text}" is an invalid header name.`);
    return text.toLowerCase();
  }

  #checkMutable(): void {
    if (this.#immutable) throw new TypeError('immutable');
  }
}
definePairs(Headers, 'Headers', (headers) => sortedPairs(headerList(headers)), false);
defineInterface(Headers, 'Headers');

/** HTTP's token (RFC 9110 5.6.2). */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text);
}

/** All values of a name as one. */
export function combined(list: HeaderList, key: string): string {
  return list.get(key)?.values.join(key === 'cookie' ? '; ' : ', ') ?? '';
}

/** The pairs of a list as they go over the border: each cookie apart, names as they were written. */
export function writtenPairs(list: HeaderList): [string, string][] {
  return [...list].flatMap(([key, { name, values }]): [string, string][] =>
    key === 'set-cookie' ? values.map((value) => [name, value]) : [[name, combined(list, key)]],
  );
}

/** The pairs of a list as a program sees them: each cookie apart, names in lower case. */
export function sortedPairs(list: HeaderList): [string, string][] {
  return [...list.keys()].toSorted().flatMap((key): [string, string][] => {
    const values = key === 'set-cookie' ? (list.get(key)?.values ?? []) : [combined(list, key)];
    return values.map((value) => [key, value]);
  });
}

function byteString(value: unknown): string {
  const text = `${value as string}`;
  const index = text.search(/[^\0-\xff]/);
  if (index < 0) return text;
  throw new TypeError(
    `Cannot convert argument to a ByteString because the character at index ${index} has a value of ` +
      `${text.charCodeAt(index)} which is greater than 255.`,
  );
}

function normalized(value: string): string {
  return value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');
}

function checkValue(value: string, where: string): void {
  if (/[\0\r\n]/.test(value)) throw new TypeError(`${where}: "${value}" is an invalid header value.`);
}

function pairsFrom(init: unknown): [string, string][] {
  if ((typeof init !== 'object' && typeof init !== 'function') || init === null) {
    throw new TypeError(
      'Headers constructor: Argument 1 could not be converted to one of: sequence<sequence<ByteString>>, record<ByteString, ByteString>.',
    );
  }
  if (init instanceof Headers) return writtenPairs(headerList(init));
  if (typeof (init as Partial<Iterable<unknown>>)[Symbol.iterator] === 'function') {
    return [...(init as Iterable<unknown>)].map(pair);
  }
  return Reflect.ownKeys(init)
    .filter((key) => Object.getOwnPropertyDescriptor(init, key)?.enumerable)
    .map((key) => [byteString(key), byteString((init as Record<PropertyKey, unknown>)[key])]);
}

function pair(value: unknown): [string, string] {
  const iterable =
    typeof (value as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] === 'function' && typeof value === 'object';
  if (!iterable) throw new TypeError(`Headers constructor: init[0] (${String(value)}) is not iterable.`);
  const parts = [...(value as Iterable<unknown>)].map(byteString);
  if (parts.length === 2) return parts as [string, string];
  throw new TypeError(`Headers constructor: expected name/value pair to be length 2, found ${parts.length}.`);
}
