/**
 * Reads the replies of HTTP/1.1 on one connection, one at a time (RFC 9112): just what a load generator needs of them, at a quarter
 * of what `node:http` costs (15 µs a request, and 70; bench/README.md), which on a small machine is time that its target lacks.
 */

export interface Reply {
  readonly status: number;
  readonly body: Buffer;
  /** Whether the connection can take another request. */
  readonly isKept: boolean;
}

/** Of a head, and of the line that a chunk begins with. */
const maxHeadBytes = 64 * 1024;
const nothing = Buffer.alloc(0);

export class ReplyReader {
  /** Bytes that have come and not been read. */
  #rest: Buffer = nothing;
  #head: { readonly status: number; readonly isKept: boolean } | undefined;
  /** Of the body or the chunk: what is still to come; endless where the end of the connection is the end. */
  #missing = 0;
  #isChunked = false;
  /** An empty line is due, the end of the chunk that was read. */
  #endsChunk = false;
  /** The chunk of size 0 has come. */
  #isLast = false;
  #parts: Buffer[] = [];

  /** @returns the reply, once it is whole. @throws Error where this is no HTTP */
  read(bytes: Buffer): Reply | undefined {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (!this.#head) {
      const text = this.#takeTo('\r\n\r\n');
      if (text === undefined) return undefined;
      this.#begin(text);
    }
    return this.#isChunked ? this.#readChunks() : this.#readBody();
  }

  /** The connection has ended. @returns the reply, where that is how it ends */
  end(): Reply | undefined {
    return this.#head && this.#missing === Number.POSITIVE_INFINITY ? this.#finish() : undefined;
  }

  #begin(text: string): void {
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |\r|$)/.exec(text)?.[1] ?? Number.NaN);
    if (Number.isNaN(status)) throw new Error('the answer is not HTTP/1.1');
    // Interim: the reply is still to come.
    if (status < 200) return;
    this.#isChunked = /^transfer-encoding:.*\bchunked[ \t]*$/im.test(text);
    const length = /^content-length:[ \t]*(\d+)[ \t]*$/im.exec(text)?.[1];
    const hasBody = status !== 204 && status !== 304;
    this.#missing = !hasBody || this.#isChunked ? 0 : length === undefined ? Number.POSITIVE_INFINITY : Number(length);
    const isKept = text.startsWith('HTTP/1.1') && !/^connection:.*\bclose\b/im.test(text);
    this.#head = { status, isKept: isKept && this.#missing !== Number.POSITIVE_INFINITY };
  }

  #readBody(): Reply | undefined {
    this.#takeBody();
    return this.#missing === 0 ? this.#finish() : undefined;
  }

  /** RFC 9112, 7.1: `size CRLF bytes CRLF`, and after the chunk of size 0 trailer fields to an empty line. */
  #readChunks(): Reply | undefined {
    for (;;) {
      this.#takeBody();
      if (this.#missing > 0) return undefined;
      const line = this.#takeTo('\r\n');
      if (line === undefined) return undefined;
      if (this.#isLast) {
        if (line === '') return this.#finish();
      } else if (line !== '' || !this.#endsChunk) this.#beginChunk(line);
      else this.#endsChunk = false;
    }
  }

  #beginChunk(line: string): void {
    const size = /^[\da-f]{1,12}(?=[ \t]*(?:;|$))/i.exec(line)?.[0];
    if (size === undefined || this.#endsChunk) throw new Error('a chunk of the answer has no size');
    this.#missing = Number.parseInt(size, 16);
    this.#isLast = this.#missing === 0;
    this.#endsChunk = !this.#isLast;
  }

  #takeBody(): void {
    if (this.#missing === 0) return;
    const taken = this.#rest.subarray(0, this.#missing);
    this.#parts.push(taken);
    this.#missing -= taken.length;
    this.#rest = this.#rest.subarray(taken.length);
  }

  #finish(): Reply {
    const { status = 0, isKept = false } = this.#head ?? {};
    const body = this.#parts.length === 1 ? (this.#parts[0] ?? nothing) : Buffer.concat(this.#parts);
    this.#head = undefined;
    this.#missing = 0;
    this.#isLast = false;
    this.#parts = [];
    return { status, body, isKept };
  }

  /** Takes what stands before a mark, and the mark. */
  #takeTo(mark: string): string | undefined {
    const at = this.#rest.indexOf(mark, 0, 'latin1');
    if (at < 0 || at > maxHeadBytes) {
      if (this.#rest.length > maxHeadBytes) throw new Error('the head of the answer is too long');
      return undefined;
    }
    const text = this.#rest.toString('latin1', 0, at);
    this.#rest = this.#rest.subarray(at + mark.length);
    return text;
  }
}
