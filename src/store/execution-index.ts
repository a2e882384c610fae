/**
 * How executions are found and counted without a scan.
 *
 * - A place in time is that of the id, whose first part is milliseconds: every index is by id and a cursor is an id.
 * - An execution is in three lists: all, its namespace's, its deployment's; there it is in `all` from its creation, and in that
 *   of its status from its end.
 * - Each list has counters of what has ended, one a status and slot of creation time, so that a total is a sum of few numbers,
 *   also one with `since`: only in the slot where `since` lies, rows are counted.
 */
import { PrisnError } from '../base/error.ts';
import { newId } from '../base/id.ts';
import type { Execution, ExecutionStatus } from '../model/execution.ts';
import { counterValue } from './group.ts';
import type { KeyValue } from './key-value.ts';
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

/** The rows of an execution in the lists of a status, or of `all`. */
export function indexKeys(execution: Owner & { readonly id: string }, status: ExecutionStatus | 'all'): string[] {
  return scopesOf(execution).map((scope) => keyOf('by', ...scope, status, execution.id));
}

/** The counters that an ended execution is in. */
export function counterKeys(execution: Owner & { readonly id: string }, status: ExecutionStatus): string[] {
  return scopesOf(execution).map((scope) => keyOf('count', ...scope, status, execution.id.slice(0, slotLength)));
}

/**
 * Newest first; those of the filter's status, or of all.
 * @param before an id: only older ones
 */
export async function* endedIds(store: KeyValue, filter: ExecutionFilter, before: string | undefined): AsyncGenerator<string> {
  const prefix = prefixOf('by', ...scopeOf(filter), filter.status ?? 'all');
  const bound = before === undefined ? {} : { before: prefix + before };
  for await (const { key } of store.range({
    prefix,
    after: prefix + sinceOf(filter),
    ...bound,
    reverse: true,
    skipDamaged: true,
  }))
    yield lastPart(key);
}

/** Oldest first; all. */
export async function* oldestIds(store: KeyValue): AsyncGenerator<string> {
  for await (const { key } of store.range({ prefix: prefixOf('by', '*', '*', 'all'), skipDamaged: true })) yield lastPart(key);
}

/** How many that have ended the filter lets through. */
export async function countEnded(store: KeyValue, filter: ExecutionFilter): Promise<number> {
  const since = sinceOf(filter);
  const slot = since.slice(0, slotLength);
  let total = 0;
  for (const status of ['Completed', 'Failed'] as const) {
    if (filter.status !== undefined && filter.status !== status) continue;
    const counters = prefixOf('count', ...scopeOf(filter), status);
    for await (const counter of store.range({ prefix: counters, after: counters + slot, skipDamaged: true }))
      total += counterValue(counter);
    if (slot === '') continue;
    const rows = prefixOf('by', ...scopeOf(filter), status);
    const bounds = { after: rows + since, before: `${rows}${slot}~` };
    for await (const _ of store.range({ prefix: rows, ...bounds, skipDamaged: true })) total++;
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
