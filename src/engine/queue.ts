/**
 * What waits for its turn, and how many run: no clock, no promises, no knowledge of what the items are.
 *
 * ```
 * add ─▶ lane (one a kind and deployment, first in first out) ─▶ next ─▶ runs ─▶ release
 *          └ a lane is in the heap of its kind while it has items and its deployment is below its own limit
 * begin ──(nothing waits that would go first)─────────────────────────▶ runs ─▶ release
 * ```
 * The heap has the lane with the oldest head first, so that what may run runs in the order in which it came, and a
 * deployment at its limit holds nobody else up. Every operation is logarithmic in the number of lanes, but `position`.
 */
import { PrisnError } from '../base/error.ts';
import { Heap, type Entry, type Lane, type Owner, orderOf } from './lanes.ts';
import { Orders } from './orders.ts';
import type { WorkloadKind } from './ports.ts';

export interface Waiting {
  readonly id: string;
  readonly kind: WorkloadKind;
  readonly deployment?: string;
  /** Of the deployment, at once; what the last item said counts for all of them. */
  readonly concurrency?: number;
}

export interface QueueLimits {
  /** How many run at once. */
  readonly running: Readonly<Record<WorkloadKind, number>>;
  /** How many wait. */
  readonly waiting: number;
}

/** When a caller that was refused may try again, seconds. */
const retryAfterS = 5;

export class Queue<Item extends Waiting> {
  readonly #limits: QueueLimits;
  readonly #entries = new Map<string, Entry<Item>>();
  readonly #lanes = new Map<string, Lane<Item>>();
  readonly #heaps: Record<WorkloadKind, Heap<Item>> = { process: new Heap(), isolate: new Heap() };
  readonly #orders: Record<WorkloadKind, Orders> = { process: new Orders(), isolate: new Orders() };
  readonly #running: Record<WorkloadKind, number> = { process: 0, isolate: 0 };
  readonly #owners = new Map<string, Owner<Item>>();
  #promised = 0;
  #order = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** How many wait. */
  get size(): number {
    return this.#entries.size;
  }

  running(kind: WorkloadKind): number {
    return this.#running[kind];
  }

  runningOf(deployment: string): number {
    return this.#owners.get(deployment)?.running ?? 0;
  }

  /**
   * Promises a place to one that is not there yet.
   * @param others how many more hold a place though they do not wait here
   * @returns what gives the promise back, to be called once: when it was added, or when there is nothing to add
   * @throws PrisnError `busy`
   */
  reserve(others = 0): () => void {
    const { waiting, running } = this.#limits;
    // What can start at once needs no place to wait.
    const free = running.process - this.#running.process + (running.isolate - this.#running.isolate);
    if (this.size + others + this.#promised >= waiting + (this.size === 0 ? Math.max(0, free) : 0))
      throw new PrisnError(
        'busy',
        `the queue is full: ${this.size + others} executions wait (limit ${waiting}), ${this.#running.process} run in processes ` +
          `(limit ${running.process}) and ${this.#running.isolate} in isolates (limit ${running.isolate}); ` +
          `try again in ${retryAfterS} s, or raise the server's settings queue, concurrency or isolate_concurrency`,
        { retryAfterS },
      );
    this.#promised++;
    return () => void this.#promised--;
  }

  /**
   * Counts one as running that was never added, unless something that waits would go first, or a limit holds it.
   * @returns whether it counts; then it is to be released
   */
  begin({ kind, deployment, concurrency }: Omit<Waiting, 'id'>): boolean {
    if (this.#heaps[kind].first || this.#running[kind] >= this.#limits.running[kind]) return false;
    const owner = deployment === undefined ? undefined : this.#ownerOf(deployment);
    if (owner && (owner.lanes.size > 0 || owner.running >= (concurrency ?? Infinity))) return false;
    this.#running[kind]++;
    if (!owner) return true;
    owner.limit = concurrency;
    owner.running++;
    return true;
  }

  /** Puts an item last; never refuses, since what comes here has been accepted. */
  add(item: Item): void {
    const lane = this.#laneOf(item);
    const entry: Entry<Item> = { item, order: this.#order++, lane, before: lane.last };
    if (lane.last) lane.last.after = entry;
    else lane.first = entry;
    lane.last = entry;
    this.#entries.set(item.id, entry);
    this.#orders[item.kind].add(entry.order);
    if (lane.owner && lane.owner.limit !== item.concurrency) {
      lane.owner.limit = item.concurrency;
      this.#place(lane.owner.lanes);
    } else this.#place([lane]);
  }

  /** Takes the oldest item that may run and counts it as running; undefined when none may. */
  next(): Item | undefined {
    let lane: Lane<Item> | undefined;
    for (const kind of ['process', 'isolate'] as const) {
      const first = this.#running[kind] < this.#limits.running[kind] ? this.#heaps[kind].first : undefined;
      if (first && (!lane || orderOf(first) < orderOf(lane))) lane = first;
    }
    if (!lane?.first) return undefined;
    const { item } = lane.first;
    this.#running[lane.kind]++;
    if (lane.owner) lane.owner.running++;
    this.#take(lane.first);
    return item;
  }

  /** Frees what an item held that `next` gave out, or that began. */
  release({ kind, deployment }: Pick<Waiting, 'kind' | 'deployment'>): void {
    this.#running[kind]--;
    const owner = deployment === undefined ? undefined : this.#owners.get(deployment);
    if (!owner) return;
    owner.running--;
    this.#place(owner.lanes);
    this.#forgetIdle(owner);
  }

  /** @returns false when it does not wait */
  remove(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry) this.#take(entry);
    return entry !== undefined;
  }

  /**
   * How many of its kind came before it, and itself; from 1. Those of a deployment at its limit are counted, and may be overtaken.
   * @returns undefined when it does not wait
   */
  position(id: string): number | undefined {
    const entry = this.#entries.get(id);
    return entry && this.#orders[entry.item.kind].countUpTo(entry.order);
  }

  #laneOf({ kind, deployment }: Item): Lane<Item> {
    const key = deployment === undefined ? kind : `${kind} ${deployment}`;
    let lane = this.#lanes.get(key);
    if (lane) return lane;
    const owner = deployment === undefined ? undefined : this.#ownerOf(deployment);
    lane = { key, kind, owner, first: undefined, last: undefined, index: -1 };
    owner?.lanes.add(lane);
    this.#lanes.set(key, lane);
    return lane;
  }

  #ownerOf(id: string): Owner<Item> {
    let owner = this.#owners.get(id);
    if (!owner) this.#owners.set(id, (owner = { id, running: 0, limit: undefined, lanes: new Set() }));
    return owner;
  }

  #take(entry: Entry<Item>): void {
    const { lane, before, after, item, order } = entry;
    if (before) before.after = after;
    else lane.first = after;
    if (after) after.before = before;
    else lane.last = before;
    this.#entries.delete(item.id);
    this.#orders[item.kind].delete(order);
    this.#place(lane.owner?.lanes ?? [lane]);
    if (!lane.first) this.#lanes.delete(lane.key);
    if (!lane.first && lane.owner) {
      lane.owner.lanes.delete(lane);
      this.#forgetIdle(lane.owner);
    }
  }

  /** Lets lanes into their heap, out of it, or to their place in it. */
  #place(lanes: Iterable<Lane<Item>>): void {
    for (const lane of lanes) {
      const { owner } = lane;
      const mayRun = lane.first !== undefined && (owner === undefined || owner.running < (owner.limit ?? Infinity));
      this.#heaps[lane.kind].place(lane, mayRun);
    }
  }

  #forgetIdle(owner: Owner<Item>): void {
    if (owner.running === 0 && owner.lanes.size === 0) this.#owners.delete(owner.id);
  }
}
