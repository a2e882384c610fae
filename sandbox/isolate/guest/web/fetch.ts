/**
 * `fetch` (https://fetch.spec.whatwg.org/#fetch-method) through the host's own.
 *
 * A request goes to the host under a number and the promise waits in `pending`; `deliver` settles it with the whole
 * response. An abort settles it here at once, and an answer for a number that is no longer known is dropped.
 */
import { host } from '../host.ts';
import { type AbortSignal, onAbort } from './abort.ts';
import { type HeaderList, Headers, headerList, writtenPairs } from './headers.ts';
import { requireCount } from './interface.ts';
import { Request, requestState } from './request.ts';
import { type Response, responseOf } from './response.ts';

/** An error of the host, as JSON. */
export interface ErrorShape {
  readonly name: string;
  readonly message: string;
  /** What names the failure, such as `code` and `syscall`. */
  readonly fields: Readonly<Record<string, string | number>>;
  readonly cause?: ErrorShape | undefined;
  /** Of an AggregateError. */
  readonly errors?: readonly ErrorShape[] | undefined;
}

/** A response without its body, as JSON. */
export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  readonly type: string;
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: readonly (readonly [string, string])[];
  /** Why the body did not come whole. */
  readonly failure?: ErrorShape | undefined;
}

interface Pending {
  /** Made when the request began, so that its stack names the program's own line. */
  readonly failure: Error;
  readonly signal: AbortSignal;
  readonly resolve: (response: Response) => void;
  readonly reject: (error: unknown) => void;
  readonly settled: () => void;
}

const pending = new Map<number, Pending>();
let lastId = 0;

export function fetch(input: unknown, init: unknown = undefined): Promise<Response> {
  requireCount(arguments.length, 1, 'globalThis.fetch');
  return start(input, init as ConstructorParameters<typeof Request>[1]);
}

async function start(input: unknown, init: ConstructorParameters<typeof Request>[1]): Promise<Response> {
  const request = new Request(input, init);
  const failure = new TypeError('fetch failed');
  request.signal.throwIfAborted();
  const { body, headers, ...rest } = requestState(request);
  if (body) body.used = true;
  const id = ++lastId;
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const settled = onAbort(request.signal, () => {
    pending.delete(id);
    host.abortFetch(id);
    reject(request.signal.reason);
  });
  pending.set(id, { failure, signal: request.signal, resolve, reject, settled });
  host.fetch(id, JSON.stringify({ ...rest, headers: writtenPairs(headers) }), body?.bytes.slice());
  return promise;
}

/** The host's answer: a `ResponseHead` and the body where `ok`, else an `ErrorShape`. */
export function deliver(id: number, ok: boolean, head: string, body: ArrayBuffer | undefined): void {
  const waiting = pending.get(id);
  if (waiting === undefined) return;
  pending.delete(id);
  waiting.settled();
  if (ok) waiting.resolve(received(JSON.parse(head) as ResponseHead, body, waiting));
  else waiting.reject(filled(waiting.failure, JSON.parse(head) as ErrorShape, waiting.failure));
}

function received(head: ResponseHead, body: ArrayBuffer | undefined, { signal, failure }: Pending): Response {
  const { failure: broken, headers, ...rest } = head;
  const failed = broken ? { failure: revived(broken, failure) } : {};
  const content = body === undefined ? null : { bytes: new Uint8Array(body), used: false, signal, ...failed };
  return responseOf({ ...rest, headers: listFrom(headers), body: content });
}

function listFrom(pairs: ResponseHead['headers']): HeaderList {
  return headerList(new Headers(pairs));
}

const constructors: Readonly<Record<string, ErrorConstructor>> = { TypeError, RangeError, SyntaxError };

/** An error of the host as one of the guest, with the stack of the call that it comes from. */
function revived(shape: ErrorShape, call: Error): Error {
  const type = constructors[shape.name] ?? Error;
  const error = shape.errors ? new AggregateError(shape.errors.map((each) => revived(each, call))) : new type();
  filled(error, shape, call);
  const frames = call.stack?.slice(call.stack.indexOf('\n    at ')) ?? '';
  return Object.defineProperty(error, 'stack', { value: `${error.name}: ${error.message}${frames}`, enumerable: false });
}

function filled(error: Error, shape: ErrorShape, call: Error): Error {
  const own = (key: string, value: unknown): void => {
    Object.defineProperty(error, key, { value, writable: true, configurable: true });
  };
  if (error.name !== shape.name) own('name', shape.name);
  own('message', shape.message);
  if (shape.cause) own('cause', revived(shape.cause, call));
  return Object.assign(error, shape.fields);
}
