/** `Blob` and `File` over bytes in memory. File API: https://w3c.github.io/FileAPI/ */
import { decodeUtf8, encodeUtf8 } from './encoding.ts';
import {
  bytesOf,
  deeper,
  defineInterface,
  type Inspect,
  type InspectOptions,
  inspectSymbol,
  isBufferSource,
  requireArguments,
  sequence,
} from './interface.ts';
import { streamsAbsent } from './streams-absent.ts';

interface BlobOptions {
  readonly type?: unknown;
  readonly endings?: unknown;
}

/** The bytes of a blob; they never change. */
export let blobBytes: (blob: Blob) => Uint8Array<ArrayBuffer>;

export class Blob {
  static {
    blobBytes = (blob) => blob.#bytes;
  }

  #bytes: Uint8Array<ArrayBuffer>;
  readonly #type: string;

  constructor(parts: unknown = [], options: BlobOptions | null | undefined = undefined) {
    const list = sequence(parts);
    if (list === undefined) {
      throw Object.assign(new TypeError('Value cannot be converted to sequence.'), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    const native = options?.endings === 'native';
    this.#bytes = joined(list.map((part) => partBytes(part, native)));
    this.#type = mimeType(options?.type);
  }

  get type(): string {
    return this.#type;
  }

  get size(): number {
    return this.#bytes.length;
  }

  slice(start: unknown = undefined, end: unknown = undefined, type: unknown = ''): Blob {
    const blob = new Blob([], { type });
    blob.#bytes = this.#bytes.subarray(start as number, end as number);
    return blob;
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#bytes.slice().buffer;
  }

  async text(): Promise<string> {
    return decodeUtf8(this.#bytes);
  }

  async bytes(): Promise<Uint8Array> {
    return this.#bytes.slice();
  }

  stream(): never {
    throw streamsAbsent('Blob.stream()');
  }

  textStream(): never {
    throw streamsAbsent('Blob.textStream()');
  }

  [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): unknown {
    return depth < 0 ? this : `Blob ${inspect({ size: this.size, type: this.type }, deeper(options))}`;
  }
}
defineInterface(Blob, 'Blob');

export class File extends Blob {
  readonly #name: string;
  readonly #lastModified: number;

  constructor(
    parts: unknown,
    name: unknown,
    options: (BlobOptions & { readonly lastModified?: unknown }) | null | undefined = undefined,
  ) {
    requireArguments(arguments.length, 'fileBits', 'fileName');
    super(parts, options);
    this.#name = `${name as string}`.toWellFormed();
    this.#lastModified = options?.lastModified === undefined ? Date.now() : Math.trunc(Number(options.lastModified)) || 0;
  }

  get name(): string {
    return this.#name;
  }

  get lastModified(): number {
    return this.#lastModified;
  }

  override [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): unknown {
    const { size, type, name, lastModified } = this;
    return depth < 0 ? this : `File ${inspect({ size, type, name, lastModified }, deeper(options))}`;
  }
}
defineInterface(File, 'File');

/** One buffer of all the bytes. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function partBytes(part: unknown, nativeEndings: boolean): Uint8Array {
  if (part instanceof Blob) return blobBytes(part);
  if (isBufferSource(part)) return bytesOf(part);
  const text = `${part as string}`;
  return encodeUtf8(nativeEndings ? text.replace(/\r\n?|\n/g, '\n') : text);
}

function mimeType(type: unknown): string {
  const text = type === undefined ? '' : `${type as string}`;
  return /[^\x20-\x7e]/.test(text) ? '' : text.toLowerCase();
}
