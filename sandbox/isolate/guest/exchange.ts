/**
 * The `Request` that a handler gets and the `Response` that it returns, as they cross the border. Apart from `function.ts`,
 * since evaluating the web's interfaces takes longer than all else that a handler of JSON needs.
 */
import { host, type Request as Received } from './host.ts';
import { bytesOfPiece } from './web/body.ts';
import { encodeUtf8 } from './web/encoding.ts';
import { sortedPairs } from './web/headers.ts';
import { type Request, requestOf } from './web/request.ts';
import { Response, type ResponseState, responseState } from './web/response.ts';
import { URLSearchParams } from './web/url-search-params.ts';

/** Taken before the program can replace it. */
const { stringify } = JSON;

/** Bytes of a body that go to the host at once. */
const pieceBytes = 256 * 2 ** 10;
/** Characters of headers that are no matter. */
const plainLength = 2 ** 14;

export function requestFrom({ method, url, headers, body }: Received): Request {
  const carries = body.length > 0 && method !== 'GET' && method !== 'HEAD';
  const bytes = typeof body === 'string' ? encodeUtf8(body) : (body as Uint8Array<ArrayBuffer>);
  return requestOf(method, url, headers, carries ? bytes : undefined);
}

/** By name; of one that is there more than once, all. */
export function parametersOf(query: string): object {
  const parameters = new URLSearchParams(query);
  const pairs = [...(parameters as unknown as Iterable<[string, string]>)].map(([name]) => {
    const values = parameters.getAll(name);
    return [name, values.length === 1 ? values[0] : values] as const;
  });
  return Object.fromEntries(pairs);
}

export { decodeUtf8 } from './web/encoding.ts';

/** JSON that was made already, as a `Response` that goes out as any other. */
export function sendJson(json: string, status: number, method: string): Promise<void> {
  return sendResponse(new Response(json, { status, headers: { 'content-type': 'application/json' } }), method);
}

/** @param value a `Response` */
export async function sendResponse(value: unknown, method: string): Promise<void> {
  const state = responseState(value) as ResponseState;
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
