/** A map of a bounded number of entries, which lets go of the one that was asked for least recently. */
export class Recent<Key, Value> {
  readonly #entries = new Map<Key, Value>();
  readonly #most: number;
  readonly #letGo: (value: Value) => void;

  /** @param letGo is told of each entry that goes */
  constructor(most: number, letGo: (value: Value) => void = () => {}) {
    this.#most = most;
    this.#letGo = letGo;
  }

  has(key: Key): boolean {
    return this.#entries.has(key);
  }

  get(key: Key): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    // The newest is at the end.
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: Key, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    for (const [oldest, old] of this.#entries) {
      if (this.#entries.size <= this.#most) return;
      this.#entries.delete(oldest);
      this.#letGo(old);
    }
  }
}
