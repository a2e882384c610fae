/** One record that the disk gives back wrong costs that record, and nothing else. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Level } from 'level';
import { newId } from '../../src/base/id.ts';
import type { Deployment } from '../../src/model/deployment.ts';
import type { Execution } from '../../src/model/execution.ts';
import { keyOf } from '../../src/store/keyspace.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { code } from './contract.ts';
import { inScratch } from './scratch.ts';

const spec = { program: { source: '1', runtime: 'js' }, args: [], env: {}, secrets: [], timeout_ms: 1000, retries: 0 };
const soon = Date.UTC(2100, 0, 1);

async function accept(store: Store): Promise<{ one: Execution; revision: number }> {
  const one: Execution = {
    id: newId('exec'),
    namespace: 'default',
    name: 'n',
    status: 'Pending',
    created_at: new Date().toISOString(),
    attempt: 1,
    node_id: 'node',
    trigger: 'api',
  };
  const created = await store.executions.create(one, spec);
  assert.ok(created.created);
  return { one, revision: created.revision };
}

async function complete(store: Store): Promise<Execution> {
  const { one, revision } = await accept(store);
  const running: Execution = { ...one, status: 'Running' };
  const next = await store.executions.update(running, revision);
  const ended: Execution = { ...running, status: 'Completed', completed_at: one.created_at };
  await store.executions.end(ended, next);
  return ended;
}

/** Flips a bit of what the closed store has at keys. @param keys all that begin with one of these */
async function damage(directory: string, ...keys: string[]): Promise<void> {
  const database = new Level<string, Buffer>(join(directory, 'level'), { valueEncoding: 'buffer' });
  for await (const [key, value] of database.iterator()) {
    if (!keys.some((begin) => key.startsWith(begin))) continue;
    value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
    await database.put(key, value);
  }
  await database.close();
}

async function ids(store: Store): Promise<{ ids: string[]; total: number }> {
  const { items, total } = await store.executions.list({}, { limit: 100 });
  return { ids: items.map(({ id }) => id).toSorted(), total };
}

describe('a damaged record', () => {
  test('of a pending and of an ended execution leaves the others to be listed, run and pruned', () =>
    inScratch(async (directory) => {
      const before = await openStore({ directory });
      const pending = [await accept(before), await accept(before), await accept(before)].map(({ one }) => one);
      const ended = [await complete(before), await complete(before), await complete(before)];
      await before.close();
      const [badPending, badEnded] = [pending[1]?.id ?? '', ended[0]?.id ?? ''];
      await damage(directory, keyOf('execution', badPending), keyOf('execution', badEnded));

      const store = await openStore({ directory });
      const { problems } = store.health();
      for (const id of [badPending, badEnded]) {
        assert.ok(
          problems.some((problem) => problem.includes(`execution/${id}`)),
          problems.join('\n'),
        );
        await assert.rejects(store.executions.get(id), code('damaged'));
      }
      const unfinished = await store.executions.unfinished();
      assert.deepEqual(
        unfinished.map(({ record }) => record.id),
        [pending[0]?.id, pending[2]?.id],
      );
      const whole = [...pending, ...ended].map(({ id }) => id).filter((id) => id !== badPending && id !== badEnded);
      assert.deepEqual((await ids(store)).ids, whole.toSorted());
      const gone = await store.executions.prune({ beforeMs: soon, keep: 100, limit: 100 });
      assert.deepEqual(
        gone.map(({ id }) => id),
        ended.slice(1).map(({ id }) => id),
      );
      assert.deepEqual(await store.executions.prune({ beforeMs: soon, keep: 100, limit: 100 }), []);
      await store.close();
    }));

  test('of an index or a counter lets executions end, be listed and be pruned', () =>
    inScratch(async (directory) => {
      const before = await openStore({ directory });
      const { one, revision } = await accept(before);
      const ended = await complete(before);
      await before.close();
      await damage(directory, 'count/', keyOf('by', '*', '*', 'Completed'));
      const store = await openStore({ directory });
      await store.executions.end({ ...one, status: 'Failed' }, revision);
      assert.deepEqual((await ids(store)).ids, [one.id, ended.id].toSorted());
      const { items } = await store.executions.list({ status: 'Completed' }, { limit: 9 });
      assert.deepEqual(
        items.map(({ id }) => id),
        [ended.id],
      );
      assert.equal((await store.executions.prune({ beforeMs: soon, keep: 100, limit: 100 })).length, 2);
      await store.close();
    }));

  test('of a deployment leaves the others to be listed', () =>
    inScratch(async (directory) => {
      const before = await openStore({ directory });
      for (const name of ['a', 'b'])
        await before.deployments.create({ id: newId('dep'), namespace: 'default', name, revision: 1 } as Deployment);
      await before.close();
      await damage(directory, keyOf('deployment', 'default', 'a'));
      const store = await openStore({ directory });
      const { items } = await store.deployments.list({}, { limit: 10 });
      assert.deepEqual(
        items.map(({ name }) => name),
        ['b'],
      );
      await assert.rejects(store.deployments.byName('default', 'a'), code('damaged'));
      await store.close();
    }));

  test('does not keep indexes from being made anew after writes were lost', () =>
    inScratch(async (directory) => {
      const before = await openStore({ directory });
      const [good, bad] = [await complete(before), await complete(before)];
      const { one: waiting } = await accept(before);
      await before.close();
      await damage(directory, keyOf('execution', bad.id), keyOf('unfinished', waiting.id));
      // A group that is missing.
      const database = new Level<string, Buffer>(join(directory, 'level'), { valueEncoding: 'buffer' });
      await database.del('\0ring/00001');
      await database.close();
      const store = await openStore({ directory });
      assert.deepEqual(await ids(store), { ids: [good.id, waiting.id].toSorted(), total: 2 });
      assert.equal((await store.executions.unfinished()).length, 1);
      await store.close();
    }));
});
