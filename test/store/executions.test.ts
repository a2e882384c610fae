import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PrisnError } from '../../src/base/error.ts';
import { newId } from '../../src/base/id.ts';
import { hasEnded, type Execution, type ExecutionSpec, type ExecutionStatus } from '../../src/model/execution.ts';
import type { ExecutionFilter } from '../../src/store/execution-index.ts';
import { Executions } from '../../src/store/executions.ts';
import { Idempotency, claimTtlMs } from '../../src/store/idempotency.ts';
import type { KeyValue } from '../../src/store/key-value.ts';
import { bytes, code, text } from './contract.ts';
import { MemoryStore } from './memory.ts';

const spec: ExecutionSpec = {
  program: { source: 'print(1)', runtime: 'python3' },
  args: [],
  env: {},
  secrets: [],
  timeout_ms: 1000,
  retries: 0,
};
const startMs = Date.UTC(2026, 0, 1);

function execution(createdMs: number, fields: Partial<Execution> = {}): Execution {
  const created_at = new Date(createdMs).toISOString();
  return {
    id: newId('exec', createdMs),
    namespace: 'default',
    name: 'n',
    status: 'Pending',
    created_at,
    attempt: 1,
    node_id: 'node',
    trigger: 'api',
    ...fields,
  };
}

async function open(store: KeyValue = new MemoryStore()): Promise<Executions> {
  return Executions.open(store, new Idempotency(store));
}

async function accept(executions: Executions, one: Execution): Promise<number> {
  const created = await executions.create(one, spec);
  assert.ok(created.created);
  return created.revision;
}

/** Brings a new execution to a status, as the engine does. */
async function bring(executions: Executions, one: Execution, status: ExecutionStatus): Promise<Execution> {
  const revision = await accept(executions, one);
  if (status === 'Pending') return one;
  const running = { ...one, status: 'Running' } as const;
  const next = await executions.update(running, revision);
  if (status === 'Running') return running;
  const ended = { ...running, status, completed_at: one.created_at };
  await executions.end(ended, next);
  return ended;
}

describe('an execution', () => {
  test('is kept with what it runs until it ends, then with its result and output', async () => {
    const executions = await open();
    const one = execution(startMs);
    const revision = await accept(executions, one);
    assert.deepEqual(await executions.get(one.id), { record: one, revision });
    assert.deepEqual(await executions.spec(one.id), spec);
    const running = { ...one, status: 'Running', started_at: one.created_at } as const;
    const next = await executions.update(running, revision);
    const ended: Execution = {
      ...running,
      status: 'Completed',
      exit_code: 0,
      result: { answer: [42] },
      completed_at: one.created_at,
    };
    await executions.end(ended, next, bytes('the output'));
    assert.deepEqual((await executions.get(one.id))?.record, ended);
    assert.equal(text(await executions.output(one.id)), 'the output');
    assert.equal(await executions.spec(one.id), undefined);
    const { items } = await executions.list({}, { limit: 10 });
    assert.deepEqual(
      items,
      [{ ...running, status: 'Completed', exit_code: 0, completed_at: one.created_at }],
      'lists leave the result out',
    );
    assert.equal(await executions.get(newId('exec')), undefined);
  });

  test('changes only as its life allows, and only from the revision that was looked at', async () => {
    const executions = await open();
    const one = execution(startMs);
    const revision = await accept(executions, one);
    await assert.rejects(executions.end({ ...one, status: 'Completed' }, revision), TypeError);
    await assert.rejects(executions.end(one, revision), TypeError);
    await assert.rejects(executions.update({ ...one, status: 'Failed' }, revision), TypeError);
    const running = { ...one, status: 'Running' } as const;
    const [first, second] = await Promise.allSettled([
      executions.update(running, revision),
      executions.update({ ...running, attempt: 2 }, revision),
    ]);
    assert.ok(first.status === 'fulfilled' && second.status === 'rejected' && code('conflict')(second.reason));
    const [end, cancel] = await Promise.allSettled([
      executions.end({ ...one, status: 'Completed' }, first.value),
      executions.end({ ...one, status: 'Failed', reason: 'canceled' }, first.value),
    ]);
    assert.ok(end.status === 'fulfilled' && cancel.status === 'rejected' && code('conflict')(cancel.reason));
    await assert.rejects(executions.update(running, end.value), code('conflict'));
    await assert.rejects(executions.create({ ...one, status: 'Completed' }, spec), TypeError);
    assert.equal((await executions.list({ status: 'Failed' }, { limit: 1 })).total, 0);
    assert.equal((await executions.list({ status: 'Completed' }, { limit: 1 })).total, 1);
  });

  test('that was never announced is kept as it ended, listed and counted like any other', async () => {
    const store = new MemoryStore();
    const executions = await open(store);
    const one = execution(startMs, { deployment_id: 'dep-a', trigger: 'function' });
    const ended: Execution = {
      ...one,
      status: 'Failed',
      reason: 'exit',
      exit_code: 3,
      result: [1],
      completed_at: one.created_at,
    };
    await assert.rejects(executions.record(one), TypeError);
    await executions.record(ended, bytes('its output'));
    await assert.rejects(executions.record(ended), code('conflict'));
    assert.deepEqual((await executions.get(one.id))?.record, ended);
    assert.equal(text(await executions.output(one.id)), 'its output');
    for (const filter of [{}, { status: 'Failed' }, { deploymentId: 'dep-a' }] as const) {
      const { items, total } = await executions.list(filter, { limit: 10 });
      assert.deepEqual([items.map(({ id }) => id), total], [[one.id], 1]);
    }
    assert.deepEqual(await executions.unfinished(), []);
    assert.equal((await executions.prune({ beforeMs: Infinity, keep: 100, limit: 10 })).length, 1);
    for await (const { key } of store.range({ prefix: '' })) assert.fail(`${key} is left behind`);
  });

  test('whose end is on the disk though its write was reported as failed is ended by the next try', async () => {
    const store = new MemoryStore();
    let isFailing = false;
    const write = store.write.bind(store);
    store.write = async (batch) => {
      const revision = await write(batch);
      if (isFailing) throw new PrisnError('unavailable', 'the sync failed');
      return revision;
    };
    const executions = await open(store);
    const one = execution(startMs);
    const revision = await executions.update({ ...one, status: 'Running' }, await accept(executions, one));
    const ended = { ...one, status: 'Completed' } as const;
    isFailing = true;
    await assert.rejects(executions.end(ended, revision), code('unavailable'));
    isFailing = false;
    await executions.end(ended, revision);
    assert.equal((await executions.list({ status: 'Completed' }, { limit: 1 })).total, 1);
    assert.equal((await executions.list({ status: 'Running' }, { limit: 1 })).total, 0);
  });

  test('with a result or output above 512 kB does not end, so that the engine can end it otherwise', async () => {
    const executions = await open();
    const one = execution(startMs);
    const revision = await executions.update({ ...one, status: 'Running' }, await accept(executions, one));
    const result = 'x'.repeat(600_000);
    await assert.rejects(executions.end({ ...one, status: 'Completed', result }, revision), code('too_large'));
    await executions.end({ ...one, status: 'Failed', reason: 'invalid' }, revision);
    assert.deepEqual((await executions.list({}, { limit: 1 })).total, 1);
  });
});

describe('after a restart', () => {
  test('what has not ended comes in the order of acceptance, whatever the clock did', async () => {
    const store = new MemoryStore();
    const before = await open(store);
    const accepted: Execution[] = [];
    for (let i = 0; i < 20; i++) {
      const one = execution(startMs - i * 1000);
      accepted.push(one);
      await bring(before, one, i % 4 === 0 ? 'Running' : i % 4 === 1 ? 'Completed' : 'Pending');
    }
    const after = await open(store);
    const ids = async (status?: 'Pending' | 'Running'): Promise<string[]> =>
      (await after.unfinished(status)).map(({ record }) => record.id);
    const expected = (keep: (i: number) => boolean): string[] => accepted.filter((_, i) => keep(i)).map(({ id }) => id);
    assert.deepEqual(
      await ids(),
      expected((i) => i % 4 !== 1),
    );
    assert.deepEqual(
      await ids('Pending'),
      expected((i) => i % 4 > 1),
    );
    assert.deepEqual(
      await ids('Running'),
      expected((i) => i % 4 === 0),
    );
    const [first] = await after.unfinished('Running');
    assert.ok(first);
    await after.end({ ...first.record, status: 'Failed', reason: 'interrupted' }, first.revision);
    assert.equal((await after.list({ status: 'Failed' }, { limit: 1 })).total, 1);
  });
});

describe('the list', () => {
  const statuses = ['Pending', 'Running', 'Completed', 'Failed'] as const;
  const oneArbitrary = fc.record({
    minutes: fc.integer({ min: 0, max: 90 }),
    namespace: fc.constantFrom('default', 'team', 'team-2'),
    deployment_id: fc.constantFrom('dep-a', 'dep-b', undefined),
    status: fc.constantFrom(...statuses),
  });
  const filterArbitrary = fc.record(
    {
      namespace: fc.constantFrom('default', 'team', 'none'),
      status: fc.constantFrom(...statuses),
      sinceMs: fc.integer({ min: -1, max: 91 }).map((minutes) => startMs + minutes * 60_000),
    },
    { requiredKeys: [] },
  );

  function model(all: readonly Execution[], filter: ExecutionFilter): Execution[] {
    const fits = (one: Execution): boolean =>
      (filter.namespace === undefined || one.namespace === filter.namespace) &&
      (filter.deploymentId === undefined || one.deployment_id === filter.deploymentId) &&
      (filter.status === undefined || one.status === filter.status) &&
      (filter.sinceMs === undefined || Date.parse(one.created_at) >= filter.sinceMs);
    return all.filter(fits).toSorted((a, b) => (a.id < b.id ? 1 : -1));
  }

  test('pages by cursor and by offset as a plain array would, with the right total, also after pruning and a restart', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(oneArbitrary, { maxLength: 25 }),
        filterArbitrary,
        fc.constantFrom(undefined, 'dep-a'),
        fc.integer({ min: 1, max: 7 }),
        fc.nat(25),
        async (rows, filterFields, deploymentId, limit, keep) => {
          const store = new MemoryStore();
          let executions = await open(store);
          let all: Execution[] = [];
          for (const { minutes, status, namespace, deployment_id } of rows) {
            const owner = { namespace, ...(deployment_id !== undefined && { deployment_id }) };
            all.push(await bring(executions, execution(startMs + minutes * 60_000, owner), status));
          }
          // With a deployment goes the namespace that it is in, so the store is not asked for both.
          const { namespace, ...others } = filterFields;
          const filter: ExecutionFilter = deploymentId
            ? { ...others, deploymentId }
            : { ...others, ...(namespace !== undefined && { namespace }) };
          const check = async (): Promise<void> => {
            const expected = model(all, filter);
            const paged: Execution[] = [];
            for (let cursor: string | undefined, offset = 0; ; offset += limit) {
              const page = await executions.list(filter, { limit, ...(cursor !== undefined && { cursor }) });
              assert.equal(page.total, expected.length);
              assert.deepEqual((await executions.list(filter, { limit, offset })).items, page.items);
              paged.push(...page.items);
              cursor = page.next;
              if (cursor === undefined) break;
            }
            assert.deepEqual(paged, expected);
          };
          await check();
          const ended = all.filter(hasEnded).toSorted((a, b) => (a.id < b.id ? -1 : 1));
          const gone = new Set(ended.slice(0, Math.max(0, ended.length - keep)).map(({ id }) => id));
          for (let step: Execution[]; (step = await executions.prune({ beforeMs: 0, keep, limit: 3 })).length > 0; )
            for (const { id } of step) assert.ok(gone.has(id) && !(await executions.get(id)));
          all = all.filter(({ id }) => !gone.has(id));
          executions = await open(store);
          await check();
        },
      ),
      { numRuns: 150 },
    );
  });

  test('refuses a cursor that it did not give', async () => {
    const executions = await open();
    await assert.rejects(executions.list({}, { limit: 1, cursor: 'abc' }), code('usage'));
  });
});

describe('pruning', () => {
  test('takes by age what ended before, leaves what runs, and leaves no key behind', async () => {
    const store = new MemoryStore();
    const executions = await open(store);
    for (let i = 0; i < 10; i++)
      await bring(executions, execution(startMs + i * 60_000, { deployment_id: 'dep-a' }), 'Completed');
    const running = await bring(executions, execution(startMs), 'Running');
    const gone: Execution[] = [];
    for (
      let step: Execution[];
      (step = await executions.prune({ beforeMs: startMs + 5 * 60_000, keep: 100, limit: 2 })).length > 0;
    )
      gone.push(...step);
    assert.equal(gone.length, 5);
    const step = await Promise.allSettled([1, 2].map(() => executions.prune({ beforeMs: Infinity, keep: 100, limit: 100 })));
    assert.equal(step.filter(({ status }) => status === 'fulfilled').length, 1, 'two at once do not count twice');
    const { items, total } = await executions.list({}, { limit: 10 });
    assert.deepEqual([items.map(({ id }) => id), total], [[running.id], 1]);
    const keys: string[] = [];
    for await (const { key } of store.range({ prefix: '' })) keys.push(key);
    assert.deepEqual(keys, [`execution/${running.id}`, `spec/${running.id}`, `unfinished/${running.id}`]);
  });
});

describe('an idempotency key', () => {
  const request = { namespace: 'default', caller: 'me', key: 'pay order 1/ä', bodyHash: 'h1' };

  test('used a hundred times at once makes one execution', async () => {
    const executions = await open();
    const created = await Promise.all(Array.from({ length: 100 }, () => executions.create(execution(Date.now()), spec, request)));
    const first = created.find((one) => one.created);
    assert.ok(first);
    const { items, total } = await executions.list({}, { limit: 10 });
    assert.deepEqual([total, items.length], [1, 1]);
    assert.equal(created.filter((one) => !one.created && one.id === items[0]?.id).length, 99);
  });

  test('is one a namespace and caller, and is refused with another body', async () => {
    const executions = await open();
    const create = async (other: object): Promise<boolean> =>
      (await executions.create(execution(Date.now()), spec, { ...request, ...other })).created;
    assert.equal(await create({}), true);
    assert.equal(await create({}), false);
    assert.equal(await create({ caller: 'you' }), true);
    assert.equal(await create({ namespace: 'team' }), true);
    await assert.rejects(create({ bodyHash: 'h2' }), code('conflict'));
    assert.equal((await executions.list({}, { limit: 1 })).total, 3);
  });

  test('is free again after 24 hours, and its rows are pruned in steps', async () => {
    const store = new MemoryStore();
    const idempotency = new Idempotency(store);
    const claim = async (key: string, id: string, nowMs: number): Promise<string> => {
      const claimed = await idempotency.claim({ ...request, key }, id, nowMs);
      if (claimed.batch) await store.write(claimed.batch);
      return claimed.executionId;
    };
    assert.equal(await claim('a', 'first', 0), 'first');
    assert.equal(await claim('a', 'second', claimTtlMs - 1), 'first');
    assert.equal(await claim('a', 'third', claimTtlMs), 'third');
    for (let i = 0; i < 5; i++) await claim(`b${i}`, 'x', 0);
    assert.equal(await idempotency.prune(3, claimTtlMs), 3);
    assert.equal(await idempotency.prune(3, claimTtlMs), 2);
    assert.equal(await claim('a', 'fourth', claimTtlMs + 1), 'third');
    assert.equal(await idempotency.prune(3, 2 * claimTtlMs), 1);
    for await (const { key } of store.range({ prefix: '' })) assert.fail(key);
  });
});
