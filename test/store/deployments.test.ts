import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { newId } from '../../src/base/id.ts';
import type { Deployment } from '../../src/model/deployment.ts';
import { Deployments, keptRevisions } from '../../src/store/deployments.ts';
import { code } from './contract.ts';
import { MemoryStore } from './memory.ts';

function deployment(name: string, fields: Partial<Deployment> = {}): Deployment {
  const at = '2026-01-01T00:00:00.000Z';
  const content = {
    type: 'job',
    bundle: 'hash',
    entrypoint: 'a.py',
    args: [],
    env: {},
    secrets: [],
    retries: 0,
    labels: {},
  } as const;
  return { ...content, id: newId('dep'), name, namespace: 'default', revision: 1, created_at: at, updated_at: at, ...fields };
}

describe('deployments', () => {
  test('are found by id and by name, and a name is taken once a namespace', async () => {
    const deployments = new Deployments(new MemoryStore());
    const one = deployment('backup');
    const revision = await deployments.create(one);
    assert.deepEqual(await deployments.byName('default', 'backup'), { record: one, revision });
    assert.deepEqual(await deployments.byId(one.id), { record: one, revision });
    assert.equal(await deployments.byName('team', 'backup'), undefined);
    assert.equal(await deployments.byId('dep-none'), undefined);
    await deployments.create(deployment('backup', { namespace: 'team' }));
    const outcomes = await Promise.allSettled([...Array(10).keys()].map(() => deployments.create(deployment('other'))));
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    await assert.rejects(
      deployments.create(deployment('backup')),
      (error) => code('conflict')(error) && /backup exists already in default/.test(String(error)),
    );
  });

  test('are read as they are after a change, by name and by id, whoever read them before or meanwhile', async () => {
    const deployments = new Deployments(new MemoryStore());
    let one = deployment('backup');
    let revision = await deployments.create(one);
    for (let number = 2; number <= 5; number++) {
      const before = [deployments.byName('default', 'backup'), deployments.byId(one.id)];
      one = { ...one, revision: number };
      const changing = deployments.update(one, revision);
      const meanwhile = [deployments.byName('default', 'backup'), deployments.byId(one.id)];
      revision = await changing;
      await Promise.all([...before, ...meanwhile]);
      for (const found of [await deployments.byName('default', 'backup'), await deployments.byId(one.id)])
        assert.deepEqual(found, { record: one, revision });
    }
    await deployments.delete(one, revision);
    assert.equal(await deployments.byName('default', 'backup'), undefined);
    assert.equal(await deployments.byId(one.id), undefined);
  });

  test('keep what each of their last revisions was', async () => {
    const deployments = new Deployments(new MemoryStore());
    let one = deployment('backup');
    let revision = await deployments.create(one);
    for (let number = 2; number <= keptRevisions + 3; number++) {
      one = { ...one, revision: number, bundle: `hash-${number}` };
      const stale = revision;
      revision = await deployments.update(one, revision);
      await assert.rejects(deployments.update(one, stale), code('conflict'));
    }
    const history = await deployments.revisions(one.id);
    assert.equal(history.length, keptRevisions);
    assert.deepEqual([history[0]?.bundle, history.at(-1)?.revision], [`hash-${keptRevisions + 3}`, 4]);
  });

  test('leave nothing behind when they are deleted', async () => {
    const store = new MemoryStore();
    const deployments = new Deployments(store);
    const one = deployment('backup');
    const revision = await deployments.create(one);
    await assert.rejects(deployments.delete(one, revision + 1), code('conflict'));
    await deployments.delete(one, revision);
    for await (const { key } of store.range({ prefix: '' })) assert.fail(key);
  });

  test('are listed by namespace and name, by type and by label, with totals', async () => {
    const deployments = new Deployments(new MemoryStore());
    for (const name of ['b', 'a-b', 'a', 'c'])
      await deployments.create(deployment(name, { labels: { team: name === 'c' ? 'x' : 'y' } }));
    await deployments.create(deployment('api', { namespace: 'team', type: 'service' }));
    const list = async (...args: Parameters<Deployments['list']>): Promise<[string[], number]> => {
      const { items, total } = await deployments.list(...args);
      return [items.map(({ name }) => name), total];
    };
    assert.deepEqual(await list({ namespace: 'default' }, { limit: 10 }), [['a', 'a-b', 'b', 'c'], 4]);
    assert.deepEqual(await list({ namespace: 'default' }, { limit: 2, offset: 1 }), [['a-b', 'b'], 4]);
    assert.deepEqual(await list({}, { limit: 10, offset: 3 }), [['c', 'api'], 5]);
    assert.deepEqual(await list({ type: 'service' }, { limit: 10 }), [['api'], 1]);
    assert.deepEqual(await list({ label: { key: 'team', value: 'y' } }, { limit: 1 }), [['a'], 3]);
  });
});
