/**
 * What a program tells, on its way to another process: gathered for a moment, since a message costs more than what is in
 * it, and bounded, since a program can write faster than anybody reads.
 */
import { formatBytes } from '../../src/base/units.ts';
import type { Report } from './protocol.ts';

const flushBytes = 64 * 2 ** 10;
/** Long enough for a short program to end meanwhile, short enough for eyes. */
const flushMs = 2;

type Stream = 'body' | 1 | 2;

export class Outbox {
  readonly #send: (reports: readonly Report[]) => void;
  readonly #maxBytes: number;
  readonly #total = { 1: 0, 2: 0 };
  #reports: Report[] = [];
  /** The last pieces of one stream: they become one report. */
  #pieces: Buffer[] = [];
  #stream: Stream = 1;
  #gathered = 0;
  #flushing: NodeJS.Timeout | undefined;

  /** @param maxBytes of stdout and of stderr; what is beyond is dropped, with a mark */
  constructor(send: (reports: readonly Report[]) => void, maxBytes: number) {
    this.#send = send;
    this.#maxBytes = maxBytes;
  }

  /** @param data text, or bytes that nobody else writes to @returns how many bytes it is */
  write(fd: 1 | 2, data: string | Uint8Array): number {
    const room = this.#maxBytes - this.#total[fd];
    if (room < 0) return 0;
    const bytes = typeof data === 'string' ? Buffer.from(data) : bufferOver(data);
    this.#total[fd] += bytes.length;
    this.#gather(fd, bytes.length <= room ? bytes : Buffer.concat([bytes.subarray(0, room), this.#mark()]));
    return bytes.length;
  }

  /** @param data not empty; bytes that nobody else writes to */
  body(data: Uint8Array): void {
    this.#gather('body', bufferOver(data));
  }

  /** Anything else, in its place among the output. */
  tell(report: Report): void {
    this.#join();
    this.#reports.push(report);
    this.#flushSoon();
  }

  /** Sends what was gathered. */
  flush(): void {
    clearTimeout(this.#flushing);
    this.#flushing = undefined;
    this.#join();
    this.#gathered = 0;
    if (this.#reports.length === 0) return;
    const reports = this.#reports;
    this.#reports = [];
    this.#send(reports);
  }

  #mark(): Buffer {
    return Buffer.from(`\n[prisn: output beyond ${formatBytes(this.#maxBytes)} was dropped]\n`);
  }

  #gather(stream: Stream, bytes: Buffer): void {
    if (stream !== this.#stream) this.#join();
    this.#stream = stream;
    this.#pieces.push(bytes);
    this.#gathered += bytes.length;
    if (this.#gathered >= flushBytes) this.flush();
    else this.#flushSoon();
  }

  #join(): void {
    if (this.#pieces.length === 0) return;
    const data = joined(this.#pieces);
    this.#pieces = [];
    this.#reports.push(this.#stream === 'body' ? { type: 'body', data } : { type: 'output', fd: this.#stream, data });
  }

  #flushSoon(): void {
    this.#flushing ??= setTimeout(() => this.flush(), flushMs);
  }
}

function bufferOver({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** In memory of their own: a message takes the whole buffer behind a view along, and node's small ones share one. */
function joined(pieces: readonly Buffer[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
