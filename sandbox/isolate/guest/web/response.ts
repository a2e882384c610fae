/** `Response`. Fetch 5.5: https://fetch.spec.whatwg.org/#response-class */
import { type Body, cloneBody, extractBody, type Message, mixinBody, shownBody } from './body.ts';
import { encodeUtf8 } from './encoding.ts';
import { fillHeaders, type HeaderList, Headers, headerList, headersOver } from './headers.ts';
import { defineInterface, type Inspect, type InspectOptions, inspectSymbol, requireCount, usvString } from './interface.ts';
import { setIsResponse } from './is-response.ts';
import { URL } from './url.ts';

export interface ResponseState extends Message {
  readonly type: string;
  readonly url: string;
  readonly redirected: boolean;
  readonly status: number;
  readonly statusText: string;
}

const plain: Omit<ResponseState, 'headers'> = {
  type: 'default',
  url: '',
  redirected: false,
  status: 200,
  statusText: '',
  body: null,
};
const nullBodyStatus = new Set([101, 103, 204, 205, 304]);
const redirectStatus = new Set([301, 302, 303, 307, 308]);

/** A response of the platform's own; its headers are immutable. */
export let responseOf: (state: ResponseState) => Response;
/** The state behind a response, not a copy; undefined for anything else. */
export let responseState: (value: unknown) => ResponseState | undefined;
let stateOf: (response: Response) => ResponseState;

interface ResponseInit {
  readonly status?: unknown;
  readonly statusText?: unknown;
  readonly headers?: unknown;
}

export class Response {
  static {
    stateOf = (response) => response.#state;
    responseState = (value) => (typeof value === 'object' && value !== null && #state in value ? value.#state : undefined);
    responseOf = (state) => Response.#over(state, headersOver(state.headers, true));
  }

  #state: ResponseState;
  #headers: Headers;

  constructor(body: unknown = null, init: ResponseInit | null | undefined = undefined) {
    const given = body == null ? undefined : extractBody(body, true);
    this.#headers = new Headers();
    this.#state = { ...plain, ...initialized(init, this.#headers, given) };
  }

  static error(): Response {
    return responseOf({ ...plain, type: 'error', status: 0, headers: new Map() });
  }

  static json(data: unknown, init: ResponseInit | null | undefined = undefined): Response {
    requireCount(arguments.length, 1, 'Response.json');
    const text = JSON.stringify(data) as string | undefined;
    if (text === undefined) throw new TypeError('Value is not JSON serializable');
    const headers = new Headers();
    const body: Body = { bytes: encodeUtf8(text), used: false };
    return Response.#over({ ...plain, ...initialized(init, headers, { body, type: 'application/json' }) }, headers);
  }

  static redirect(url: unknown, status: unknown = 302): Response {
    requireCount(arguments.length, 1, 'Response.redirect');
    const input = usvString(url);
    const parsed = URL.parse(input);
    if (parsed === null) throw new TypeError(`Failed to parse URL from ${input}`, { cause: invalid(input) });
    const code = Number(status) & 0xffff;
    if (!redirectStatus.has(code)) throw new RangeError(`Invalid status code ${code}`);
    const location = { name: 'location', values: [parsed.href] };
    return responseOf({ ...plain, status: code, headers: new Map([['location', location]]) });
  }

  get type(): string {
    return this.#state.type;
  }

  get url(): string {
    return this.#state.url;
  }

  get redirected(): boolean {
    return this.#state.redirected;
  }

  get status(): number {
    return this.#state.status;
  }

  get ok(): boolean {
    return this.#state.status >= 200 && this.#state.status <= 299;
  }

  get statusText(): string {
    return this.#state.statusText;
  }

  get headers(): Headers {
    return this.#headers;
  }

  clone(): Response {
    const body = cloneBody(this.#state.body, 'Response.clone: Body has already been consumed.');
    const headers: HeaderList = new Map(this.#state.headers);
    return Response.#over({ ...this.#state, body, headers }, headersOver(headers, this.#state.type !== 'default'));
  }

  [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): string {
    const { status, statusText, headers, ok, redirected, type, url } = this;
    const { body } = this.#state;
    const fields = {
      status,
      statusText,
      headers,
      body: shownBody(body),
      bodyUsed: body?.used ?? false,
      ok,
      redirected,
      type,
      url,
    };
    return `Response ${inspect(fields, { ...options, depth: options.depth ?? Math.max(depth, 2) })}`;
  }

  static #over(state: ResponseState, headers: Headers): Response {
    const response = new Response();
    response.#state = state;
    response.#headers = headers;
    return response;
  }
}
setIsResponse((value) => responseState(value) !== undefined);
mixinBody(Response, 'Response', (response) => stateOf(response));
defineInterface(Response, 'Response');

function invalid(input: string): unknown {
  try {
    return new URL(input);
  } catch (error) {
    return error;
  }
}

/** https://fetch.spec.whatwg.org/#initialize-a-response */
function initialized(
  init: ResponseInit | null | undefined,
  headers: Headers,
  given: { body: Body; type: string | undefined } | undefined,
): Pick<ResponseState, 'status' | 'statusText' | 'body' | 'headers'> {
  if (init != null && typeof init !== 'object' && typeof init !== 'function') {
    throw new TypeError('Response constructor: Expected ResponseInit ("init") to be one of: Null, Undefined, Object.');
  }
  const status = init?.status === undefined ? 200 : Number(init.status) & 0xffff;
  if (status < 200 || status > 599) throw new RangeError('init["status"] must be in the range of 200 to 599, inclusive.');
  const statusText = init?.statusText === undefined ? '' : `${init.statusText as string}`;
  if (/[^\t\x20-\x7e\x80-\xff]/.test(statusText)) throw new TypeError('Invalid statusText');
  if (init?.headers !== undefined) fillHeaders(headers, init.headers);
  if (given && nullBodyStatus.has(status)) {
    throw new TypeError(`Response constructor: Invalid response status code ${status}`);
  }
  if (given?.type !== undefined && !headers.has('content-type')) headers.append('content-type', given.type);
  return { status, statusText, body: given?.body ?? null, headers: headerList(headers) };
}
