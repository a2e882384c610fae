export interface RecentOptions<Value> {
  /** How much all values may weigh together. */
  readonly maxWeight?: number;
  /** Is told of each value that goes. */
  readonly letGo?: (value: Value) => void;
}

/** What was used most recently, up to a number and a sum of weights; what is beyond goes, the oldest first. */
export class Recent<Key, Value> {
  /** The newest is at the end. */
  readonly #entries = new Map<Key, { readonly value: Value; readonly weight: number }>();
  readonly #most: number;
  readonly #maxWeight: number;
  readonly #letGo: ((value: Value) => void) | undefined;
  #weight = 0;

  constructor(most: number, { maxWeight = Infinity, letGo }: RecentOptions<Value> = {}) {
    this.#most = most;
    this.#maxWeight = maxWeight;
    this.#letGo = letGo;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Asks without using it. */
  has(key: Key): boolean {
    return this.#entries.has(key);
  }

  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key: Key, value: Value, weight = 0): void {
    this.#take(key);
    this.#entries.set(key, { value, weight });
    this.#weight += weight;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#most && this.#weight <= this.#maxWeight) return;
      const value = this.#take(oldest);
      if (value !== undefined) this.#letGo?.(value);
    }
  }

  delete(key: Key): void {
    this.#take(key);
  }

  #take(key: Key): Value | undefined {
    const entry = this.#entries.get(key);
    this.#weight -= entry?.weight ?? 0;
    this.#entries.delete(key);
    return entry?.value;
  }
}
