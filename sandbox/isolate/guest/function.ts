/**
 * A program that answers an HTTP request, by what its default export is:
 *
 *   an object with `fetch`                    `fetch(request, env, ctx)`, as on Workers; it returns a Response
 *   a function of `request` or `req`          `function (request, env, ctx)`, the same
 *   any other function                        `function (input, ctx)`: what was sent, parsed; what it returns is sent as JSON
 *
 * The response is told to the host piece by piece, where it comes in pieces. The run goes on after it, as any program does,
 * until nothing is left that could enter it: so `ctx.waitUntil` has nothing to do but to take what it is given. A program
 * that serves one call after the other has its call end with that.
 */
import { callable, hasFetch } from './callable.ts';
import { host, type Request as Received } from './host.ts';
import { startInfo } from './process.ts';
import { bytesOfPiece } from './web/body.ts';
import { decodeUtf8, encodeUtf8 } from './web/encoding.ts';
import { sortedPairs } from './web/headers.ts';
import { type Request, requestOf } from './web/request.ts';
import { Response, type ResponseState, responseState } from './web/response.ts';
import { URLSearchParams } from './web/url-search-params.ts';

/** Taken before the program can replace them. */
const { parse, stringify } = JSON;

type Handler = (...args: unknown[]) => unknown;

/** Bytes of a body that go to the host at once. */
const pieceBytes = 256 * 2 ** 10;
/** Characters of headers that are no matter. */
const plainLength = 2 ** 14;

export async function answer(main: unknown, received: Received): Promise<void> {
  if (hasFetch(main)) {
    const value: unknown = await Reflect.apply(main.fetch, main, requestArguments(received));
    if (responseState(value)) return send(value as Response, received.method);
    throw new TypeError(`fetch of the default export must return a Response, and returned ${nameOf(value)}`);
  }
  const handler = callable(main);
  if (!handler) return host.noHandler('request');
  if (takesRequest(handler)) return sendValue(await handler(...requestArguments(received)), received.method);
  return answerInput(handler, received);
}

/** What the call under way has asked to wait for. */
let background: Promise<unknown>[] = [];

/** The same, and resolves when nothing of the call is waited for any more. */
export async function answerInTime(main: unknown, received: Received): Promise<void> {
  background = [];
  await answer(main, received);
  for (let work = background.shift(); work; work = background.shift()) await work;
}

function requestArguments({ method, url, headers, body }: Received): readonly [Request, object, object] {
  const carries = body.length > 0 && method !== 'GET' && method !== 'HEAD';
  const bytes = typeof body === 'string' ? encodeUtf8(body) : (body as Uint8Array<ArrayBuffer>);
  const request = requestOf(method, url, headers, carries ? bytes : undefined);
  return [request, { ...startInfo().env }, { waitUntil }];
}

/** A rejection that nobody handles ends the run as anywhere. */
function waitUntil(work: unknown): void {
  const promise = Promise.resolve(work);
  if (startInfo().serves) background.push(promise);
}

const space = String.raw`(?:\s|/\*[^]*?\*/|//[^\n]*\n)*`;
const firstParameter = new RegExp(
  String.raw`^(?:async\b)?${space}(?:function${space}\*?${space}[^\s(*/]*${space})?\(?${space}req(?:uest)?${space}[,)=]`,
);

/** What is known of a handler that has been called. */
const known = new WeakMap<Handler, boolean>();

/** By the name of its first parameter. */
function takesRequest(main: Handler): boolean {
  let takes = known.get(main);
  if (takes === undefined) {
    takes = firstParameter.test(Function.prototype.toString.call(main));
    known.set(main, takes);
  }
  return takes;
}

async function answerInput(main: Handler, received: Received): Promise<void> {
  const parsed = inputOf(received);
  if ('wrong' in parsed) {
    const message = `the body is not JSON, as its Content-Type says (${parsed.wrong})`;
    return send(Response.json({ error: 'Bad Request', code: 'usage', message }, { status: 400 }), received.method);
  }
  const { argv, env } = startInfo();
  return sendValue(await main(parsed.input, { args: argv.slice(2), env, waitUntil }), received.method);
}

/** The body: JSON where it is some, else its text. Without one, the parameters of the URL. */
function inputOf({ headers, body, url }: Received): { readonly input: unknown } | { readonly wrong: string } {
  if (body.length === 0) return { input: parametersOf(url) };
  const text = typeof body === 'string' ? body : decodeUtf8(body, true);
  try {
    return { input: parse(text) };
  } catch (error) {
    const type = headers.find(([name]) => name === 'content-type')?.[1] ?? '';
    return /^[^;]*[/+]json\s*(?:;|$)/i.test(type) ? { wrong: (error as Error).message } : { input: text };
  }
}

/** By name; of one that is there more than once, all. */
function parametersOf(url: string): object | undefined {
  const query = /\?([^#]*)/.exec(url)?.[1] ?? '';
  if (query === '') return undefined;
  const parameters = new URLSearchParams(query);
  const pairs = [...(parameters as unknown as Iterable<[string, string]>)].map(([name]) => {
    const values = parameters.getAll(name);
    return [name, values.length === 1 ? values[0] : values] as const;
  });
  return Object.fromEntries(pairs);
}

async function sendValue(value: unknown, method: string): Promise<void> {
  if (responseState(value)) return send(value as Response, method);
  if (value === undefined) return host.respond(204, '[]', '');
  const json = stringify(value) as string | undefined;
  if (json === undefined) throw new TypeError(`the default export returned ${nameOf(value)}, which JSON cannot hold`);
  if (method !== 'HEAD' && json.length <= pieceBytes) return host.respond(200, undefined, json);
  return send(new Response(json, { headers: { 'content-type': 'application/json' } }), method);
}

function nameOf(value: unknown): string {
  return value === null ? 'null' : typeof value === 'object' ? 'another object' : typeof value;
}

async function send(response: Response, method: string): Promise<void> {
  const state = responseState(response) as ResponseState;
  if (state.status === 0) throw new TypeError('the default export returned Response.error()');
  if (state.body?.used) throw new TypeError('the default export returned a Response whose body has been read');
  if (state.body?.failure) throw state.body.failure;
  const headers = stringify(headersOf(state));
  const { body } = state;
  if (body) body.used = true;
  if (method !== 'HEAD' && body && !body.pieces && body.bytes.length <= pieceBytes && isPlain(headers))
    return host.respond(state.status, headers, own(body.bytes));
  host.head(state.status, headers);
  if (body && method !== 'HEAD') {
    if (body.pieces) for await (const piece of body.pieces) sendBytes(bytesOfPiece(piece));
    else sendBytes(body.bytes);
  }
  host.body(new Uint8Array());
}

/** Whether the host takes these headers for sure; what is wrong with others is told by `head`. */
function isPlain(headers: string): boolean {
  return headers.length <= plainLength && !/[^\x20-\x7e\x80-\xff]|\\[^"\\]/.test(headers);
}

/** With its length, where that is known. What the program fetched is decoded by now, whatever its headers say. */
function headersOf({ headers, body, url }: ResponseState): [string, string][] {
  const stale = new Set(['content-length', 'transfer-encoding', ...(url === '' ? [] : ['content-encoding'])]);
  const known = body !== null && !body.pieces;
  const kept = sortedPairs(headers).filter(([name]) => !((known || url !== '') && stale.has(name)));
  return known ? [...kept, ['content-length', String(body.bytes.length)]] : kept;
}

/** In a buffer of its own, as `sendBytes` has it. */
function own(bytes: Uint8Array): Uint8Array {
  return bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
}

/** Each piece in a buffer of its own: the whole one behind a view would go along. */
function sendBytes(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += pieceBytes) host.body(bytes.slice(at, at + pieceBytes));
}
