import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Secrets, keptVersions, type SealedSecret } from '../../src/store/secrets.ts';
import { code } from './contract.ts';
import { MemoryStore } from './memory.ts';

function sealed(version: number, fields: Partial<SealedSecret> = {}): SealedSecret {
  const at = '2026-01-01T00:00:00.000Z';
  return {
    namespace: 'default',
    name: 'db',
    version,
    keys: ['value'],
    key_id: 'k1',
    sealed: `c2VhbGVk${version}`,
    created_at: at,
    updated_at: at,
    ...fields,
  };
}

describe('sealed secrets', () => {
  test('have versions one after the other, of which the last are kept', async () => {
    const secrets = new Secrets(new MemoryStore());
    for (let version = 1; version <= keptVersions + 3; version++) await secrets.put(sealed(version));
    await assert.rejects(secrets.put(sealed(keptVersions + 3)), code('conflict'));
    await assert.rejects(secrets.put(sealed(99)), code('conflict'));
    assert.deepEqual(await secrets.get('default', 'db'), sealed(keptVersions + 3));
    assert.deepEqual(await secrets.get('default', 'db', 5), sealed(5));
    assert.equal(await secrets.get('default', 'db', 1), undefined);
    assert.equal((await secrets.versions('default', 'db')).length, keptVersions + 1);
  });

  test('are stored once by writers who race for the same version', async () => {
    const secrets = new Secrets(new MemoryStore());
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => secrets.put(sealed(1, { sealed: String(n) }))));
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  test('can be sealed anew under another key without a new version', async () => {
    const secrets = new Secrets(new MemoryStore());
    for (const version of [1, 2]) await secrets.put(sealed(version));
    for (const version of [1, 2]) await secrets.reseal(sealed(version, { key_id: 'k2' }));
    assert.deepEqual(await secrets.get('default', 'db'), sealed(2, { key_id: 'k2' }));
    assert.deepEqual(await secrets.get('default', 'db', 1), sealed(1, { key_id: 'k2' }));
    await assert.rejects(secrets.reseal(sealed(3)), code('conflict'));
  });

  test('are listed by namespace, and leave nothing behind when they are deleted', async () => {
    const store = new MemoryStore();
    const secrets = new Secrets(store);
    await secrets.put(sealed(1));
    await secrets.put(sealed(2));
    await secrets.put(sealed(1, { name: 'api' }));
    await secrets.put(sealed(1, { namespace: 'team' }));
    assert.deepEqual(
      (await secrets.list('default')).map(({ name }) => name),
      ['api', 'db'],
    );
    assert.equal((await secrets.list()).length, 3);
    assert.equal(await secrets.delete('default', 'db'), true);
    assert.equal(await secrets.delete('default', 'db'), false);
    await secrets.delete('default', 'api');
    await secrets.delete('team', 'db');
    for await (const { key } of store.range({ prefix: '' })) assert.fail(key);
  });
});
