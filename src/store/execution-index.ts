/**
 * How executions are found and counted without a scan.
 *
 * - A place in time is that of the id, whose first part is milliseconds: every index is by id and a cursor is an id.
 * - An execution that has ended is in three lists of its status: of all, of its namespace, of its deployment. A list of several
 *   statuses is made of theirs, and of those that have not ended, which are known in memory: so a creation has no rows here.
 * - Each list has counters of what has ended, one a status and slot of creation time, so that a total is a sum of few numbers,
 *   also one with `since`: only in the slot where `since` lies, rows are counted.
 */
import { PrisnError } from '../base/error.ts';
import { newId } from '../base/id.ts';
import type { Execution, ExecutionStatus } from '../model/execution.ts';
import { counterValue } from './group.ts';
import type { KeyValue, Range } from './key-value.ts';
import { keyOf, lastPart, prefixOf } from './keyspace.ts';

export const idForm = /^exec-[0-9a-hjkmnp-tv-z]{26}$/;
/** `exec-` and ten digits of base 32 for the milliseconds; without the last four, 2^20 ms (17 minutes) are one slot. */
const timeLength = 15;
const slotLength = 11;

export type Owner = Pick<Execution, 'namespace' | 'deployment_id'>;
type Scope = readonly [namespace: string, deployment: string];

export interface ExecutionFilter {
  /** Goes without `deploymentId`, which says the namespace. */
  readonly namespace?: string;
  readonly deploymentId?: string;
  readonly status?: ExecutionStatus;
  /** Created at this time or later. */
  readonly sinceMs?: number;
}

/** What an execution ends as. */
const endings = ['Completed', 'Failed'] as const satisfies ExecutionStatus[];

/** The rows of an ended execution. */
export function indexKeys(execution: Owner & { readonly id: string }, status: ExecutionStatus): string[] {
  return scopesOf(execution).map((scope) => keyOf('by', ...scope, status, execution.id));
}

/** The counters that an ended execution is in. */
export function counterKeys(execution: Owner & { readonly id: string }, status: ExecutionStatus): string[] {
  return scopesOf(execution).map((scope) => keyOf('count', ...scope, status, execution.id.slice(0, slotLength)));
}

/**
 * Newest first; of those that have ended the ones that the filter lets through.
 * @param before an id: only older ones
 * @param limit no more are needed
 */
export function endedIds(
  store: KeyValue,
  filter: ExecutionFilter,
  before: string | undefined,
  limit: number,
): AsyncGenerator<string> {
  const since = sinceOf(filter);
  const listOf = (status: ExecutionStatus): AsyncGenerator<string> => {
    const prefix = prefixOf('by', ...scopeOf(filter), status);
    const bounds = { after: prefix + since, ...(before !== undefined && { before: prefix + before }) };
    return idsOf(store, { prefix, ...bounds, reverse: true, limit });
  };
  return filter.status === undefined ? merged(endings.map(listOf), 'newest') : listOf(filter.status);
}

/** Oldest first; all that have ended. @param limit no more are needed */
export function oldestIds(store: KeyValue, limit: number): AsyncGenerator<string> {
  return merged(
    endings.map((status) => idsOf(store, { prefix: prefixOf('by', '*', '*', status), limit })),
    'oldest',
  );
}

async function* idsOf(store: KeyValue, range: Range): AsyncGenerator<string> {
  for await (const key of store.keys(range)) yield lastPart(key);
}

/** Lists that are in order as one in that order; what is in several of them is in it once. */
export async function* merged(lists: readonly AsyncGenerator<string>[], first: 'newest' | 'oldest'): AsyncGenerator<string> {
  try {
    const heads = await Promise.all(lists.map((list) => list.next()));
    for (;;) {
      const ids = heads.flatMap(({ done, value }) => (done ? [] : [value]));
      if (ids.length === 0) return;
      const id = ids.reduce((best, other) => (other < best === (first === 'oldest') ? other : best));
      yield id;
      for (const [i, list] of lists.entries()) if (heads[i]?.value === id) heads[i] = await list.next();
    }
  } finally {
    for (const list of lists) await list.return(undefined);
  }
}

/** How many that have ended the filter lets through. */
export async function countEnded(store: KeyValue, filter: ExecutionFilter): Promise<number> {
  const since = sinceOf(filter);
  const slot = since.slice(0, slotLength);
  let total = 0;
  for (const status of endings) {
    if (filter.status !== undefined && filter.status !== status) continue;
    const counters = prefixOf('count', ...scopeOf(filter), status);
    for await (const counter of store.range({ prefix: counters, after: counters + slot, skipDamaged: true }))
      total += counterValue(counter);
    if (slot === '') continue;
    const rows = prefixOf('by', ...scopeOf(filter), status);
    const bounds = { after: rows + since, before: `${rows}${slot}~` };
    for await (const _ of store.keys({ prefix: rows, ...bounds })) total++;
  }
  return total;
}

/** The same filter for those that are in memory. */
export function matcher(filter: ExecutionFilter): (id: string, one: Owner & { readonly status: ExecutionStatus }) => boolean {
  const { namespace, deploymentId, status } = filter;
  const since = sinceOf(filter);
  return (id, one) => {
    if (status !== undefined && one.status !== status) return false;
    if (deploymentId !== undefined) return one.deployment_id === deploymentId && id > since;
    return (namespace === undefined || one.namespace === namespace) && id > since;
  };
}

export function cursorOf(id: string): string {
  return Buffer.from(id).toString('base64url');
}

/** @throws PrisnError `usage` */
export function idOfCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString();
  if (!idForm.test(id))
    throw new PrisnError('usage', `cursor: '${cursor}' is not one that a list gave; leave it out to begin at the newest`);
  return id;
}

function scopesOf({ namespace, deployment_id }: Owner): Scope[] {
  const scopes: Scope[] = [
    ['*', '*'],
    [namespace, '*'],
  ];
  return deployment_id === undefined ? scopes : [...scopes, ['*', deployment_id]];
}

function scopeOf({ namespace, deploymentId }: ExecutionFilter): Scope {
  return deploymentId === undefined ? [namespace ?? '*', '*'] : ['*', deploymentId];
}

/** What all ids of that millisecond begin with; before every id without `since`. */
function sinceOf({ sinceMs }: ExecutionFilter): string {
  return sinceMs === undefined ? '' : newId('exec', Math.max(0, sinceMs)).slice(0, timeLength);
}
