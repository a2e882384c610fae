/**
 * Bodies of requests and responses: bytes in memory, read once. Fetch 5.3: https://fetch.spec.whatwg.org/#body-mixin
 *
 * What `Request` and `Response` share is put on each prototype, since neither extends anything.
 */
import type { AbortSignal } from './abort.ts';
import { Blob, blobBytes, joined } from './blob.ts';
import { decodeUtf8, encodeUtf8 } from './encoding.ts';
import { encodeForm, FormData } from './form-data.ts';
import { combined, type HeaderList } from './headers.ts';
import { bytesOf, type Inspect, type InspectOptions, inspectSymbol, isBufferSource } from './interface.ts';
import { streamsAbsent } from './streams-absent.ts';
import { URLSearchParams } from './url-search-params.ts';

export interface Body {
  /** Never written, since a clone reads the same. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** In place of `bytes`, what the program makes them of while it is read: text and bytes. */
  readonly pieces?: AsyncIterable<unknown>;
  used: boolean;
  /** What reading ends with, where the connection broke after the head had come. */
  readonly failure?: Error;
  /** A response that nobody has read is lost with the request's signal. */
  readonly signal?: AbortSignal;
}

/** What a message keeps for its body. */
export interface Message {
  readonly body: Body | null;
  readonly headers: HeaderList;
}

/**
 * The body for what a program gives as one, with the media type that it brings.
 * @param inPieces whether an async iterable will do, as node has it for what is sent
 */
export function extractBody(init: unknown, inPieces = false): { body: Body; type: string | undefined } {
  if (isAsyncIterable(init)) {
    if (!inPieces) throw streamsAbsent('A body that arrives in pieces');
    return { body: { bytes: new Uint8Array(), pieces: init, used: false }, type: undefined };
  }
  const { bytes, type } = contentOf(init);
  return { body: { bytes, used: false }, type };
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject && Symbol.asyncIterator in value;
}

function contentOf(init: unknown): { bytes: Uint8Array<ArrayBuffer>; type: string | undefined } {
  if (init instanceof URLSearchParams) {
    return { bytes: encodeUtf8(init.toString()), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
  }
  if (isBufferSource(init)) return { bytes: new Uint8Array(bytesOf(init)), type: undefined };
  if (init instanceof FormData) return encodeForm(init);
  if (init instanceof Blob) return { bytes: blobBytes(init), type: init.type || undefined };
  return { bytes: encodeUtf8(`${init as string}`), type: 'text/plain;charset=UTF-8' };
}

async function collected(pieces: AsyncIterable<unknown>): Promise<Uint8Array<ArrayBuffer>> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(bytesOfPiece(piece));
  return joined(all);
}

/** What an async iterable gives as a part of a body. */
export function bytesOfPiece(piece: unknown): Uint8Array {
  if (isBufferSource(piece)) return bytesOf(piece);
  if (typeof piece === 'string') return encodeUtf8(piece);
  throw new TypeError(`A body is made of text and bytes, and its iterator gave ${piece === null ? 'null' : typeof piece}`);
}

/** The same body for a clone. @throws TypeError with `message` where it was read */
export function cloneBody(body: Body | null, message: string): Body | null {
  if (body?.used) throw new TypeError(message);
  if (body?.pieces) throw streamsAbsent('A clone of a body that is made in pieces');
  return body && { ...body };
}

/** Puts the methods that read a body on an interface. @param messageOf throws for what is not of the interface */
export function mixinBody<T extends object>(
  type: { readonly prototype: T },
  name: string,
  messageOf: (target: T) => Message,
): void {
  async function consume<R>(target: T, convert: (bytes: Uint8Array<ArrayBuffer>, headers: HeaderList) => R): Promise<R> {
    const { body, headers } = messageOf(target);
    if (body === null) return convert(new Uint8Array(), headers);
    if (body.used) throw new TypeError('Body is unusable: Body has already been read');
    body.used = true;
    body.signal?.throwIfAborted();
    if (body.failure) throw body.failure;
    return convert(body.pieces ? await collected(body.pieces) : body.bytes, headers);
  }
  const members = {
    get body(): null {
      if (messageOf(this as unknown as T).body === null) return null;
      throw streamsAbsent(`${name}.body`);
    },
    get bodyUsed(): boolean {
      return messageOf(this as unknown as T).body?.used ?? false;
    },
    blob(this: T) {
      return consume(this, (bytes, headers) => new Blob([bytes], { type: combined(headers, 'content-type') }));
    },
    arrayBuffer(this: T) {
      return consume(this, (bytes) => bytes.slice().buffer);
    },
    text(this: T) {
      return consume(this, (bytes) => decodeUtf8(bytes, true));
    },
    json(this: T) {
      return consume(this, (bytes) => JSON.parse(decodeUtf8(bytes, true)) as unknown);
    },
    formData(this: T) {
      return consume(this, parseForm);
    },
    bytes(this: T) {
      return consume(this, (bytes) => bytes.slice());
    },
    textStream(this: T) {
      messageOf(this);
      throw streamsAbsent(`${name}.textStream()`);
    },
  };
  for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(members))) {
    Object.defineProperty(type.prototype, key, descriptor);
  }
}

function parseForm(bytes: Uint8Array, headers: HeaderList): FormData {
  const [essence = ''] = combined(headers, 'content-type').toLowerCase().split(';', 1);
  if (essence.trim() === 'application/x-www-form-urlencoded') {
    const form = new FormData();
    for (const [name, value] of new URLSearchParams(decodeUtf8(bytes)) as unknown as Iterable<[string, string]>)
      form.append(name, value);
    return form;
  }
  if (essence.trim() === 'multipart/form-data') {
    throw new TypeError('An isolate does not read multipart/form-data; run the script with --runtime node');
  }
  throw new TypeError('Content-Type was not one of "multipart/form-data" or "application/x-www-form-urlencoded".');
}

/** Shows a body as the stream that it is under node. */
export function shownBody(body: Body | null): object | null {
  if (body === null) return null;
  const fields = { locked: body.used, state: body.used ? 'closed' : 'readable', supportsBYOB: true };
  return {
    [inspectSymbol]: (_depth: number, options: InspectOptions, inspect: Inspect) => `ReadableStream ${inspect(fields, options)}`,
  };
}
