/**
 * `TextEncoder`, `TextDecoder` (https://encoding.spec.whatwg.org/#api). Encoding is done here; decoding by the host's
 * decoders, except short ASCII.
 *
 * The host keeps nothing between two calls, so a stream is kept here. Of UTF-8 that is the beginning of an unfinished
 * character. Where the borders of characters are not to be seen (UTF-16, the legacy encodings) it is all bytes since
 * the last chunk that ended at a border, decoded again with the next one.
 */
import { host } from '../host.ts';
import {
  type BufferSource,
  bytesOf,
  defineInterface,
  type Inspect,
  type InspectOptions,
  inspectSymbol,
  invalidArgument,
  isBufferSource,
  nodeError,
  ownBytes,
} from './interface.ts';

/** UTF-8 of a string; a lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  let size = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    if (isPair(text, index)) index++;
    else if (unit < 0x800) size--;
    size += 2;
  }
  const bytes = new Uint8Array(size);
  encodeInto(text, bytes);
  return bytes;
}

function isPair(text: string, index: number): boolean {
  return (text.charCodeAt(index) & 0xfc00) === 0xd800 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00;
}

/** Writes as many whole characters as fit. */
function encodeInto(text: string, bytes: Uint8Array): { read: number; written: number } {
  let written = 0;
  let read = 0;
  while (read < text.length) {
    const unit = text.charCodeAt(read);
    if (unit < 0x80) {
      if (written >= bytes.length) break;
      bytes[written++] = unit;
      read++;
      continue;
    }
    const pair = isPair(text, read);
    const point = pair ? (text.codePointAt(read) as number) : (unit & 0xf800) === 0xd800 ? 0xfffd : unit;
    const size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (written + size > bytes.length) break;
    bytes[written] = (0xf00 >> size) | (point >> (6 * (size - 1)));
    for (let rest = size - 1, at = written + 1; rest > 0; at++) bytes[at] = 0x80 | ((point >> (6 * --rest)) & 0x3f);
    written += size;
    read += pair ? 2 : 1;
  }
  return { read, written };
}

const shortBytes = 128;

/** UTF-8 bytes as a string, U+FFFD for what is not valid. `stripBom`: whether a byte order mark in front goes. */
export function decodeUtf8(bytes: Uint8Array, stripBom = false): string {
  return decode(bytes, 'utf-8', false, !stripBom, false) as string;
}

function decode(bytes: Uint8Array, encoding: string, fatal: boolean, ignoreBom: boolean, stream: boolean): string | undefined {
  if (encoding === 'utf-8' && bytes.length <= shortBytes && bytes.every((byte) => byte < 0x80)) {
    return String.fromCharCode(...bytes);
  }
  return host.decode(ownBytes(bytes), encoding, fatal, ignoreBom, stream);
}

export class TextEncoder {
  readonly #encoding = 'utf-8';

  get encoding(): string {
    return this.#encoding;
  }

  encode(input: unknown = ''): Uint8Array {
    void this.#encoding;
    return encodeUtf8(`${input as string}`);
  }

  encodeInto(src: unknown, dest: unknown): { read: number; written: number } {
    void this.#encoding;
    if (typeof src !== 'string') throw invalidArgument('src', 'of type string', src);
    if (!(dest instanceof Uint8Array)) throw invalidArgument('dest', 'an instance of Uint8Array', dest);
    return encodeInto(src, dest);
  }

  [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): unknown {
    return depth < 0 ? this : inspect({ encoding: this.encoding }, options);
  }
}
defineInterface(TextEncoder, 'TextEncoder');

interface DecoderOptions {
  readonly fatal?: unknown;
  readonly ignoreBOM?: unknown;
}

const nothing = new Uint8Array();

export class TextDecoder {
  readonly #encoding: string;
  readonly #fatal: boolean;
  readonly #ignoreBom: boolean;
  /** Bytes of the stream that are decoded again with what follows. */
  #kept: Uint8Array = nothing;
  /** How much of the text of `#kept` was handed out. */
  #shown = 0;
  #begun = false;

  constructor(label: unknown = 'utf-8', options: DecoderOptions | null | undefined = undefined) {
    const text = `${label as string}`;
    if (options != null && typeof options !== 'object') throw invalidArgument('options', 'of type object', options);
    const encoding = text === 'utf-8' ? text : host.encodingOf(text);
    if (encoding === undefined) {
      throw nodeError(RangeError, 'ERR_ENCODING_NOT_SUPPORTED', `The "${text}" encoding is not supported`);
    }
    this.#encoding = encoding;
    this.#fatal = Boolean(options?.fatal);
    this.#ignoreBom = Boolean(options?.ignoreBOM);
  }

  decode(input: BufferSource = nothing, options: { readonly stream?: unknown } | null | undefined = undefined): string {
    if (!isBufferSource(input)) {
      const message = 'The "list" argument must be an instance of SharedArrayBuffer, ArrayBuffer or ArrayBufferView.';
      throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    if (options != null && typeof options !== 'object') throw invalidArgument('options', 'of type object', options);
    const bytes = concat(this.#kept, bytesOf(input));
    const text = options?.stream ? this.#decodePart(bytes) : this.#decodeRest(bytes);
    if (text !== undefined) return text;
    this.#reset(false);
    throw Object.assign(new TypeError(`The encoded data was not valid for encoding ${this.#encoding}`), {
      code: 'ERR_ENCODING_INVALID_ENCODED_DATA',
    });
  }

  get encoding(): string {
    return this.#encoding;
  }

  get fatal(): boolean {
    return this.#fatal;
  }

  get ignoreBOM(): boolean {
    return this.#ignoreBom;
  }

  [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): unknown {
    if (depth < 0) return this;
    const { encoding, fatal, ignoreBOM } = this;
    return `${this.constructor.name} ${inspect({ encoding, fatal, ignoreBOM }, options)}`;
  }

  #decodeRest(bytes: Uint8Array): string | undefined {
    const text = this.#run(bytes, false)?.slice(this.#shown);
    this.#reset(false);
    return text;
  }

  #decodePart(bytes: Uint8Array): string | undefined {
    if (this.#encoding !== 'utf-8') return this.#decodeAgain(bytes);
    const end = bytes.length - unfinished(bytes);
    this.#kept = bytes.slice(end);
    if (end === 0) return '';
    const text = this.#run(bytes.subarray(0, end), false);
    this.#begun = true;
    return text;
  }

  #decodeAgain(bytes: Uint8Array): string | undefined {
    const all = this.#run(bytes, true);
    if (all === undefined) return undefined;
    const text = all.slice(this.#shown);
    // A stateful encoding may end at a border in another state than it began, so its stream is kept whole.
    const atBorder = this.#encoding !== 'iso-2022-jp' && this.#run(bytes, false) === all;
    if (atBorder && bytes.length > 0) this.#reset(true);
    else {
      this.#kept = bytes.slice();
      this.#shown = all.length;
    }
    return text;
  }

  #run(bytes: Uint8Array, stream: boolean): string | undefined {
    return decode(bytes, this.#encoding, this.#fatal, this.#ignoreBom || this.#begun, stream);
  }

  #reset(begun: boolean): void {
    this.#kept = nothing;
    this.#shown = 0;
    this.#begun = begun;
  }
}
defineInterface(TextDecoder, 'TextDecoder');

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

/** How many bytes at the end begin a UTF-8 character that they do not finish. */
function unfinished(bytes: Uint8Array): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count++) {
    const byte = bytes[bytes.length - count] as number;
    if ((byte & 0xc0) === 0x80) continue;
    const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return size > count ? count : 0;
  }
  return 0;
}
