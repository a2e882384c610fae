/**
 * Executions. One is stored in parts: the record as lists show it; what it runs (`spec`), until it ends; its result and its
 * output, once it has ended.
 *
 * - Which ones have not ended is known in memory too, since their number is bounded by the engine's queue. They make totals
 *   and lists of `Pending` and `Running` without a counter that would have to change with every move.
 * - The moves of a status are those of `src/model/execution.ts`; anything else is a programmer's mistake.
 */
import { PrisnError } from '../base/error.ts';
import { hasEnded, type Execution, type ExecutionSpec, type ExecutionStatus } from '../model/execution.ts';
import {
  counterKeys,
  countEnded,
  cursorOf,
  endedIds,
  idForm,
  idOfCursor,
  indexKeys,
  matcher,
  merged,
  oldestIds,
  type ExecutionFilter,
  type Owner,
} from './execution-index.ts';
import type { Claimed, Idempotency, IdempotentRequest } from './idempotency.ts';
import { joinBatches, type Batch, type KeyValue } from './key-value.ts';
import { fromJson, keyOf, lastPart, prefixOf, toJson, versioned, type Versioned } from './keyspace.ts';

const moves: Readonly<Record<ExecutionStatus, readonly ExecutionStatus[]>> = {
  Pending: ['Pending', 'Running', 'Failed'],
  Running: ['Running', 'Pending', 'Completed', 'Failed'],
  Completed: [],
  Failed: [],
};

const readStep = 500;
/** A damaged record must not take the others along: it is left out of lists, and `health` and `get` tell of it. */
const skipDamaged = { skipDamaged: true };

type Unfinished = Owner & { readonly status: ExecutionStatus; readonly order: number };

export type Created = { readonly created: true; readonly revision: number } | { readonly created: false; readonly id: string };

export interface ExecutionPage {
  readonly limit: number;
  readonly offset?: number;
  /** `next` of the page before. */
  readonly cursor?: string;
}

export interface ExecutionList {
  /** Newest first, without results. */
  readonly items: readonly Execution[];
  /** All that the filter lets through. */
  readonly total: number;
  /** Cursor of the next page, when there is one. */
  readonly next?: string;
}

export class Executions {
  readonly #store: KeyValue;
  readonly #idempotency: Idempotency;
  readonly #unfinished = new Map<string, Unfinished>();

  private constructor(store: KeyValue, idempotency: Idempotency) {
    this.#store = store;
    this.#idempotency = idempotency;
  }

  static async open(store: KeyValue, idempotency: Idempotency): Promise<Executions> {
    const executions = new Executions(store, idempotency);
    const rows: [id: string, order: number][] = [];
    const marks = store.range({ prefix: prefixOf('unfinished'), ...skipDamaged });
    for await (const { key, revision } of marks) rows.push([lastPart(key), revision]);
    rows.sort(([, a], [, b]) => a - b);
    for (let i = 0; i < rows.length; i += readStep) {
      const part = rows.slice(i, i + readStep);
      const found = await store.getMany(
        part.map(([id]) => recordKey(id)),
        skipDamaged,
      );
      for (const [j, [id, order]] of part.entries()) {
        const stored = found[j];
        if (stored) executions.#unfinished.set(id, { ...unfinishedOf(fromJson<Execution>(stored)), order });
      }
    }
    return executions;
  }

  /**
   * Accepts an execution: when this resolves, it is on the disk.
   * @param execution a new one, `Pending` (or `Running`, where it starts as soon as this resolves), with an id of `newId('exec')`
   * @param request makes the same request again give the first one's execution
   * @throws PrisnError `conflict` when the request's key was used with another body
   */
  async create(execution: Execution, spec: ExecutionSpec, request?: IdempotentRequest): Promise<Created> {
    const { id } = execution;
    if (hasEnded(execution) || !idForm.test(id)) throw new TypeError(`${id} (${execution.status}) is no new execution`);
    const batch: Batch = {
      put: [
        { key: recordKey(id), value: toJson(execution) },
        { key: keyOf('spec', id), value: toJson(spec) },
        { key: keyOf('unfinished', id), value: new Uint8Array() },
      ],
    };
    for (let attempt = 1; ; attempt++) {
      const claim: Claimed = request ? await this.#idempotency.claim(request, id) : { executionId: id };
      if (claim.executionId !== id) return { created: false, id: claim.executionId };
      try {
        const revision = await this.#store.write(claim.batch ? joinBatches(batch, claim.batch) : batch, { durable: true });
        this.#unfinished.set(id, { ...unfinishedOf(execution), order: revision });
        return { created: true, revision };
      } catch (error) {
        // Another request with the same key came first: its claim is there now.
        if (!(error instanceof PrisnError && error.code === 'conflict' && attempt === 1)) throw error;
      }
    }
  }

  /** @returns undefined for an unknown id */
  async get(id: string): Promise<Versioned<Execution> | undefined> {
    const [stored, result] = await this.#store.getMany([recordKey(id), keyOf('result', id)]);
    if (!stored) return undefined;
    const { record, revision } = versioned<Execution>(stored);
    return { record: result ? { ...record, result: fromJson(result) } : record, revision };
  }

  /** What it runs; undefined once it has ended. */
  async spec(id: string): Promise<ExecutionSpec | undefined> {
    const stored = await this.#store.get(keyOf('spec', id));
    return stored && fromJson(stored);
  }

  /** What `end` was given as output. */
  async output(id: string): Promise<Uint8Array | undefined> {
    return (await this.#store.get(keyOf('output', id)))?.value;
  }

  /**
   * Writes an unfinished execution anew.
   * @param revision the one that the change is based on
   * @returns the new revision
   * @throws PrisnError `conflict` when it was changed meanwhile or has ended
   */
  async update(execution: Execution, revision: number, { durable = false } = {}): Promise<number> {
    const current = this.#startMove(execution);
    if (hasEnded(execution)) throw new TypeError(`${execution.id} ends by end()`);
    const key = recordKey(execution.id);
    const batch = { expect: [{ key, revision }], put: [{ key, value: toJson(execution) }] };
    const next = await this.#store.write(batch, { durable });
    this.#unfinished.set(execution.id, { ...current, status: execution.status });
    return next;
  }

  /**
   * Ends an execution: record, result, output, indexes and counters become durable together.
   * @param execution `Completed` or `Failed`
   * @param output in whatever form the logs have it, at most 512 kB
   * @throws PrisnError as `update` does, and `too_large` for the result or the output
   */
  async end(execution: Execution, revision: number, output?: Uint8Array): Promise<number> {
    this.#startMove(execution);
    const { id } = execution;
    const batch = {
      ...endBatch(execution, output),
      expect: [{ key: recordKey(id), revision }],
      delete: [keyOf('spec', id), keyOf('unfinished', id)],
    };
    let next: number;
    try {
      next = await this.#store.write(batch, { durable: true });
    } catch (error) {
      if (!(error instanceof PrisnError && error.code === 'conflict' && this.#unfinished.has(id))) throw error;
      // An earlier try that was reported as failed may be there after all.
      const stored = await this.#store.get(recordKey(id));
      if (!stored || !hasEnded(fromJson<Execution>(stored))) throw error;
      next = stored.revision;
    }
    this.#unfinished.delete(id);
    return next;
  }

  /**
   * Keeps one that has ended and was never announced. Not durable: what a failing disk loses of it is lost.
   * @param execution `Completed` or `Failed`, with an id of `newId('exec')` that is new to the store
   * @throws PrisnError `conflict` when it is there already; `too_large`, `storage_full`, `unavailable`, `busy`
   */
  async record(execution: Execution, output?: Uint8Array): Promise<number> {
    const { id } = execution;
    if (!idForm.test(id)) throw new TypeError(`${id} is no id of an execution`);
    const batch = { ...endBatch(execution, output), expect: [{ key: recordKey(id), revision: null }] };
    return this.#store.write(batch, { durable: false, lazy: true });
  }

  async list(filter: ExecutionFilter, { limit, offset = 0, cursor }: ExecutionPage): Promise<ExecutionList> {
    const before = cursor === undefined ? undefined : idOfCursor(cursor);
    const ids: string[] = [];
    let skip = offset;
    for await (const id of this.#idsOf(filter, before, offset + limit + 1)) {
      if (skip-- > 0) continue;
      if (ids.push(id) > limit) break;
    }
    const page = ids.slice(0, limit);
    const [found, total] = await Promise.all([this.#store.getMany(page.map(recordKey), skipDamaged), this.#total(filter)]);
    const items = found.flatMap((stored) => (stored ? [fromJson<Execution>(stored)] : []));
    const last = page.at(-1);
    return { items, total, ...(ids.length > limit && last !== undefined && { next: cursorOf(last) }) };
  }

  /** Those that have not ended, in the order in which they were accepted. */
  async unfinished(status?: 'Pending' | 'Running'): Promise<Versioned<Execution>[]> {
    const wanted = [...this.#unfinished].filter(([, one]) => status === undefined || one.status === status);
    const ids = wanted.toSorted(([, a], [, b]) => a.order - b.order).map(([id]) => id);
    const found = await this.#store.getMany(ids.map(recordKey), skipDamaged);
    return found.flatMap((stored) => (stored ? [versioned<Execution>(stored)] : []));
  }

  /**
   * Deletes ended executions, the oldest first, in one step of a bounded size.
   * @param beforeMs those that ended before this time go
   * @param keep beyond this number the oldest go
   * @returns those that are gone; when there are none, nothing is left to do
   */
  async prune({ beforeMs, keep, limit }: { beforeMs: number; keep: number; limit: number }): Promise<Execution[]> {
    const excess = (await countEnded(this.#store, {})) - keep;
    const ids: string[] = [];
    for await (const id of oldestIds(this.#store, limit)) if (ids.push(id) >= limit) break;
    const found = (await this.#store.getMany(ids.map(recordKey), skipDamaged)).flatMap((stored) =>
      stored ? [versioned<Execution>(stored)] : [],
    );
    const hasAged = ({ completed_at, created_at }: Execution): boolean => Date.parse(completed_at ?? created_at) < beforeMs;
    const gone = found.filter(({ record }, i) => hasEnded(record) && (i < excess || hasAged(record)));
    if (gone.length > 0) await this.#store.write(joinBatches(...gone.map(removal)), { durable: false });
    return gone.map(({ record }) => record);
  }

  #startMove({ id, status }: Execution): Unfinished {
    const current = this.#unfinished.get(id);
    if (!current) throw new PrisnError('conflict', `execution ${id} has ended; nothing of it can change any more`);
    if (!moves[current.status].includes(status)) throw new TypeError(`${id}: ${current.status} does not become ${status}`);
    return current;
  }

  /** Newest first. */
  #idsOf(filter: ExecutionFilter, before: string | undefined, limit: number): AsyncGenerator<string> {
    const { status } = filter;
    if (status === 'Completed' || status === 'Failed') return endedIds(this.#store, filter, before, limit);
    // Looked at before the rows are: one that ends meanwhile is in both, and none is missed.
    const unfinished = this.#unfinishedIds(filter, before);
    return status === undefined ? merged([unfinished, endedIds(this.#store, filter, before, limit)], 'newest') : unfinished;
  }

  #unfinishedIds(filter: ExecutionFilter, before: string | undefined): AsyncGenerator<string> {
    const matches = matcher(filter);
    const ids = [...this.#unfinished].flatMap(([id, one]) =>
      matches(id, one) && (before === undefined || id < before) ? [id] : [],
    );
    return listOf(ids.toSorted().toReversed());
  }

  async #total(filter: ExecutionFilter): Promise<number> {
    let total = await countEnded(this.#store, filter);
    const matches = matcher(filter);
    for (const [id, one] of this.#unfinished) if (matches(id, one)) total++;
    return total;
  }
}

async function* listOf(ids: readonly string[]): AsyncGenerator<string> {
  yield* ids;
}

function recordKey(id: string): string {
  return keyOf('execution', id);
}

/** What an end puts and counts. */
function endBatch(execution: Execution, output: Uint8Array | undefined): Required<Pick<Batch, 'put' | 'add'>> {
  if (!hasEnded(execution)) throw new TypeError(`${execution.id} does not end as ${execution.status}`);
  const { result, ...record } = execution;
  const { id, status } = execution;
  return {
    put: [
      { key: recordKey(id), value: toJson(record) },
      ...(result === undefined ? [] : [{ key: keyOf('result', id), value: toJson(result) }]),
      ...(output === undefined ? [] : [{ key: keyOf('output', id), value: output }]),
      ...indexKeys(execution, status).map((row) => ({ key: row, value: new Uint8Array() })),
    ],
    add: counterKeys(execution, status).map((counter) => ({ key: counter, by: 1 })),
  };
}

function removal({ record, revision }: Versioned<Execution>): Batch {
  const { id, status } = record;
  return {
    // Two who delete the same must not count it twice.
    expect: [{ key: recordKey(id), revision }],
    delete: [recordKey(id), keyOf('result', id), keyOf('output', id), ...indexKeys(record, status)],
    add: counterKeys(record, status).map((key) => ({ key, by: -1 })),
  };
}

function unfinishedOf({ namespace, deployment_id, status }: Execution): Omit<Unfinished, 'order'> {
  return { namespace, status, ...(deployment_id !== undefined && { deployment_id }) };
}
