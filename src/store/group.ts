/**
 * Group commit: batches that arrive while one is being synced form the next group, which one sync makes durable.
 * There is no delay; a lone writer waits for its own sync only. Only what nobody waits for stays a few milliseconds, or until
 * another comes along.
 *
 * ```
 * write ─┐             ┌ conditions, counters: decided in order of arrival
 * write ─┼▶ queue ─▶ group ─▶ one LevelDB batch ─▶ sync ─▶ every promise of the group
 * write ─┘             └ meanwhile the next group forms
 * ```
 */
import { PrisnError } from '../base/error.ts';
import type { Batch, Stored } from './key-value.ts';

/** Bounds what one sync has to carry, so that a small write does not wait for many large ones. */
const maxGroupBytes = 2 ** 20;
/** Writers that nothing else holds back are refused beyond this. */
const maxQueuedBytes = 64 * 2 ** 20;

/** How long a write that nobody waits for may wait for others. */
const lazyMs = 10;

export interface Write {
  readonly batch: Batch;
  readonly durable: boolean;
  readonly bytes: number;
  readonly resolve: (revision: number) => void;
  readonly reject: (error: unknown) => void;
}

export class GroupCommit {
  readonly #commit: (group: readonly Write[]) => Promise<void>;
  readonly #queue: Write[] = [];
  #queuedBytes = 0;
  #draining: Promise<void> | undefined;
  #lingering: NodeJS.Timeout | undefined;

  /** @param commit settles every write of its group and never rejects */
  constructor(commit: (group: readonly Write[]) => Promise<void>) {
    this.#commit = commit;
  }

  /** @param isLazy nobody waits for it; it is written with the next one that somebody waits for, or soon */
  add(batch: Batch, durable: boolean, isLazy = false): Promise<number> {
    const bytes = sizeOf(batch);
    if (this.#queuedBytes + bytes > maxQueuedBytes)
      return Promise.reject(
        new PrisnError('busy', 'cannot write to the store: too much is waiting for the disk already; try again later'),
      );
    this.#queuedBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#queue.push({ batch, durable, bytes, resolve, reject });
      if (isLazy && !this.#draining) this.#lingering ??= setTimeout(() => this.#begin(), lazyMs);
      else this.#begin();
    });
  }

  /** Resolves when nothing is waiting. */
  async idle(): Promise<void> {
    if (this.#lingering) this.#begin();
    while (this.#draining) await this.#draining;
  }

  #begin(): void {
    clearTimeout(this.#lingering);
    this.#lingering = undefined;
    this.#draining ??= this.#drain();
  }

  async #drain(): Promise<void> {
    // Lets all callers of this turn into the first group.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#queue.splice(0, this.#groupLength());
      await this.#commit(group);
      for (const { bytes } of group) this.#queuedBytes -= bytes;
    }
    this.#draining = undefined;
  }

  #groupLength(): number {
    let bytes = 0;
    const end = this.#queue.findIndex((write) => (bytes += write.bytes) > maxGroupBytes);
    return end === -1 ? this.#queue.length : Math.max(end, 1);
  }
}

/** What a group changes, and how each of its batches fared: its revision or the error that it failed with. */
export interface Plan {
  /** The last state of each key that changes; `null` deletes. */
  readonly changes: ReadonlyMap<string, Stored | null>;
  readonly outcomes: readonly (number | PrisnError)[];
  /** The last revision given. */
  readonly revision: number;
}

/** What is stored before a group, in which the keys are looked up that decide about it. */
export interface Present {
  get(key: string, as: 'condition' | 'counter'): Stored | undefined;
}

/**
 * Decides a group, batch by batch: each sees what those before it did.
 * @param revision the last one given before this group
 * @throws what `present` throws
 */
export function planGroup(batches: readonly Batch[], present: Present, revision: number): Plan {
  const changes = new Map<string, Stored | null>();
  const stateOf = (key: string, as: 'condition' | 'counter'): Stored | undefined => {
    const change = changes.get(key);
    return change === undefined ? present.get(key, as) : (change ?? undefined);
  };
  const outcomes = batches.map(({ expect = [], put = [], delete: gone = [], add = [] }) => {
    const failed = expect.find(({ key, revision: wanted }) => (stateOf(key, 'condition')?.revision ?? null) !== wanted);
    if (failed) return conflict(failed.key, failed.revision);
    revision++;
    for (const key of gone) changes.set(key, null);
    for (const { key, value } of put) changes.set(key, { value, revision });
    for (const { key, by } of add) {
      const sum = counterValue(stateOf(key, 'counter')) + by;
      changes.set(key, sum === 0 ? null : { value: Buffer.from(String(sum)), revision });
    }
    return revision;
  });
  return { changes, outcomes, revision };
}

/** The number that a counter's value is; 0 for one that does not exist. */
export function counterValue(stored: Stored | undefined): number {
  return stored ? Number(Buffer.from(stored.value).toString('latin1')) : 0;
}

function conflict(key: string, revision: number | null): PrisnError {
  const what = revision === null ? 'exists already' : 'was changed or deleted meanwhile';
  return new PrisnError('conflict', `${key} ${what}; look at it again before you repeat the change`);
}

function sizeOf({ put = [], delete: gone = [], add = [] }: Batch): number {
  let bytes = 64 * (put.length + gone.length + add.length);
  for (const { key, value } of put) bytes += key.length + value.length;
  return bytes;
}
