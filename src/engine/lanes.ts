/** What the queue is made of: lanes of entries, and the heap that tells whose head is the oldest. */
import type { WorkloadKind } from './ports.ts';

export interface Entry<Item> {
  readonly item: Item;
  readonly order: number;
  readonly lane: Lane<Item>;
  before: Entry<Item> | undefined;
  after?: Entry<Item> | undefined;
}

export interface Lane<Item> {
  readonly key: string;
  readonly kind: WorkloadKind;
  readonly owner: Owner<Item> | undefined;
  first: Entry<Item> | undefined;
  last: Entry<Item> | undefined;
  /** Where it stands in the heap; -1 outside. */
  index: number;
}

/** A deployment with something that waits or runs. */
export interface Owner<Item> {
  readonly id: string;
  running: number;
  limit: number | undefined;
  readonly lanes: Set<Lane<Item>>;
}

export function orderOf({ first }: Lane<unknown>): number {
  return first?.order ?? Infinity;
}

/** A binary heap of lanes, the one with the oldest head first, in which each lane knows its place. */
export class Heap<Item> {
  readonly #lanes: Lane<Item>[] = [];

  get first(): Lane<Item> | undefined {
    return this.#lanes[0];
  }

  place(lane: Lane<Item>, isIn: boolean): void {
    if (isIn && lane.index === -1) this.#put(lane, this.#lanes.length);
    if (lane.index === -1) return;
    if (isIn) return this.#settle(lane);
    const last = this.#lanes.pop() as Lane<Item>;
    const { index } = lane;
    lane.index = -1;
    if (last === lane) return;
    this.#put(last, index);
    this.#settle(last);
  }

  #put(lane: Lane<Item>, index: number): void {
    this.#lanes[index] = lane;
    lane.index = index;
  }

  #settle(lane: Lane<Item>): void {
    for (let parent = (lane.index - 1) >> 1; lane.index > 0 && this.#swapIfOlder(lane, parent); ) parent = (lane.index - 1) >> 1;
    for (;;) {
      const left = 2 * lane.index + 1;
      const child = this.#orderAt(left + 1) < this.#orderAt(left) ? left + 1 : left;
      const below = this.#lanes[child];
      if (!below || !this.#swapIfOlder(below, lane.index)) return;
    }
  }

  #swapIfOlder(lane: Lane<Item>, above: number): boolean {
    const other = this.#lanes[above] as Lane<Item>;
    if (orderOf(lane) >= orderOf(other)) return false;
    this.#put(other, lane.index);
    this.#put(lane, above);
    return true;
  }

  #orderAt(index: number): number {
    const lane = this.#lanes[index];
    return lane ? orderOf(lane) : Infinity;
  }
}
