/** `Request`. Fetch 5.4: https://fetch.spec.whatwg.org/#request-class */
import { AbortController, type AbortSignal, follow, isSignal } from './abort.ts';
import { type Body, cloneBody, extractBody, type Message, mixinBody } from './body.ts';
import { fillHeaders, type HeaderList, Headers, headerList, headersOver, isToken } from './headers.ts';
import { defineInterface, type Inspect, type InspectOptions, inspectSymbol, requireCount, usvString } from './interface.ts';
import { URL } from './url.ts';

/** What the host's fetch is told, as it is. */
export interface RequestOptions {
  readonly method: string;
  readonly referrer: string;
  readonly referrerPolicy: string;
  readonly mode: string;
  readonly credentials: string;
  readonly cache: string;
  readonly redirect: string;
  readonly integrity: string;
  readonly keepalive: boolean;
}

export interface RequestState extends Message, RequestOptions {
  readonly url: string;
}

type Init = { readonly [Key in keyof RequestOptions]?: unknown } & {
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly signal?: unknown;
  readonly window?: unknown;
  readonly duplex?: unknown;
};

const defaults: RequestOptions = {
  method: 'GET',
  referrer: 'about:client',
  referrerPolicy: '',
  mode: 'cors',
  credentials: 'same-origin',
  cache: 'default',
  redirect: 'follow',
  integrity: '',
  keepalive: false,
};

const allowed = {
  referrerPolicy: [
    '',
    'no-referrer',
    'no-referrer-when-downgrade',
    'same-origin',
    'origin',
    'strict-origin',
    'origin-when-cross-origin',
    'strict-origin-when-cross-origin',
    'unsafe-url',
  ],
  mode: ['navigate', 'same-origin', 'no-cors', 'cors'],
  credentials: ['omit', 'same-origin', 'include'],
  cache: ['default', 'no-store', 'reload', 'no-cache', 'force-cache', 'only-if-cached'],
  redirect: ['follow', 'manual', 'error'],
  duplex: ['half'],
} as const;

/** The state behind a request, not a copy. */
export let requestState: (request: Request) => RequestState;
/** A request that came in by HTTP, and so is known to be well-formed; names of headers in lower case. */
export let requestOf: (
  method: string,
  url: string,
  headers: readonly (readonly [name: string, value: string])[],
  bytes: Uint8Array<ArrayBuffer> | undefined,
) => Request;

export class Request {
  static {
    requestState = (request) => request.#state;
    requestOf = (method, url, pairs, bytes) => {
      const request = new Request(url);
      const headers = receivedHeaders(pairs);
      request.#headers = headersOver(headers);
      request.#state = { ...request.#state, method: methodOf(method), headers, body: bytes ? { bytes, used: false } : null };
      return request;
    };
  }

  #state: RequestState;
  #headers: Headers;
  readonly #signal: AbortSignal;

  constructor(input: unknown, init: Init | null | undefined = undefined) {
    requireCount(arguments.length, 1, 'Request constructor');
    if (init != null && typeof init !== 'object' && typeof init !== 'function') {
      throw new TypeError('Request constructor: Expected RequestInit ("init") to be one of: Null, Undefined, Object.');
    }
    const source = input instanceof Request ? input : undefined;
    const url = source ? source.url : parsedUrl(usvString(input));
    const given = init ?? {};
    const options = mergedOptions(source ? source.#state : defaults, given);
    this.#signal = signalOf(given.signal === undefined ? source?.signal : given.signal);
    this.#headers = given.headers === undefined && source ? new Headers(source.headers) : new Headers();
    if (given.headers !== undefined) fillHeaders(this.#headers, given.headers);
    const body = bodyOf(source, given, options.method, this.#headers);
    this.#state = { ...options, url, body, headers: headerList(this.#headers) };
  }

  get method(): string {
    return this.#state.method;
  }

  get url(): string {
    return this.#state.url;
  }

  get headers(): Headers {
    return this.#headers;
  }

  get destination(): string {
    void this.#state;
    return '';
  }

  get referrer(): string {
    return this.#state.referrer;
  }

  get referrerPolicy(): string {
    return this.#state.referrerPolicy;
  }

  get mode(): string {
    return this.#state.mode;
  }

  get credentials(): string {
    return this.#state.credentials;
  }

  get cache(): string {
    return this.#state.cache;
  }

  get redirect(): string {
    return this.#state.redirect;
  }

  get integrity(): string {
    return this.#state.integrity;
  }

  get keepalive(): boolean {
    return this.#state.keepalive;
  }

  get isReloadNavigation(): boolean {
    void this.#state;
    return false;
  }

  get isHistoryNavigation(): boolean {
    void this.#state;
    return false;
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  get duplex(): string {
    void this.#state;
    return 'half';
  }

  clone(): Request {
    const body = cloneBody(this.#state.body, 'unusable');
    const copy = new Request(this.#state.url, { ...this.#state, headers: this.#headers, body: null, signal: this.#signal });
    return Request.#withBody(copy, body);
  }

  [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): string {
    const { method, url, headers, destination, referrer, referrerPolicy, mode, credentials, cache } = this;
    const { redirect, integrity, keepalive, isReloadNavigation, isHistoryNavigation, signal } = this;
    const target = { method, url, headers, destination, referrer, referrerPolicy };
    const policy = { mode, credentials, cache, redirect, integrity, keepalive };
    const fields = { ...target, ...policy, isReloadNavigation, isHistoryNavigation, signal };
    return `Request ${inspect(fields, { ...options, depth: options.depth ?? Math.max(depth, 2) })}`;
  }

  static #withBody(request: Request, body: Body | null): Request {
    Object.assign(request.#state, { body });
    return request;
  }
}
mixinBody(Request, 'Request', (request) => requestState(request));
defineInterface(Request, 'Request');

function receivedHeaders(pairs: readonly (readonly [name: string, value: string])[]): HeaderList {
  const list: HeaderList = new Map();
  for (const [name, value] of pairs) list.set(name, { name, values: [...(list.get(name)?.values ?? []), value] });
  return list;
}

function parsedUrl(input: string): string {
  const url = attempt(() => new URL(input), `Failed to parse URL from ${input}`);
  if (url.username === '' && url.password === '') return url.href;
  throw new TypeError(`Request cannot be constructed from a URL that includes credentials: ${input}`);
}

function attempt<T>(work: () => T, message: string): T {
  try {
    return work();
  } catch (cause) {
    throw new TypeError(message, { cause });
  }
}

function mergedOptions(base: RequestOptions, init: Init): RequestOptions {
  const { referrerPolicy, mode, credentials, cache, redirect, integrity, keepalive } = base;
  const merged = {
    method: init.method === undefined ? base.method : methodOf(init.method),
    referrer: init.referrer === undefined ? base.referrer : referrerOf(usvString(init.referrer)),
    referrerPolicy: choice(init, 'referrerPolicy') ?? referrerPolicy,
    mode: choice(init, 'mode') ?? mode,
    credentials: choice(init, 'credentials') ?? credentials,
    cache: choice(init, 'cache') ?? cache,
    redirect: choice(init, 'redirect') ?? redirect,
    integrity: init.integrity == null ? integrity : `${init.integrity as string}`,
    keepalive: init.keepalive === undefined ? keepalive : Boolean(init.keepalive),
  };
  choice(init, 'duplex');
  if (init.window != null) throw new TypeError("'window' option 'client' must be null");
  if (merged.mode === 'navigate') throw new TypeError('Request constructor: invalid request mode navigate.');
  if (merged.mode === 'no-cors' && !['GET', 'HEAD', 'POST'].includes(merged.method)) {
    throw new TypeError(`'${merged.method} is unsupported in no-cors mode.`);
  }
  if (merged.cache === 'only-if-cached' && merged.mode !== 'same-origin') {
    throw new TypeError("'only-if-cached' can be set only with 'same-origin' mode");
  }
  return merged;
}

function choice(init: Init, key: keyof typeof allowed): string | undefined {
  const value = init[key];
  if (value === undefined) return undefined;
  const text = `${value as string}`;
  const values: readonly string[] = allowed[key];
  if (values.includes(text)) return text;
  throw new TypeError(`Request constructor: ${text} is not an accepted type. Expected one of ${values.join(', ')}.`);
}

/** The methods that are written in upper case, however they were given; `patch` is not among them. */
const normalized = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT']);

function methodOf(value: unknown): string {
  const method = `${value as string}`;
  if (!isToken(method)) throw new TypeError(`'${method}' is not a valid HTTP method.`);
  const upper = method.toUpperCase();
  if (['CONNECT', 'TRACE', 'TRACK'].includes(upper)) throw new TypeError(`'${method}' HTTP method is unsupported.`);
  return normalized.has(upper) ? upper : method;
}

function referrerOf(referrer: string): string {
  if (referrer === '') return '';
  const url = attempt(() => new URL(referrer), `Referrer "${referrer}" is not a valid URL.`);
  return url.protocol === 'about:' && url.pathname === 'client' ? 'about:client' : url.href;
}

function signalOf(given: unknown): AbortSignal {
  if (given == null) return new AbortController().signal;
  if (isSignal(given)) return follow([given]);
  throw new TypeError(`RequestInit: Expected signal ("${String(given)}") to be an instance of AbortSignal.`);
}

function bodyOf(source: Request | undefined, init: Init, method: string, headers: Headers): Body | null {
  const inherited = source ? requestState(source).body : null;
  if ((init.body != null || inherited !== null) && (method === 'GET' || method === 'HEAD')) {
    throw new TypeError('Request with GET/HEAD method cannot have body.');
  }
  if (init.body != null) {
    const { body, type } = extractBody(init.body);
    if (type !== undefined && !headers.has('content-type')) headers.append('content-type', type);
    return body;
  }
  if (inherited === null) return null;
  if (inherited.used) throw new TypeError('Cannot construct a Request with a Request object that has already been used.');
  inherited.used = true;
  return { ...inherited, used: false };
}
