/** Tells requests when to stop: their client has left, the server ends, or there is no more time. */
import type { ServerResponse } from 'node:http';

export class RequestLives {
  readonly #closing = new AbortController();
  readonly #open = new Set<AbortController>();
  #isOver = false;

  /** Aborted once the server ends: what would go on for ever stops. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Aborted once the client has left before it had its answer, or there is no more time for one. */
  signalOf(response: ServerResponse): AbortSignal {
    // One that was destroyed may have told so already, and would never be forgotten.
    if (this.#isOver || response.destroyed) return AbortSignal.abort();
    const controller = new AbortController();
    this.#open.add(controller);
    response.once('close', () => {
      this.#open.delete(controller);
      if (!response.writableFinished) controller.abort();
    });
    return controller.signal;
  }

  close(): void {
    this.#closing.abort();
  }

  /** There is no more time. */
  abort(): void {
    this.#isOver = true;
    for (const controller of this.#open) controller.abort();
  }
}
