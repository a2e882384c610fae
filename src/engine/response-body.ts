/** The body of an answer between a program that writes and a client that reads. */
import { formatBytes } from '../base/units.ts';

/** Not every program can be held back; one that is so far ahead of its client is cut off. */
const maxUnreadBytes = 16 * 2 ** 20;
/** Of all programs together; the one that is furthest ahead is cut off. */
const maxUnreadInAll = 64 * 2 ** 20;

/** Has the bodies of which something is unread. */
class Unread {
  readonly #bodies = new Map<ResponseBody, number>();
  #total = 0;

  change(body: ResponseBody, bytes: number): void {
    const unread = (this.#bodies.get(body) ?? 0) + bytes;
    this.#total += bytes;
    if (unread > 0) this.#bodies.set(body, unread);
    else this.#bodies.delete(body);
    if (unread > maxUnreadBytes) body.cut(`the client is more than ${formatBytes(maxUnreadBytes)} behind the program`);
    if (this.#total <= maxUnreadInAll) return;
    const [furthest] = [...this.#bodies].toSorted(([, a], [, b]) => b - a)[0] ?? [];
    furthest?.cut(`all clients together are more than ${formatBytes(maxUnreadInAll)} behind, and this one most`);
  }

  forget(body: ResponseBody): void {
    this.#total -= this.#bodies.get(body) ?? 0;
    this.#bodies.delete(body);
  }
}

const unread = new Unread();

export interface BodyOwner {
  /** So many bytes have left. */
  taken(bytes: number): void;
  /** Nobody reads on. */
  abandoned(): void;
}

/** One reader, who gets the chunks in turn; after a failure what came before it, then the error. */
export class ResponseBody implements AsyncIterable<Uint8Array> {
  readonly #owner: BodyOwner;
  #chunks: Uint8Array[] = [];
  /** What the reader is at. */
  #read: Uint8Array[] = [];
  #end: { readonly error?: Error } | undefined;
  #wake = (): void => {};

  constructor(owner: BodyOwner) {
    this.#owner = owner;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** @param chunk valid only during the call */
  push(chunk: Uint8Array): void {
    if (this.#end || chunk.length === 0) return;
    this.#chunks.push(Buffer.from(chunk));
    this.#wake();
    unread.change(this, chunk.length);
  }

  /** Gives up the program, if it still runs, and what was not read. */
  cut(why: string): void {
    const isRunning = !this.#end;
    this.#end = { error: new Error(why) };
    this.#chunks.length = 0;
    this.#read.length = 0;
    unread.forget(this);
    this.#wake();
    if (isRunning) this.#owner.abandoned();
  }

  end(): void {
    this.#end ??= {};
    this.#wake();
  }

  fail(error: Error): void {
    this.#end ??= { error };
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        this.#read = this.#chunks;
        this.#chunks = [];
        for (const chunk of this.#read) {
          yield chunk;
          // Whoever was cut off is counted no more.
          if (this.#read.length > 0) unread.change(this, -chunk.length);
          this.#owner.taken(chunk.length);
        }
        this.#read = [];
        if (this.#chunks.length > 0) continue;
        if (this.#end?.error) throw this.#end.error;
        if (this.#end) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      unread.forget(this);
      if (!this.#end) {
        this.#end = {};
        this.#owner.abandoned();
      }
    }
  }
}
