import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { DeploymentChanges, DeploymentFields } from '../../src/engine/deployment-fields.ts';
import type { Execution } from '../../src/model/execution.ts';
import { openWorld, refused, type World } from './deployments-harness.ts';

async function withCode(world: World): Promise<Pick<DeploymentFields, 'bundle' | 'entrypoint'>> {
  return { bundle: await world.upload({ 'a.py': 'print(1)', 'b.sh': '', 'lib/c.js': '' }), entrypoint: 'a.py' };
}

describe('a deployment', () => {
  test('is created once a name and found by name and by id', async (t) => {
    const world = await openWorld(t);
    const { deployments } = world;
    const code = await withCode(world);
    const made = await deployments.create('default', 'backup', { ...code, timeout: '30s', args: ['x'], labels: { team: 'a' } });
    assert.match(made.id, /^dep-/);
    assert.deepEqual([made.type, made.runtime, made.revision, made.timeout_ms, made.retries], ['job', 'python3', 1, 30_000, 0]);
    assert.deepEqual(await deployments.get('default', 'backup'), made);
    assert.deepEqual(await deployments.get('default', made.id), made);
    await assert.rejects(deployments.create('default', 'backup', code), refused('conflict', 'backup exists already in default'));
    await deployments.create('team', 'backup', code);
    const { items, total } = await deployments.list({ namespace: 'default', label: { key: 'team', value: 'a' } }, { limit: 10 });
    assert.deepEqual([items, total], [[made], 1]);
  });

  test('that nothing has is refused with what was meant and where all are listed', async (t) => {
    const world = await openWorld(t);
    const { deployments } = world;
    await deployments.create('default', 'backup', await withCode(world));
    await assert.rejects(deployments.get('default', 'bakcup'), refused('not_found', 'mean backup?', 'prisn get deployments'));
    await assert.rejects(deployments.get('team', 'other'), refused('not_found', 'prisn get deployments -n team'));
    await assert.rejects(deployments.get('default', 'dep-00000000000000000000000000'), refused('not_found', 'dep-0000'));
    await assert.rejects(deployments.put('default', 'dep-none', {}), refused('not_found', 'dep-none'));
    await assert.rejects(deployments.patch('default', 'other', {}), refused('not_found', 'other'));
  });

  test('makes a revision of new code or configuration, and none of the same', async (t) => {
    const world = await openWorld(t);
    const { deployments } = world;
    const code = await withCode(world);
    const first = await deployments.put('default', 'backup', { ...code, env: { A: '1', B: '2' } });
    assert.deepEqual([first.created, first.changed], [true, true]);
    const same = await deployments.put('default', 'backup', { ...code, env: { B: '2', A: '1' } });
    assert.deepEqual(same, { deployment: first.deployment, created: false, changed: false });
    const second = await deployments.put('default', first.deployment.id, { ...code, env: { A: '1' } });
    assert.deepEqual([second.created, second.changed, second.deployment.revision], [false, true, 2]);
    assert.deepEqual([second.deployment.id, second.deployment.created_at], [first.deployment.id, first.deployment.created_at]);
    assert.deepEqual(await deployments.get('default', 'backup'), second.deployment);
    assert.deepEqual(await deployments.revisions('default', 'backup'), [second.deployment, first.deployment]);
  });

  test('keeps what a change does not give, of variables, labels and resources each by itself', async (t) => {
    const world = await openWorld(t);
    const { deployments } = world;
    const code = await withCode(world);
    const whole: DeploymentFields = {
      ...code,
      env: { A: '1', B: '2' },
      labels: { x: '1', y: '2' },
      args: ['a'],
      timeout: '1h',
      retries: 2,
      concurrency: 3,
      resources: { memory_mb: 64, cpu: 1 },
    };
    const { deployment: before } = await deployments.put('default', 'backup', whole);
    const changes: DeploymentChanges = { env: { A: null, C: '3' }, labels: { x: null }, resources: { memory_mb: 128 } };
    const { deployment: after, changed } = await deployments.patch('default', 'backup', changes);
    assert.equal(changed, true);
    assert.deepEqual(after, {
      ...before,
      env: { B: '2', C: '3' },
      labels: { y: '2' },
      resources: { memory_mb: 128, cpu: 1 },
      revision: 2,
      updated_at: after.updated_at,
    });
    assert.equal((await deployments.patch('default', 'backup', changes)).changed, false);
    const { deployment: replaced } = await deployments.put('default', 'backup', code);
    assert.deepEqual([replaced.env, replaced.labels, replaced.args, replaced.retries], [{}, {}, [], 0]);
    assert.equal('timeout_ms' in replaced || 'resources' in replaced || 'concurrency' in replaced, false);
  });

  test('keeps its contexts where it is told to and an isolate runs it, until it is told not to', async (t) => {
    const world = await openWorld(t);
    const { deployments } = world;
    const code = { bundle: await world.upload({ 'a.js': 'export default () => 1', 'b.py': '' }), entrypoint: 'a.js' };
    const { deployment } = await deployments.put('default', 'kept', { ...code, reuse: true });
    assert.equal(deployment.reuse, true);
    assert.equal((await deployments.patch('default', 'kept', { retries: 1 })).deployment.reuse, true);
    await assert.rejects(
      deployments.patch('default', 'kept', { entrypoint: 'b.py' }),
      refused('usage', 'only a program in an isolate keeps its context', 'python3', 'deploy it without reuse'),
    );
    const { deployment: fresh, changed } = await deployments.patch('default', 'kept', { reuse: false });
    assert.deepEqual([changed, 'reuse' in fresh], [true, false]);
    await deployments.patch('default', 'kept', { reuse: true });
    assert.equal('reuse' in (await deployments.put('default', 'kept', code)).deployment, false);
  });

  test('has its runtime chosen by its file, also by a new one, unless the user chose', async (t) => {
    const world = await openWorld(t);
    const { deployments } = world;
    const code = await withCode(world);
    const runtimeAfter = async (changes: DeploymentChanges): Promise<string | undefined> =>
      (await deployments.patch('default', 'backup', changes)).deployment.runtime;
    await deployments.create('default', 'backup', code);
    assert.equal(await runtimeAfter({ entrypoint: './b.sh' }), 'sh');
    assert.equal((await deployments.get('default', 'backup')).entrypoint, 'b.sh');
    assert.equal(await runtimeAfter({ runtime: 'bash' }), 'bash');
    assert.equal(await runtimeAfter({ entrypoint: 'a.py' }), 'bash');
    await deployments.put('default', 'backup', code);
    assert.equal((await deployments.get('default', 'backup')).runtime, 'python3');
    await assert.rejects(deployments.put('default', 'backup', { ...code, runtime: 'cobol' }), refused('no_runtime', 'cobol'));
  });

  test('may come as source, which becomes a bundle of one file', async (t) => {
    const world = await openWorld(t);
    const { deployments, bundles, upload } = world;
    const made = await deployments.create('default', 'hello', { source: 'print("ü")', runtime: 'python3' });
    assert.deepEqual([made.entrypoint, made.runtime], ['main.py', 'python3']);
    assert.equal(made.bundle, await upload({ 'main.py': 'print("ü")' }));
    assert.ok(bundles.has(made.bundle));
    const { deployment } = await deployments.patch('default', 'hello', { source: 'print(2)' });
    assert.deepEqual([deployment.bundle, deployment.revision], [await upload({ 'main.py': 'print(2)' }), 2]);
    await assert.rejects(deployments.create('default', 'b', { source: '1' }), refused('usage', 'source needs runtime'));
    const both = { source: '1', runtime: 'python3', bundle: made.bundle };
    await assert.rejects(deployments.create('default', 'b', both), refused('usage', 'leave out bundle'));
  });

  test('without its code is refused with what to do', async (t) => {
    const world = await openWorld(t);
    const { deployments } = world;
    const { bundle } = await withCode(world);
    const create = (fields: DeploymentFields) => deployments.create('default', 'backup', fields);
    await assert.rejects(create({}), refused('usage', 'bundle', 'source', 'prisn deploy'));
    await assert.rejects(create({ bundle: bundle ?? '' }), refused('usage', 'bundle needs entrypoint'));
    await assert.rejects(
      create({ bundle: 'sha256-none', entrypoint: 'a.py' }),
      refused('not_found', 'sha256-none', '/api/v1/bundles'),
    );
    for (const entrypoint of ['', '/etc/passwd', '../a.py', 'lib/../../a.py', 'a\0.py'])
      await assert.rejects(create({ bundle: bundle ?? '', entrypoint }), refused('usage', 'entrypoint:'));
    await assert.rejects(create({ bundle: bundle ?? '', entrypoint: 'lib' }), refused('usage', 'no file "lib"'));
    await assert.rejects(create({ bundle: bundle ?? '', entrypoint: 'lib/d.js' }), refused('usage', 'mean lib/c.js?'));
    await assert.rejects(deployments.get('default', 'backup'), refused('not_found'));
  });

  test('whose fields are not of their form is refused, naming the field', async (t) => {
    const world = await openWorld(t);
    const { deployments } = world;
    const code = await withCode(world);
    const cases: readonly (readonly [DeploymentFields, ...string[]])[] = [
      [{ timeout: '30' }, 'timeout:', "'30'", '30s'],
      [{ args: ['a', 'b\0'] }, 'args: number 2'],
      [{ env: { 'A-B': '' } }, 'env:', 'A-B'],
      [{ env: { A: '\0' } }, 'env:', 'A'],
      [{ env: { PRISN_DATA: '/etc' } }, 'env:', 'PRISN_DATA', 'set by prisn'],
      [{ secrets: [{ name: 'db', env: 'PRISN_API' }] }, 'secrets:', 'PRISN_API', 'set by prisn'],
      [{ env: { A: '1' }, secrets: [{ name: 'db', env: 'A' }] }, 'A is given by env and by the secret db'],
      [{ secrets: [{ name: 'a b', env: 'A' }] }, 'secrets:', 'a b'],
      [{ secrets: [{ name: 'db.', env: 'A' }] }, 'secrets:', 'db.'],
      [{ secrets: [{ name: 'db', env: '1A' }] }, 'secrets:', '1A'],
      [{ secrets: ['db', 'other'].map((name) => ({ name, env: 'A' })) }, 'secrets:', 'A', 'more than one'],
      [{ labels: { 'a=b': '' } }, 'labels:', 'a=b'],
      [{ labels: { a: 'x\n' } }, 'labels:', 'a'],
      [{ port: 8080, health_check: { path: '/', interval: '5' } }, 'health_check.interval'],
      [{ port: 8080, schedule: '@hourly' }, 'port', 'schedule', 'deploy two'],
      [{ type: 'cronjob', port: 8080 }, 'type:', 'cronjob', 'service'],
      [{ type: 'job', schedule: '@hourly' }, 'type:', 'cronjob'],
    ];
    for (const [fields, ...says] of cases)
      await assert.rejects(deployments.put('default', 'backup', { ...code, ...fields }), refused('usage', ...says));
    await assert.rejects(deployments.put('default', 'exec-1', code), refused('usage', 'name:', 'looks like an id'));
    await assert.rejects(deployments.put('a/b', 'backup', code), refused('usage', 'namespace:'));
  });

  test('that would be a service, a cronjob or have a disk is refused, and a job never becomes one', async (t) => {
    const world = await openWorld(t);
    const { deployments } = world;
    const code = await withCode(world);
    const later: readonly DeploymentFields[] = [
      { port: 8080 },
      { replicas: 1 },
      { health_check: { path: '/' } },
      { expose: 'a' },
      { schedule: '@hourly' },
      { timezone: 'UTC' },
      { overlap: 'skip' },
      { missed: 'skip' },
      { type: 'service' },
      { type: 'cronjob' },
    ];
    for (const fields of later)
      await assert.rejects(
        deployments.put('default', 'backup', { ...code, ...fields }),
        refused('usage', `${Object.keys(fields)[0]}:`, 'not part of this version'),
      );
    const isolated = { bundle: await world.upload({ 'a.js': '' }), entrypoint: 'a.js', resources: { cpu: 1 } };
    await assert.rejects(deployments.put('default', 'backup', isolated), refused('usage', 'deploy it with runtime node'));
    const disk = { ...code, resources: { disk_mb: 1 } };
    await assert.rejects(deployments.put('default', 'backup', disk), refused('usage', 'resources.disk_mb'));
    await deployments.put('default', 'backup', { ...code, type: 'job' });
    await assert.rejects(deployments.patch('default', 'backup', { port: 8080 }), refused('usage', 'not part of this version'));
    await assert.rejects(
      deployments.put('default', 'backup', { ...code, type: 'cronjob' }),
      refused('usage', 'not part of this version'),
    );
  });

  test('needs its secrets, and names all that are missing with their commands', async (t) => {
    const world = await openWorld(t);
    const { deployments, secrets } = world;
    const fields = {
      ...(await withCode(world)),
      secrets: ['db-password', 'smtp.user'].map((name, i) => ({ name, env: `V${i}` })),
    };
    await assert.rejects(
      deployments.create('default', 'backup', fields),
      refused('not_found', 'prisn secret create db-password --from-file …', 'prisn secret create smtp --data user=…'),
    );
    await secrets.create('default', 'db-password', { value: 'x' });
    await secrets.create('default', 'smtp', { data: { user: 'x' } });
    const { secrets: references } = await deployments.create('default', 'backup', fields);
    assert.deepEqual(references, fields.secrets);
  });

  test('is rolled back by a new revision that is a copy of an old one', async (t) => {
    const world = await openWorld(t);
    const { deployments } = world;
    const code = await withCode(world);
    for (const A of ['1', '2', '3']) await deployments.put('default', 'backup', { ...code, env: { A } });
    const fourth = await deployments.rollback('default', 'backup');
    assert.deepEqual([fourth.revision, fourth.env], [4, { A: '2' }]);
    const fifth = await deployments.rollback('default', 'backup', 1);
    assert.deepEqual([fifth.revision, fifth.env], [5, { A: '1' }]);
    assert.equal((await deployments.rollback('default', 'backup', 1)).revision, 5);
    await assert.rejects(deployments.rollback('default', 'backup', 5), refused('usage', 'revision 5 is the present one'));
    await assert.rejects(deployments.rollback('default', 'backup', 9), refused('not_found', 'no revision 9', '1 to 5'));
    await deployments.create('default', 'young', code);
    await assert.rejects(deployments.rollback('default', 'young'), refused('not_found', 'young has one revision only'));
  });

  test('is not rolled back to code or secrets that are gone', async (t) => {
    const world = await openWorld(t);
    const { deployments, secrets, bundles, upload } = world;
    await secrets.create('default', 'db', { value: 'x' });
    const old = await upload({ 'old.py': '' });
    await deployments.create('default', 'backup', { bundle: old, entrypoint: 'old.py' });
    const code = await withCode(world);
    await deployments.put('default', 'backup', { ...code, secrets: [{ name: 'db', env: 'A' }] });
    await deployments.put('default', 'backup', code);
    await secrets.delete('default', 'db');
    await bundles.delete(old);
    await assert.rejects(deployments.rollback('default', 'backup', 1), refused('not_found', old));
    await assert.rejects(deployments.rollback('default', 'backup', 2), refused('not_found', 'prisn secret create db'));
    assert.equal((await deployments.get('default', 'backup')).revision, 3);
  });

  test('takes its executions and folders with it when it is deleted, and nothing that they link to', async (t) => {
    const world = await openWorld(t);
    const { deployments, executor, workDir, dataDir, store } = world;
    const { id } = await deployments.create('default', 'backup', await withCode(world));
    const outside = join(world.root, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'kept'), '');
    mkdirSync(join(workDir, id, 'closed'), { recursive: true });
    writeFileSync(join(workDir, id, 'closed', 'file'), '');
    symlinkSync(outside, join(workDir, id, 'link'));
    chmodSync(join(workDir, id, 'closed'), 0o500);
    symlinkSync(outside, join(dataDir, id));
    executor.onForget = async () => assert.ok(await store.deployments.byId(id));
    await deployments.delete('default', 'backup');
    assert.deepEqual(executor.forgotten, [id]);
    assert.deepEqual([existsSync(join(workDir, id)), existsSync(join(dataDir, id))], [false, false]);
    assert.ok(existsSync(join(outside, 'kept')));
    await assert.rejects(deployments.get('default', id), refused('not_found'));
    await assert.rejects(deployments.delete('default', 'backup'), refused('not_found'));
    assert.deepEqual(await store.deployments.revisions(id), []);
  });

  test('deployed a hundred times at once has a hundred revisions, each whole', async (t) => {
    const world = await openWorld(t);
    const { deployments } = world;
    const code = await withCode(world);
    const written = await Promise.all(
      [...Array(100).keys()].map((i) => deployments.put('default', 'backup', { ...code, env: { A: String(i), B: String(i) } })),
    );
    assert.deepEqual(
      written.map(({ deployment }) => deployment.revision),
      [...Array(100).keys()].map((i) => i + 1),
    );
    assert.equal(new Set(written.map(({ deployment }) => deployment.id)).size, 1);
    const { env, revision } = await deployments.get('default', 'backup');
    assert.deepEqual([env, revision], [{ A: '99', B: '99' }, 100]);
  });

  test('changed in different fields at once keeps both changes', async (t) => {
    const world = await openWorld(t);
    const { deployments } = world;
    await deployments.create('default', 'backup', await withCode(world));
    const names = [...Array(20).keys()].map((i) => `V${i}`);
    await Promise.all(names.map((name) => deployments.patch('default', 'backup', { env: { [name]: '1' } })));
    assert.deepEqual(Object.keys((await deployments.get('default', 'backup')).env).toSorted(), names.toSorted());
  });

  test('is read from memory, and never as it was before a change', async (t) => {
    const world = await openWorld(t);
    const { deployments, store } = world;
    const code = await withCode(world);
    const { id } = await deployments.create('default', 'backup', code);
    const reads = t.mock.method(store.deployments, 'byName');
    const first = await deployments.get('default', 'backup');
    assert.equal(await deployments.get('default', 'backup'), first);
    assert.equal(reads.mock.callCount(), 1);
    // A read that begins before a change and ends after it.
    const held = Promise.withResolvers<void>();
    const byId = store.deployments.byId.bind(store.deployments);
    t.mock.method(store.deployments, 'byId', async (wanted: string) => {
      const found = await byId(wanted);
      await held.promise;
      return found;
    });
    const reading = deployments.get('default', id);
    await deployments.patch('default', 'backup', { args: ['new'] });
    held.resolve();
    await reading;
    assert.deepEqual((await deployments.get('default', id)).args, ['new']);
    assert.deepEqual((await deployments.get('default', 'backup')).args, ['new']);
  });

  test('tells by its phase how its newest execution is doing', async (t) => {
    const world = await openWorld(t);
    const { deployments, executor } = world;
    const made = await deployments.create('default', 'backup', await withCode(world));
    const times = { created_at: '2999-01-01T00:00:00.000Z', started_at: '2999-01-01T00:00:01.000Z' };
    const base = {
      id: 'exec-1',
      namespace: 'default',
      name: 'backup',
      attempt: 1,
      node_id: 'n',
      trigger: 'cli',
      ...times,
    } as const;
    const status = async (newest?: Partial<Execution>, running = 0) => {
      executor.newest = newest && { ...base, status: 'Pending', ...newest };
      executor.running = running;
      return deployments.status(made);
    };
    const fresh = await status();
    assert.deepEqual(fresh, {
      phase: 'Stopped',
      message: 'not run yet',
      ready_replicas: 0,
      desired_replicas: 0,
      restarts: 0,
      last_updated: made.updated_at,
    });
    assert.equal((await status({ status: 'Pending' })).phase, 'Pending');
    assert.equal((await status({ status: 'Pending' }, 2)).phase, 'Running');
    const completed_at = '2999-01-01T00:00:02.000Z';
    const done = await status({ status: 'Completed', reason: 'exit', exit_code: 0, completed_at });
    assert.deepEqual([done.phase, done.last_run, done.last_updated], ['Stopped', times.started_at, completed_at]);
    const failed = await status({ status: 'Failed', reason: 'exit', exit_code: 1 });
    assert.deepEqual([failed.phase, failed.message], ['Failed', 'last execution exec-1 failed: exit 1']);
    const late = await status({ status: 'Failed', reason: 'timeout', error: 'it ran longer than 1s' });
    assert.equal(late.message, 'last execution exec-1 failed: timeout: it ran longer than 1s');
    executor.newest = {
      id: 'exec-2',
      namespace: 'default',
      name: 'backup',
      attempt: 1,
      node_id: 'n',
      trigger: 'cli',
      status: 'Pending',
      created_at: times.created_at,
    };
    executor.before = [{ ...base, status: 'Completed' }];
    assert.equal((await deployments.status(made)).last_run, times.started_at, 'one that waits has not run');
  });

  test('of type job has no replicas to scale', async (t) => {
    const world = await openWorld(t);
    const { deployments } = world;
    await deployments.create('default', 'backup', await withCode(world));
    await assert.rejects(deployments.scale('default', 'backup', 3), refused('usage', 'job', 'prisn trigger backup'));
    await assert.rejects(deployments.scale('default', 'other', 3), refused('not_found'));
  });
});
