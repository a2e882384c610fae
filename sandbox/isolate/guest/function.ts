/**
 * A program that answers an HTTP request, by what its default export is:
 *
 *   an object with `fetch`                    `fetch(request, env, ctx)`, as on Workers; it returns a Response
 *   a function of `request` or `req`          `function (request, env, ctx)`, the same
 *   any other function                        `function (input, ctx)`: what was sent, parsed; what it returns is sent as JSON
 *
 * The response is told to the host piece by piece. The run goes on after it, as any program does, until nothing is left
 * that could enter it: so `ctx.waitUntil` has nothing to do but to take what it is given.
 */
import { callable } from './callable.ts';
import { host, type Request as Received } from './host.ts';
import { startInfo } from './process.ts';
import { bytesOfPiece } from './web/body.ts';
import { decodeUtf8 } from './web/encoding.ts';
import { sortedPairs } from './web/headers.ts';
import { Request } from './web/request.ts';
import { Response, type ResponseState, responseState } from './web/response.ts';
import { URLSearchParams } from './web/url-search-params.ts';

/** Taken before the program can replace them. */
const { parse, stringify } = JSON;

type Handler = (...args: unknown[]) => unknown;

/** Bytes of a body that go to the host at once. */
const pieceBytes = 256 * 2 ** 10;

export async function answer(namespace: object, received: Received): Promise<void> {
  const response = await responseFor((namespace as { default?: unknown }).default, received);
  if (response) await send(response, received.method);
  else host.noHandler();
}

/** @returns undefined where nothing answers requests */
async function responseFor(main: unknown, received: Received): Promise<Response | undefined> {
  const isObject = (typeof main === 'object' && main !== null) || typeof main === 'function';
  const fetch = isObject ? (main as { fetch?: unknown }).fetch : undefined;
  if (typeof fetch === 'function') {
    const value: unknown = await Reflect.apply(fetch, main, requestArguments(received));
    if (responseState(value)) return value as Response;
    throw new TypeError(`fetch of the default export must return a Response, and returned ${nameOf(value)}`);
  }
  const handler = callable(main);
  if (!handler) return undefined;
  return takesRequest(handler) ? asResponse(await handler(...requestArguments(received))) : fromInput(handler, received);
}

function requestArguments({ method, url, headers, body }: Received): readonly [Request, object, object] {
  const carries = body.length > 0 && method !== 'GET' && method !== 'HEAD';
  const request = new Request(url, { method, headers, ...(carries && { body }) });
  return [request, { ...startInfo().env }, { waitUntil }];
}

/** A rejection that nobody handles ends the run as anywhere. */
function waitUntil(work: unknown): void {
  void Promise.resolve(work);
}

const space = String.raw`(?:\s|/\*[^]*?\*/|//[^\n]*\n)*`;
const firstParameter = new RegExp(
  String.raw`^(?:async\b)?${space}(?:function${space}\*?${space}[^\s(*/]*${space})?\(?${space}req(?:uest)?${space}[,)=]`,
);

/** By the name of its first parameter. */
function takesRequest(main: unknown): boolean {
  return firstParameter.test(Function.prototype.toString.call(main));
}

async function fromInput(main: Handler, received: Received): Promise<Response> {
  const parsed = inputOf(received);
  if ('wrong' in parsed) {
    const message = `the body is not JSON, as its Content-Type says (${parsed.wrong})`;
    return Response.json({ error: 'Bad Request', code: 'usage', message }, { status: 400 });
  }
  const { argv, env } = startInfo();
  return asResponse(await main(parsed.input, { args: argv.slice(2), env, waitUntil }));
}

/** The body: JSON where it is some, else its text. Without one, the parameters of the URL. */
function inputOf({ headers, body, url }: Received): { readonly input: unknown } | { readonly wrong: string } {
  if (body.length === 0) return { input: parametersOf(url) };
  const text = decodeUtf8(body, true);
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

function asResponse(value: unknown): Response {
  if (responseState(value)) return value as Response;
  if (value === undefined) return new Response(null, { status: 204 });
  const json = stringify(value) as string | undefined;
  if (json === undefined) throw new TypeError(`the default export returned ${nameOf(value)}, which JSON cannot hold`);
  return new Response(json, { headers: { 'content-type': 'application/json' } });
}

function nameOf(value: unknown): string {
  return value === null ? 'null' : typeof value === 'object' ? 'another object' : typeof value;
}

async function send(response: Response, method: string): Promise<void> {
  const state = responseState(response) as ResponseState;
  if (state.status === 0) throw new TypeError('the default export returned Response.error()');
  if (state.body?.used) throw new TypeError('the default export returned a Response whose body has been read');
  if (state.body?.failure) throw state.body.failure;
  host.head(state.status, stringify(headersOf(state)));
  if (state.body && method !== 'HEAD') {
    state.body.used = true;
    if (state.body.pieces) for await (const piece of state.body.pieces) sendBytes(bytesOfPiece(piece));
    else sendBytes(state.body.bytes);
  }
  host.body(new Uint8Array());
}

/** With its length, where that is known. What the program fetched is decoded by now, whatever its headers say. */
function headersOf({ headers, body, url }: ResponseState): [string, string][] {
  const stale = new Set(['content-length', 'transfer-encoding', ...(url === '' ? [] : ['content-encoding'])]);
  const known = body !== null && !body.pieces;
  const kept = sortedPairs(headers).filter(([name]) => !((known || url !== '') && stale.has(name)));
  return known ? [...kept, ['content-length', String(body.bytes.length)]] : kept;
}

/** Each piece in a buffer of its own: the whole one behind a view would go along. */
function sendBytes(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += pieceBytes) host.body(bytes.slice(at, at + pieceBytes));
}
