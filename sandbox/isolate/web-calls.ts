/**
 * The host's half of the web APIs (`guest/web/`): what the guest cannot do by itself.
 *
 * Everything here is called on behalf of a program that is not trusted. Arguments are primitives and bytes, results are
 * strings and bytes; nothing is kept between two calls; errors are reduced to their names, messages and codes, since a
 * stack of the host would show its paths.
 */
import type { ErrorShape, ResponseHead } from './guest/web/fetch.ts';
import type { RequestOptions } from './guest/web/request.ts';

const settable = ['href', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'] as const;
type Settable = (typeof settable)[number];

/** Node's parser ends the process when it cannot get the memory for its answer. */
const maxUrlLength = 2 ** 24;

/**
 * @returns JSON array `[href, origin, protocol, username, password, host, hostname, port, pathname, search, hash]`, or
 * undefined where the URL does not parse
 */
export function parseUrl(href: string, base: string | undefined): string | undefined {
  if (href.length > maxUrlLength) return undefined;
  const url = URL.parse(href, base);
  return url === null ? undefined : components(url);
}

/** Sets one component of a URL. @returns as `parseUrl`; undefined for an `href` that does not parse */
export function setUrl(href: string, property: string, value: string): string | undefined {
  const url = URL.parse(href);
  const key = settable.find((name) => name === property);
  if (url === null || key === undefined) return undefined;
  if (key === 'href') return parseUrl(value, undefined);
  set(url, key, value);
  return components(url);
}

function set(url: URL, key: Settable, value: string): void {
  url[key] = value;
}

function components(url: URL): string {
  const { href, origin, protocol, username, password, host, hostname, port, pathname, search, hash } = url;
  return JSON.stringify([href, origin, protocol, username, password, host, hostname, port, pathname, search, hash]);
}

/** The name of the encoding that a label stands for, or undefined where this node knows none. */
export function encodingOf(label: string): string | undefined {
  try {
    return new TextDecoder(label).encoding;
  } catch {
    return undefined;
  }
}

/**
 * @param stream leave out a character that the bytes do not finish, rather than replace or refuse it
 * @returns the text, or undefined where the bytes are not valid and `fatal`
 */
export function decode(
  bytes: Uint8Array,
  encoding: string,
  fatal: boolean,
  ignoreBOM: boolean,
  stream: boolean,
): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal, ignoreBOM }).decode(bytes, { stream });
  } catch {
    return undefined;
  }
}

/** isolated-vm clones on the way here and on the way back. */
export function clone(value: unknown): unknown {
  return value;
}

/** @param size bytes, at most 65,536 */
export function random(size: number): ArrayBuffer {
  return crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536))).buffer;
}

export function uuid(): string {
  return crypto.randomUUID();
}

/** What `deliver` of the guest takes: a `ResponseHead` where `ok`, else an `ErrorShape`; the body unless it is null. */
export interface FetchAnswer {
  readonly ok: boolean;
  readonly head: string;
  readonly body: ArrayBuffer | undefined;
}

/** The most of a response that is held, bytes: all of it stands in the isolate's memory. */
const maxResponseBytes = 100 * 1024 * 1024;

/**
 * Fetches by node's own `fetch` and reads the response to its end.
 *
 * @param request JSON of `RequestOptions` with `url` and `headers` (pairs), all checked by the guest's `Request`
 * @param signal ends the request; its answer is then of no interest
 * @returns never rejects
 */
export async function startFetch(request: string, body: Uint8Array | undefined, signal: AbortSignal): Promise<FetchAnswer> {
  try {
    const { url, headers, ...options } = JSON.parse(request) as RequestOptions & { url: string; headers: [string, string][] };
    const init = { ...options, headers, signal, ...(body && { body: new Uint8Array(body) }) } as RequestInit;
    const response = await fetch(url, init);
    if (response.body === null) return answer(response, undefined);
    const { bytes, failure } = await readBody(response);
    return answer(response, bytes, failure);
  } catch (error) {
    return { ok: false, head: JSON.stringify(shapeOf(error)), body: undefined };
  }
}

function answer(response: Response, body: ArrayBuffer | undefined, failure?: ErrorShape): FetchAnswer {
  const { status, statusText, type, url, redirected } = response;
  const head: ResponseHead = { status, statusText, type, url, redirected, headers: [...response.headers], failure };
  return { ok: true, head: JSON.stringify(head), body };
}

async function readBody(response: Response): Promise<{ bytes: ArrayBuffer; failure?: ErrorShape }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      size += chunk.length;
      if (size > maxResponseBytes) throw tooLarge(response.url);
      chunks.push(chunk);
    }
  } catch (error) {
    return { bytes: new ArrayBuffer(0), failure: shapeOf(error) };
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return { bytes: bytes.buffer };
}

function tooLarge(url: string): Error {
  const limit = `${maxResponseBytes / 1024 / 1024} MB`;
  return new RangeError(
    `The response of ${url} is larger than ${limit}, the most that an isolate holds; run the script with --runtime node`,
  );
}

const shownFields = new Set(['errno', 'code', 'syscall', 'hostname', 'address', 'port']);

function shapeOf(error: unknown): ErrorShape {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), fields: {} };
  const entries = Object.entries(error).filter(
    ([key, value]) => shownFields.has(key) && (typeof value === 'string' || typeof value === 'number'),
  );
  return {
    name: error.name,
    message: error.message,
    fields: Object.fromEntries(entries),
    cause: error.cause === undefined ? undefined : shapeOf(error.cause),
    errors: error instanceof AggregateError ? error.errors.map(shapeOf) : undefined,
  };
}
