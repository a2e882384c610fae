/**
 * What the typed keyspaces share: keys of parts, records as JSON, and the version of the whole scheme.
 *
 * | key | value |
 * |---|---|
 * | `schema` | version of this table |
 * | `restoring` `rebuilding` | there while a backup is being restored, while indexes are being made anew |
 * | `execution/ID` `spec/ID` `result/ID` `output/ID` | an execution, in the parts that are read apart |
 * | `unfinished/ID` | marks what must be looked at after a restart; its revision is the order of acceptance |
 * | `by/NAMESPACE/DEPLOYMENT/STATUS/ID` | index for lists of what has ended; `*` stands for all |
 * | `count/NAMESPACE/DEPLOYMENT/STATUS/SLOT` | counter of the ended, a slot is 17 minutes of creation |
 * | `deployment/NAMESPACE/NAME` `deployment-id/ID` `revision/ID/NUMBER` | deployments |
 * | `secret/NAMESPACE/NAME` `secret-version/NAMESPACE/NAME/NUMBER` | sealed secrets |
 * | `claim/NAMESPACE/HASH` `claim-expiry/TIME/NAMESPACE/HASH` | idempotency keys |
 */
import { PrisnError } from '../base/error.ts';
import type { KeyValue, Stored } from './key-value.ts';

/** A record with the revision that a conditional change has to name. */
export interface Versioned<T> {
  readonly record: T;
  readonly revision: number;
}

const plain = /^[\w*.-]*$/;

/** Joins parts to a key. Different lists of parts make different keys, and none is the beginning of another's part. */
export function keyOf(...parts: readonly string[]): string {
  // Nearly every part is a name or an id, in which nothing needs to be escaped.
  return parts.every((part) => plain.test(part)) ? parts.join('/') : parts.map(encodeURIComponent).join('/');
}

/** The prefix of all keys that have these parts and at least one more. */
export function prefixOf(...parts: readonly string[]): string {
  return `${keyOf(...parts)}/`;
}

/** The last part of a key. */
export function lastPart(key: string): string {
  return decodeURIComponent(key.slice(key.lastIndexOf('/') + 1));
}

/** A whole number as a part, so that keys come in the order of the numbers. */
export function numberPart(value: number): string {
  return String(value).padStart(15, '0');
}

export function toJson(record: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(record));
}

/** The record as it was written; its checksum was compared by the engine. */
export function fromJson<T>({ value }: Stored): T {
  return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.length).toString()) as T;
}

export function versioned<T>(stored: Stored): Versioned<T> {
  return { record: fromJson<T>(stored), revision: stored.revision };
}

/** Changes everything from one version of the scheme to the next. It may be run again after it was interrupted. */
export type Migration = (store: KeyValue) => Promise<void>;

/** From version 1 to 2, from 2 to 3 and so on. */
const migrations: readonly Migration[] = [dropListsOfAll];

export const schemaKey = 'schema';

/**
 * Brings a store to the scheme that this prisn knows, and marks an empty one with it.
 * @throws PrisnError `unsupported` for a store of a newer prisn
 */
export async function migrate(store: KeyValue, steps = migrations): Promise<void> {
  const known = steps.length + 1;
  const stored = await store.get(schemaKey);
  const version = stored ? fromJson<number>(stored) : undefined;
  const mark = (next: number): Promise<number> =>
    store.write({ put: [{ key: schemaKey, value: toJson(next) }] }, { durable: true });
  if (version === undefined) {
    for await (const { key } of store.range({ prefix: '', limit: 1 }))
      throw new PrisnError('damaged', `the store has records (${key}) but no schema version; restore a backup`);
    await mark(known);
    return;
  }
  if (version > known)
    throw new PrisnError(
      'unsupported',
      `the store was written by a newer prisn (scheme ${version}, this one knows up to ${known}): install that version, or restore an older backup into an empty data directory`,
    );
  for (let next = version + 1; next <= known; next++) {
    await steps[next - 2]?.(store);
    await mark(next);
  }
}

/** Version 1 had each execution in a list `all` too, beside that of its status. */
async function dropListsOfAll(store: KeyValue): Promise<void> {
  let gone: string[] = [];
  const flush = async (): Promise<void> => {
    await store.write({ delete: gone }, { durable: false });
    gone = [];
  };
  for await (const key of store.keys({ prefix: prefixOf('by') }))
    if (key.split('/')[3] === 'all' && gone.push(key) === 1000) await flush();
  await flush();
}
