/**
 * Holds a program back while too much of its output is under way.
 *
 * The host counts. A word of memory that it shares with the guest says whether the gate is closed; the guest's prelude
 * looks after each write and sleeps on it (`guest/pacing.ts`), so that a loop of `console.log` stands still as well, on a
 * thread of its own, while its neighbours go on. The end of the isolate wakes it.
 */

/** Bytes that may be under way: what is held in memory for a reader that is slow. */
const windowBytes = 2 ** 20;

export class Gate {
  /** One 32-bit word: 1 while the gate is closed. */
  readonly shared = new SharedArrayBuffer(4);
  readonly #word = new Int32Array(this.shared);
  #underWay = 0;

  /** Another call of the program begins: what was under way is no matter any more. */
  reset(): void {
    this.taken(this.#underWay);
  }

  sent(bytes: number): void {
    this.#underWay += bytes;
    if (this.#underWay > windowBytes) Atomics.store(this.#word, 0, 1);
  }

  taken(bytes: number): void {
    this.#underWay -= bytes;
    if (this.#underWay > windowBytes) return;
    Atomics.store(this.#word, 0, 0);
    Atomics.notify(this.#word, 0);
  }
}
