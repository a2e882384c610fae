/**
 * The port that everything stored goes through: keys with values, written in batches.
 *
 * What an engine has to do, so that another one (a NATS key-value bucket, say) can take LevelDB's place:
 *
 * - A batch is applied whole or not at all. A batch whose condition fails changes nothing.
 * - Each value carries a revision; revisions grow with every write to the store and are never given twice.
 * - Batches take effect in the order of the calls of `write`.
 * - A durable batch is on the disk, synced, before its promise resolves. One that is not durable is on the disk no later
 *   than any durable batch after it.
 * - A range sees the store as it was when the iteration began.
 *
 * Keys are printable ASCII without spaces, values at most 512 kB; larger things are files. A counter is a key like any
 * other whose value is a decimal number; it is changed by `add` only, so that writers who count never collide.
 */
import { PrisnError } from '../base/error.ts';

export const maxKeyLength = 512;
export const maxValueBytes = 512 * 1024;

export interface Stored {
  readonly value: Uint8Array;
  readonly revision: number;
}

export interface Entry extends Stored {
  readonly key: string;
}

export interface Batch {
  /** Conditions: the revision that a key must have, or `null` for a key that must not exist. */
  readonly expect?: readonly { readonly key: string; readonly revision: number | null }[];
  readonly put?: readonly { readonly key: string; readonly value: Uint8Array }[];
  readonly delete?: readonly string[];
  /** Counters. One that reaches zero is deleted. */
  readonly add?: readonly { readonly key: string; readonly by: number }[];
}

export interface Range {
  /** What the keys begin with. */
  readonly prefix: string;
  /** Only keys after this one, in the order of their characters. */
  readonly after?: string;
  /** Only keys before this one. */
  readonly before?: string;
  /** Last key first. */
  readonly reverse?: boolean;
  readonly limit?: number;
  /** Leaves damaged values out, instead of failing at the first. */
  readonly skipDamaged?: boolean;
}

export interface WriteOptions {
  readonly durable: boolean;
  /** Nobody waits for it: it may be kept a moment, to be written with others. */
  readonly lazy?: boolean;
}

export interface KeyValue {
  /** @throws PrisnError `damaged` when the value is not the one that was written, `unavailable` */
  get(key: string): Promise<Stored | undefined>;
  /**
   * In the order of `keys`.
   * @param options `skipDamaged` gives undefined for a damaged value, for those to whom the others matter more; what it was
   * stays known to the engine
   * @throws PrisnError as `get`
   */
  getMany(keys: readonly string[], options?: { readonly skipDamaged?: boolean }): Promise<(Stored | undefined)[]>;
  /**
   * @returns the revision of the first value that the batch puts
   * @throws PrisnError `conflict` when a condition fails, `too_large`, `storage_full`, `unavailable`, `busy`. After the last
   * three the batch was not accepted, but a disk that failed in the middle of it may still show it later.
   */
  write(batch: Batch, options: WriteOptions): Promise<number>;
  range(range: Range): AsyncIterable<Entry>;
  /** As `range`, where the keys say all: the values are not looked at, and damage to one does not count. */
  keys(range: Range): AsyncIterable<string>;
  /** Finishes what was written. */
  close(): Promise<void>;
}

/** Refuses a batch that breaks the port's rules; a bad key is a programmer's mistake, a large value a user's. */
export function checkBatch(batch: Batch): void {
  for (const { key } of batch.expect ?? []) checkKey(key);
  for (const key of batch.delete ?? []) checkKey(key);
  for (const { key, by } of batch.add ?? []) {
    checkKey(key);
    if (!Number.isSafeInteger(by)) throw new TypeError(`counter ${key}: ${by} is no whole number`);
  }
  for (const { key, value } of batch.put ?? []) {
    checkKey(key);
    if (value.length > maxValueBytes)
      throw new PrisnError(
        'too_large',
        `cannot store ${key}: ${value.length} bytes are more than the ${maxValueBytes} that a record may have; put large data into a file`,
      );
  }
}

/** @throws TypeError */
export function checkKey(key: string): string {
  if (!/^[!-~]+$/.test(key) || key.length > maxKeyLength) throw new TypeError(`not a key: ${JSON.stringify(key)}`);
  return key;
}

/** Puts several batches together, to be applied as one. */
export function joinBatches(...batches: readonly Batch[]): Batch {
  return {
    expect: batches.flatMap((batch) => batch.expect ?? []),
    put: batches.flatMap((batch) => batch.put ?? []),
    delete: batches.flatMap((batch) => batch.delete ?? []),
    add: batches.flatMap((batch) => batch.add ?? []),
  };
}
