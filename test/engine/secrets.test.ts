import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { SecretUseCases } from '../../src/engine/secrets.ts';
import { Keyring } from '../../src/secrets/keyring.ts';
import * as sealing from '../../src/secrets/seal.ts';
import { openWorld, refused } from './deployments-harness.ts';

describe('secrets', () => {
  test('are created once, get versions, and are shown without their values', async (t) => {
    const { secrets } = await openWorld(t);
    const made = await secrets.create('default', 'db', { data: { user: 'ada', password: 's3cret' } });
    assert.deepEqual(
      { ...made, created_at: '', updated_at: '' },
      {
        name: 'db',
        namespace: 'default',
        version: 1,
        keys: ['password', 'user'],
        created_at: '',
        updated_at: '',
      },
    );
    await assert.rejects(secrets.create('default', 'db', { value: 'x' }), refused('conflict', 'prisn secret rotate db'));
    const { secret, created } = await secrets.put('default', 'db', { value: 'newer' });
    assert.deepEqual([secret.version, secret.keys, secret.created_at, created], [2, ['value'], made.created_at, false]);
    assert.equal((await secrets.put('default', 'other', { value: 'x' })).created, true);
    assert.deepEqual(await secrets.get('default', 'db'), secret);
    const { items, total } = await secrets.list('default', { limit: 1, offset: 1 });
    assert.deepEqual([items.map(({ name }) => name), total], [['other'], 2]);
    assert.doesNotMatch(JSON.stringify([made, secret, items]), /s3cret|newer/);
  });

  test('are opened for an execution by name and by name.key, also after the key was rotated', async (t) => {
    const { secrets, keyring } = await openWorld(t);
    await secrets.create('default', 'plain', { value: 'one' });
    await secrets.create('default', 'db', { data: { user: 'ada', 'pass.word': 'one' } });
    await keyring.rotate();
    await secrets.create('default', 'young', { value: '' });
    const references = [
      { name: 'plain', env: 'A' },
      { name: 'db.user', env: 'B' },
      { name: 'db.pass.word', env: 'C' },
      { name: 'young', env: 'D' },
    ];
    assert.deepEqual(await secrets.values('default', references), {
      env: { A: 'one', B: 'ada', C: 'one', D: '' },
      values: ['one', 'ada', ''],
    });
    assert.deepEqual(await secrets.values('default', []), { env: {}, values: [] });
  });

  test('are counted when no key that is here opens them', async (t) => {
    const world = await openWorld(t);
    await world.secrets.create('default', 'db', { value: 'one' });
    assert.equal(await world.secrets.sealedWithoutKey(), 0);
    const { store } = world;
    const keyring = await Keyring.open(join(world.root, 'another-key'));
    const lost = new SecretUseCases({ secrets: store.secrets, deployments: store.deployments, keyring, sealing });
    assert.equal(await lost.sealedWithoutKey(), 1);
    await lost.put('default', 'db', { value: 'two' });
    assert.equal(await lost.sealedWithoutKey(), 0, 'a new value is sealed with a key that is here');
  });

  test('that are missing are named, each once, with the command that creates them', async (t) => {
    const { secrets } = await openWorld(t);
    await secrets.create('team', 'db', { data: { user: 'ada' } });
    const references = ['db.user', 'db', 'db.toString', 'nope', 'nope'].map((name, i) => ({ name, env: `V${i}` }));
    await assert.rejects(
      secrets.values('team', references),
      refused(
        'not_found',
        'missing in team: nope; create',
        'prisn secret create nope --from-file … -n team',
        "no key 'toString'",
      ),
    );
    await assert.rejects(
      secrets.check('team', references.slice(1, 2)),
      refused('not_found', "the secret db has no key 'value'; it has user: --secret db.user:V1"),
    );
    await assert.rejects(secrets.check('default', references.slice(0, 1)), refused('not_found', '--data user=…'));
    await assert.rejects(secrets.check('team', [{ name: 'dbb.user', env: 'A' }]), refused('not_found', 'did you mean db?'));
    await assert.rejects(secrets.get('team', 'bd'), refused('not_found', 'did you mean db?'));
    await secrets.check('team', references.slice(0, 1));
  });

  test('of a form that no program could receive are refused, naming the field', async (t) => {
    const { secrets } = await openWorld(t);
    await assert.rejects(secrets.create('default', 'a b', { value: 'x' }), refused('usage', 'name: "a b"'));
    await assert.rejects(secrets.create('de fault', 'a', { value: 'x' }), refused('usage', 'namespace: "de fault"'));
    await assert.rejects(secrets.create('default', 'a', {}), refused('usage', 'value', 'data'));
    await assert.rejects(secrets.create('default', 'a', { value: 'x', data: { a: 'x' } }), refused('usage', 'either'));
    await assert.rejects(secrets.create('default', 'a', { data: {} }), refused('usage', 'at least one'));
    await assert.rejects(secrets.create('default', 'a', { data: { 'a b': 'x' } }), refused('usage', 'data: "a b"'));
    await assert.rejects(secrets.create('default', 'a', { value: 'x\0y' }), refused('usage', 'NUL'));
    await assert.rejects(secrets.create('default', 'a', { value: 'x'.repeat(70_000) }), refused('too_large', '65536'));
    await assert.rejects(secrets.get('default', 'a'), refused('not_found', 'prisn secret list'));
  });

  test('given many values at once get as many versions', async (t) => {
    const { secrets } = await openWorld(t);
    const written = await Promise.all([...Array(20).keys()].map((i) => secrets.put('default', 'db', { value: `v${i}` })));
    assert.deepEqual(
      written.map(({ secret }) => secret.version),
      [...Array(20).keys()].map((i) => i + 1),
    );
    assert.deepEqual((await secrets.values('default', [{ name: 'db', env: 'A' }])).env, { A: 'v19' });
  });

  test('are deleted unless a deployment refers to them', async (t) => {
    const { secrets, deployments, upload } = await openWorld(t);
    await secrets.create('default', 'db', { data: { user: 'ada' } });
    const bundle = await upload({ 'a.py': '' });
    const code = { bundle, entrypoint: 'a.py' };
    await deployments.create('default', 'backup', { ...code, secrets: [{ name: 'db.user', env: 'A' }] });
    await assert.rejects(secrets.delete('default', 'db'), refused('conflict', 'backup'));
    await deployments.put('default', 'backup', code);
    await secrets.delete('default', 'db');
    await assert.rejects(secrets.delete('default', 'db'), refused('not_found', '"db"'));
  });

  test('lie in no file in clear', async (t) => {
    const { secrets, store, root } = await openWorld(t);
    await secrets.create('default', 'db', { value: 'correct-horse-battery' });
    await store.close();
    const files = readdirSync(join(root, 'store'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    assert.ok(files.length > 0);
    for (const { parentPath, name } of files)
      assert.equal(readFileSync(join(parentPath, name)).includes('correct-horse-battery'), false, name);
  });
});
