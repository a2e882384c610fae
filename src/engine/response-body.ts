/** The body of an answer between a program that writes and a client that reads. */
import { formatBytes } from '../base/units.ts';

/** Not every program can be held back; one that is so far ahead of its client is cut off. */
const maxUnreadBytes = 64 * 2 ** 20;

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
  #unread = 0;
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
    this.#unread += chunk.length;
    this.#wake();
    if (this.#unread <= maxUnreadBytes) return;
    this.fail(new Error(`the client is more than ${formatBytes(maxUnreadBytes)} behind the program`));
    this.#owner.abandoned();
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
        const chunks = this.#chunks;
        this.#chunks = [];
        for (const chunk of chunks) {
          yield chunk;
          this.#unread -= chunk.length;
          this.#owner.taken(chunk.length);
        }
        if (this.#chunks.length > 0) continue;
        if (this.#end?.error) throw this.#end.error;
        if (this.#end) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      if (!this.#end) {
        this.#end = {};
        this.#owner.abandoned();
      }
    }
  }
}
