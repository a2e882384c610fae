/** What one reader has yet to see of a log that is being written: a bounded queue between the writer and the reader. */
import type { LogEntry } from './entry.ts';

/** A slower reader loses the oldest; the positions of the entries tell it how much. */
export const followerBytes = 2 ** 20;

export class Follower implements AsyncIterable<LogEntry> {
  #queue: LogEntry[] = [];
  #bytes = 0;
  #isEnded = false;
  #wake: (() => void) | undefined;

  push(entry: LogEntry): void {
    if (this.#isEnded) return;
    this.#queue.push(entry);
    this.#bytes += entry.bytes.length;
    while (this.#bytes > followerBytes && this.#queue.length > 1) this.#bytes -= this.#queue.shift()?.bytes.length ?? 0;
    this.#wake?.();
  }

  /** Nothing more comes; what waits is still given out. */
  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<LogEntry> {
    for (;;) {
      while (this.#queue.length === 0 && !this.#isEnded) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#bytes -= next.bytes.length;
      yield next;
    }
  }
}
