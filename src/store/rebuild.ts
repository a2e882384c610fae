/**
 * Makes the rows anew that follow from others: indexes, counters, marks of the unfinished, ids of deployments. After writes were
 * lost they no longer fit, since what was lost is a part of the history and not a part of the keys; then a total would be wrong
 * for good. A mark stands in the store meanwhile, so that a rebuild that is interrupted begins again at the next start.
 */
import type { Deployment } from '../model/deployment.ts';
import { hasEnded, type Execution } from '../model/execution.ts';
import { counterKeys, indexKeys } from './execution-index.ts';
import { joinBatches, type Batch, type Entry, type KeyValue } from './key-value.ts';
import { fromJson, keyOf, lastPart, prefixOf, toJson } from './keyspace.ts';

const markKey = 'rebuilding';
const stepSize = 500;
const nothing = new Uint8Array();
/** What is damaged is passed over, as if it were lost too. */
const skipDamaged = { skipDamaged: true };

/** @param lostWrites whether the engine found that writes are missing */
export async function rebuildIfNeeded(store: KeyValue, lostWrites: boolean): Promise<void> {
  if (!lostWrites && !(await store.get(markKey))) return;
  await store.write({ put: [{ key: markKey, value: nothing }] }, { durable: true });
  for (const prefix of [prefixOf('by'), prefixOf('count'), prefixOf('deployment-id')])
    await inSteps(store, prefix, async (entries) => [{ delete: entries.map(({ key }) => key) }]);
  await inSteps(store, prefixOf('execution'), async (entries) => {
    const executions = entries.map((entry) => fromJson<Execution>(entry));
    const marks = await store.getMany(
      executions.map(({ id }) => keyOf('unfinished', id)),
      skipDamaged,
    );
    return executions.map((one, i) => rowsOf(one, marks[i] !== undefined));
  });
  await inSteps(store, prefixOf('unfinished'), async (entries) => {
    const records = await store.getMany(
      entries.map(({ key }) => keyOf('execution', lastPart(key))),
      skipDamaged,
    );
    return [{ delete: entries.flatMap(({ key }, i) => (records[i] ? [] : [key])) }];
  });
  await inSteps(store, prefixOf('deployment'), async (entries) => [
    { put: entries.map((entry) => ({ key: keyOf('deployment-id', fromJson<Deployment>(entry).id), value: toJson(entry.key) })) },
  ]);
  await store.write({ delete: [markKey] }, { durable: true });
}

function rowsOf(execution: Execution, marked: boolean): Batch {
  const { id, status } = execution;
  // The mark that is there stays as it is: its revision is the order of acceptance.
  if (!hasEnded(execution)) return { put: marked ? [] : [{ key: keyOf('unfinished', id), value: nothing }] };
  return {
    put: indexKeys(execution, status).map((key) => ({ key, value: nothing })),
    delete: [keyOf('unfinished', id), keyOf('spec', id)],
    add: counterKeys(execution, status).map((key) => ({ key, by: 1 })),
  };
}

async function inSteps(store: KeyValue, prefix: string, change: (entries: readonly Entry[]) => Promise<Batch[]>): Promise<void> {
  let entries: Entry[] = [];
  const flush = async (): Promise<void> => {
    if (entries.length > 0) await store.write(joinBatches(...(await change(entries))), { durable: false });
    entries = [];
  };
  for await (const entry of store.range({ prefix, ...skipDamaged })) if (entries.push(entry) === stepSize) await flush();
  await flush();
}
