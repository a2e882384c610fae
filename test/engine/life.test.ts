/** Retries, cancelling, stopping, and what a server takes over from one that died. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, symlinkSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { PrisnError, type ErrorCode } from '../../src/base/error.ts';
import { newId } from '../../src/base/id.ts';
import type { Execution } from '../../src/model/execution.ts';
import { archiveOf } from '../bundles/harness.ts';
import { Scratch } from '../scratch.ts';
import { deploymentOf, engineIn, failed, Programs, script, TestClock, withEngine, type Engine } from './harness.ts';

const longMs = 600_000;

function code(expected: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof PrisnError && error.code === expected;
}

/** A server that was killed: nothing more of it happens, and its store is read by the next one. */
async function abandoned(scratch: Scratch, body: (engine: Engine) => Promise<void>): Promise<Engine> {
  const engine = await engineIn(scratch, { clock: new TestClock() });
  await engine.executor.start();
  await body(engine);
  return engine;
}

describe('a retry', () => {
  test('follows a failure after its delay, keeps its place in a record that says why, and ends with the last attempt', async (t) => {
    const [programs, clock] = [new Programs(), new TestClock()];
    await withEngine(new Scratch(t), { programs, clock }, async ({ executor, metrics }) => {
      const { id } = await executor.submit(script({ retries: 2 }));
      (await programs.started(1)).write('one\n').exit(failed);
      const first = await clock.waitsFor((ms) => ms >= 500 && ms <= 1000);
      const resting = await executor.get(id);
      assert.deepEqual([resting.status, resting.attempt, resting.started_at], ['Pending', 2, undefined]);
      assert.match(resting.error ?? '', /^attempt 1 of 3 failed \(exit code 3\); the next one starts in \d+ms$|in 1s$/);
      assert.deepEqual(executor.counts(), { running: 0, pending: 1 });
      clock.advance(first - 1);
      assert.equal(programs.runs.length, 1);
      clock.advance(1);
      const second = await programs.started(2);
      assert.equal((await executor.get(id)).error, undefined);
      second.write('two\n').exit({ reason: 'timeout', exitCode: 124, message: 'too long' });
      clock.advance(await clock.waitsFor((ms) => ms >= 1000 && ms <= 2000));
      (await programs.started(3)).write('three\n').exit();
      const ended = await executor.wait(id, longMs);
      assert.deepEqual([ended.status, ended.attempt, ended.error, ended.stdout], ['Completed', 3, undefined, 'three\n']);
      assert.equal(new Set(programs.runs.map(({ workload }) => workload.runId)).size, 3);
      assert.match(await metrics.text(), /prisn_execution_retries_total\{reason="timeout"\} 1/);
    });
  });

  test('is not made when none is left, nor for what is invalid', async (t) => {
    const [programs, clock] = [new Programs(), new TestClock()];
    programs.play = (run) => run.exit(failed);
    await withEngine(new Scratch(t), { programs, clock }, async ({ executor }) => {
      const one = await executor.submit(script({ retries: 1 }));
      await programs.started(1);
      clock.advance(await clock.waitsFor((ms) => ms <= 1000));
      assert.deepEqual((await executor.wait(one.id, longMs)).attempt, 2);
      programs.prepareFails = () => new PrisnError('cannot_run', 'gone');
      const invalid = await executor.submit(script({ retries: 5 }));
      assert.equal((await executor.wait(invalid.id, longMs)).attempt, 1);
    });
  });

  test('is not counted for one that went down with its host through no fault of its own, three times', async (t) => {
    const programs = new Programs();
    const lost = { reason: 'crashed', exitCode: 125, message: 'the host ended', blameless: true } as const;
    programs.play = (run) => run.write(`${programs.runs.length}`).exit(programs.runs.length === 3 ? undefined : lost);
    await withEngine(new Scratch(t), { programs }, async ({ executor }) => {
      const one = await executor.wait((await executor.submit(script())).id, longMs);
      assert.deepEqual([one.status, one.attempt, one.stdout], ['Completed', 1, '3']);
      programs.play = (run) => run.exit(lost);
      const two = await executor.wait((await executor.submit(script())).id, longMs);
      assert.deepEqual([two.status, two.reason, two.error], ['Failed', 'crashed', 'the host ended']);
      assert.equal(programs.runs.length, 3 + 4);
    });
  });

  test('holds no slot and no order while it waits, but a place in the queue', async (t) => {
    const [programs, clock] = [new Programs(), new TestClock()];
    const options = { concurrency: 1, isolateConcurrency: 1, queue: 1 };
    await withEngine(new Scratch(t), { programs, clock, options }, async ({ executor }) => {
      await executor.submit(script({ retries: 1 }));
      (await programs.started(1)).exit(failed);
      await clock.waitsFor((ms) => ms <= 1000);
      await executor.submit(script());
      (await programs.started(2)).exit();
    });
  });
});

describe('cancelling', () => {
  test('ends what waits at once, what runs when its program has ended, and leaves what has ended', async (t) => {
    const programs = new Programs();
    const options = { concurrency: 1 };
    await withEngine(new Scratch(t), { programs, options }, async ({ executor }) => {
      const running = await executor.submit(script({ retries: 5 }));
      const waiting = await executor.submit(script());
      const run = await programs.started(1);
      const canceled = await executor.cancel(waiting.id);
      assert.deepEqual([canceled.status, canceled.reason, canceled.exit_code], ['Failed', 'canceled', 125]);
      assert.match(canceled.error ?? '', /before it started/);
      const stopped = await executor.cancel(running.id);
      assert.ok(run.isStopped);
      assert.deepEqual([stopped.status, stopped.reason, stopped.attempt], ['Failed', 'canceled', 1]);
      assert.deepEqual(await executor.cancel(running.id), stopped);
      await assert.rejects(executor.cancel('exec-none'), code('not_found'));
      assert.equal(programs.runs.length, 1);
      assert.deepEqual(executor.counts(), { running: 0, pending: 0 });
    });
  });

  test('ends one that waits for its next attempt, and one that is being prepared', async (t) => {
    const [programs, clock] = [new Programs(), new TestClock()];
    const secret = Promise.withResolvers<void>();
    const parts = { secretValues: () => secret.promise.then(() => ({ env: {}, values: [] })) };
    await withEngine(new Scratch(t), { programs, clock, parts }, async ({ executor }) => {
      const resting = await executor.submit(script({ retries: 5 }));
      (await programs.started(1)).exit(failed);
      await clock.waitsFor((ms) => ms <= 1000);
      const canceled = await executor.cancel(resting.id);
      assert.deepEqual([canceled.status, canceled.reason, canceled.attempt], ['Failed', 'canceled', 2]);
      assert.deepEqual(executor.counts(), { running: 0, pending: 0 });
      const preparing = await executor.submit(script({ secrets: [{ name: 's', env: 'S' }] }));
      const ending = executor.cancel(preparing.id);
      secret.resolve();
      assert.equal((await ending).reason, 'canceled');
      assert.equal(programs.runs.length, 1);
    });
  });

  test('does not wait for ever for a program that does not end', async (t) => {
    const [programs, clock] = [new Programs(), new TestClock()];
    await withEngine(new Scratch(t), { programs, clock }, async ({ executor }) => {
      const { id } = await executor.submit(script());
      const run = await programs.started(1);
      run.ignoresStop = true;
      const answer = executor.cancel(id);
      clock.advance(await clock.waitsFor((ms) => ms === 5000));
      assert.equal((await answer).status, 'Running');
      run.exit(failed);
      const ended = await executor.wait(id, longMs);
      assert.deepEqual([ended.status, ended.reason], ['Failed', 'exit'], 'the first cause counts');
    });
  });

  test('of all that a deployment has comes with its end, and its folders go', async (t) => {
    const programs = new Programs();
    const scratch = new Scratch(t);
    await withEngine(scratch, { programs }, async ({ executor, bundles }) => {
      const { id: bundle } = await bundles.put(archiveOf([{ name: 'main.sh', content: 'true' }]));
      const deployment = deploymentOf({ bundle, concurrency: 1 });
      const theirs = [1, 2].map(() => executor.submit({ namespace: 'default', deployment, trigger: 'api' }));
      const ids = (await Promise.all(theirs)).map(({ id }) => id);
      await programs.started(1);
      const other = await executor.submit(script());
      await executor.forget(deployment.id);
      for (const id of ids) assert.equal((await executor.get(id)).reason, 'canceled');
      assert.equal((await executor.get(other.id)).status, 'Running');
      assert.ok(!existsSync(scratch.path(`work/${deployment.id}`)));
    });
  });

  test('comes also for what is on its way when its deployment is deleted, and leaves no folder', async (t) => {
    const programs = new Programs();
    const scratch = new Scratch(t);
    await withEngine(scratch, { programs }, async ({ executor, bundles, store }) => {
      const { id: bundle } = await bundles.put(archiveOf([{ name: 'main.sh', content: 'true' }]));
      const deployment = deploymentOf({ bundle });
      const submission = { namespace: 'default', deployment, trigger: 'api' } as const;
      const create = store.executions.create.bind(store.executions);
      const [begun, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      store.executions.create = async (...args) => {
        begun.resolve();
        await held.promise;
        return create(...args);
      };
      const onItsWay = executor.submit(submission);
      await begun.promise;
      const takeBack = await executor.forget(deployment.id);
      held.resolve();
      const ended = await executor.wait((await onItsWay).id, longMs);
      assert.deepEqual([ended.reason, ended.error], ['canceled', 'its deployment was deleted']);
      await assert.rejects(executor.submit(submission), code('not_found'));
      const request = { method: 'GET', path: '/', headers: [] };
      const sink = { stdout: () => {}, stderr: () => {} };
      await assert.rejects(executor.call(submission, request as never, sink).ended, code('not_found'));
      assert.equal(programs.runs.length, 0);
      assert.ok(!existsSync(scratch.path(`work/${deployment.id}`)) && !existsSync(scratch.path(`data/${deployment.id}`)));
      takeBack();
      const { id } = await executor.submit(submission);
      (await programs.started(1)).exit();
      assert.equal((await executor.wait(id, longMs)).status, 'Completed', 'it stayed after all');
    });
  });
});

describe('a server that stops', () => {
  test('takes nothing more, lets what runs end, and leaves what waits to the next one', async (t) => {
    const programs = new Programs();
    const scratch = new Scratch(t);
    const { executor, store } = await engineIn(scratch, { programs, options: { concurrency: 1 } });
    await executor.start();
    const running = await executor.submit(script());
    const waiting = await executor.submit(script());
    const run = await programs.started(1);
    const seen = executor.wait(waiting.id, longMs);
    const late = executor.submit(script());
    const stopping = executor.stop(longMs);
    assert.equal(executor.stop(0), stopping);
    await assert.rejects(
      executor.submit(script()),
      (error) => code('unavailable')(error) && (error as PrisnError).retryAfterS === 2,
    );
    assert.equal((await seen).status, 'Pending', 'nobody waits for what will not happen');
    assert.equal((await executor.wait((await late).id, longMs)).status, 'Pending');
    run.write('whole\n').exit();
    await stopping;
    assert.equal((await executor.get(running.id)).stdout, 'whole\n');
    assert.equal((await store.executions.get(waiting.id))?.record.status, 'Pending');
    assert.equal(programs.runs.length, 1);
    await store.close();
    await withEngine(scratch, { programs }, async (next) => {
      (await programs.started(2)).exit();
      assert.equal((await next.executor.wait(waiting.id, longMs)).status, 'Completed');
    });
  });

  test('ends what still runs at its deadline as interrupted, or lets the next one try it again', async (t) => {
    const programs = new Programs();
    const scratch = new Scratch(t);
    const { executor, store } = await engineIn(scratch, { programs });
    await executor.start();
    const once = await executor.submit(script());
    const again = await executor.submit(script({ retries: 1 }));
    await programs.started(2);
    await executor.stop(0);
    const ended = await executor.get(once.id);
    assert.deepEqual([ended.status, ended.reason, ended.exit_code], ['Failed', 'interrupted', 125]);
    assert.match(ended.error ?? '', /server stopped/);
    const { record } = (await store.executions.get(again.id)) ?? assert.fail();
    assert.deepEqual([record.status, record.attempt], ['Pending', 2]);
    await store.close();
  });

  test('leaves to the next one, as it was, what had its turn and did not begin', async (t) => {
    const programs = new Programs();
    const secret = Promise.withResolvers<void>();
    const parts = { secretValues: () => secret.promise.then(() => ({ env: {}, values: [] })) };
    const clock = new TestClock();
    const { executor, store } = await engineIn(new Scratch(t), { programs, parts, clock });
    await executor.start();
    const { id } = await executor.submit(script({ secrets: [{ name: 's', env: 'S' }] }));
    assert.equal((await executor.get(id)).status, 'Running');
    const stopping = executor.stop(1000);
    clock.advance(await clock.waitsFor((ms) => ms === 1000));
    await clock.waitsFor((ms) => ms === 4000);
    secret.resolve();
    await stopping;
    const { record } = (await store.executions.get(id)) ?? assert.fail();
    assert.deepEqual([record.status, record.attempt, record.started_at], ['Pending', 1, undefined]);
    assert.equal(programs.runs.length, 0);
    await store.close();
  });

  test('leaves to the next one what was accepted with a slot while it began', async (t) => {
    const programs = new Programs();
    const { executor, store } = await engineIn(new Scratch(t), { programs });
    await executor.start();
    const accepting = executor.submit(script());
    // The acceptance is on its way to the disk.
    await Promise.resolve();
    const stopping = executor.stop(longMs);
    const { id } = await accepting;
    await stopping;
    const { record } = (await store.executions.get(id)) ?? assert.fail();
    assert.deepEqual([record.status, record.started_at, programs.runs.length], ['Pending', undefined, 0]);
    await store.close();
  });

  test('is held up neither by a program that never ends nor by one that is not prepared', async (t) => {
    const [programs, clock] = [new Programs(), new TestClock()];
    const scratch = new Scratch(t);
    const never = new Promise<never>(() => {});
    const { executor, store } = await engineIn(scratch, { programs, clock, parts: { secretValues: () => never } });
    await executor.start();
    const { id } = await executor.submit(script());
    const stuck = await executor.submit(script({ secrets: [{ name: 's', env: 'S' }] }));
    (await programs.started(1)).ignoresStop = true;
    const stopping = executor.stop(1000);
    clock.advance(await clock.waitsFor((ms) => ms === 1000));
    clock.advance(await clock.waitsFor((ms) => ms === 4000));
    const ended = await executor.wait(id, longMs);
    assert.deepEqual([ended.status, ended.reason], ['Failed', 'interrupted']);
    for (let i = 0; i < 2; i++) clock.advance(await clock.waitsFor((ms) => ms === 2000));
    await stopping;
    assert.equal((await store.executions.get(stuck.id))?.record.status, 'Running', 'the next one sees to it');
    await store.close();
  });
});

describe('a server that follows one that was killed', () => {
  test('ends what is left, fails what ran, tries again what may be, and runs what waited, in order', async (t) => {
    const scratch = new Scratch(t);
    const ids: Record<string, string> = {};
    const root = { pid: 4242, start: '17', boot: 'b' };
    const before = await abandoned(scratch, async ({ executor, programs }) => {
      programs.process = root;
      const submit = async (name: string, fields: Parameters<typeof script>[0] = {}): Promise<void> =>
        void (ids[name] = (await executor.submit(script({ name, ...fields }))).id);
      await submit('once');
      await submit('again', { retries: 1 });
      await submit('isolate', { program: { source: '1', runtime: 'javascript' } });
      await submit('third');
      await submit('fourth');
      await programs.started(5);
      for (const name of ['w1', 'w2', 'w3']) await submit(name);
    });
    const programs = new Programs();
    await withEngine(scratch, { programs, store: before.store, options: { concurrency: 1 } }, async ({ executor }) => {
      const marks = programs.leftovers.map(([runId, process]) => `${runId} ${process?.pid}`);
      assert.deepEqual(
        marks.toSorted(),
        ['once', 'again', 'isolate', 'third', 'fourth'].map((name) => `${ids[name]}.1 ${root.pid}`).toSorted(),
      );
      const once = await executor.get(ids['once'] ?? '');
      assert.deepEqual([once.status, once.reason, once.exit_code], ['Failed', 'interrupted', 125]);
      assert.equal('process' in once, false);
      const names: string[] = [];
      for (let i = 1; i <= 4; i++) {
        const run = await programs.started(i);
        names.push((await executor.get(run.id)).name);
        run.exit();
        assert.equal((await executor.wait(run.id, longMs)).status, 'Completed');
      }
      assert.deepEqual(names, ['again', 'w1', 'w2', 'w3']);
      assert.equal((await executor.get(ids['again'] ?? '')).attempt, 2);
      assert.deepEqual(executor.counts(), { running: 0, pending: 0 });
      const all = await executor.list({}, { limit: 100 });
      assert.equal(all.items.filter(({ status }) => status === 'Failed').length, 4);
    });
  });

  test('keeps the limit of a deployment', async (t) => {
    const scratch = new Scratch(t);
    const before = await abandoned(scratch, async ({ executor, bundles, store, programs }) => {
      const { id: bundle } = await bundles.put(archiveOf([{ name: 'main.sh', content: 'true' }]));
      const deployment = deploymentOf({ bundle, concurrency: 1 });
      await store.deployments.create(deployment);
      for (let i = 0; i < 3; i++) await executor.submit({ namespace: 'default', deployment, retries: 1, trigger: 'api' });
      await programs.started(1);
    });
    await withEngine(scratch, { store: before.store }, async ({ executor, programs }) => {
      await programs.started(1);
      assert.deepEqual(executor.counts(), { running: 1, pending: 2 });
    });
  });

  test('fails what has no runtime here any more, and says so', async (t) => {
    const scratch = new Scratch(t);
    const ids: string[] = [];
    const before = await abandoned(scratch, async ({ executor }) => {
      for (let i = 0; i < 5; i++) ids.push((await executor.submit(script())).id);
    });
    const programs = new Programs();
    programs.prepareFails = () => new PrisnError('no_runtime', 'bash is not installed');
    await withEngine(scratch, { programs, store: before.store }, async ({ executor }) => {
      const one: Execution = await executor.wait(ids[4] ?? '', longMs);
      assert.deepEqual([one.status, one.reason, one.error], ['Failed', 'invalid', 'bash is not installed']);
    });
  });
});

describe('what is old', () => {
  test('is removed in the background: executions with their logs and folders, keys, bundles', async (t: TestContext) => {
    const [programs, clock] = [new Programs(), new TestClock()];
    const scratch = new Scratch(t);
    programs.play = (run) => run.write('x'.repeat(100_000)).exit();
    const options = { retention: { ageMs: 1000 * 3_600_000, count: 2 } };
    await withEngine(scratch, { programs, clock, options }, async ({ executor, bundles, store }) => {
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) {
        ids.push((await executor.submit(script())).id);
        await executor.wait(ids[i] ?? '', longMs);
        clock.advance(1);
      }
      scratch.file('work/exec-left/file');
      scratch.file('work/dep-gone/1/file');
      const gone = newId('dep');
      scratch.file(`data/${gone}/file`);
      scratch.file('data/of-somebody/file');
      symlinkSync(scratch.path('data/of-somebody'), scratch.path(`data/${newId('dep')}`));
      const [used, unused] = await Promise.all(
        ['true', 'false'].map(async (content) => (await bundles.put(archiveOf([{ name: 'main.sh', content }]))).id),
      );
      const deployment = deploymentOf({ bundle: used ?? '', revision: 2 });
      await store.deployments.create(deployment);
      scratch.file(`data/${deployment.id}/file`);
      for (const revision of [1, 2]) scratch.file(`work/${deployment.id}/${revision}/file`);
      programs.play = undefined;
      const old = await executor.submit({ namespace: 'default', deployment: { ...deployment, revision: 3 }, trigger: 'api' });
      await programs.started(6);
      clock.advance(60_000);
      await clock.waitsFor((ms) => ms === 60_000);
      assert.deepEqual(
        (await executor.list({}, { limit: 10 })).items.map(({ id }) => id),
        [old.id, ids[4], ids[3]],
      );
      assert.deepEqual(readdirSync(scratch.path('logs')).toSorted(), [`${ids[3]}.1`, `${ids[4]}.1`]);
      assert.deepEqual(
        readdirSync(scratch.path('work')).filter((name) => !name.endsWith('.gone')),
        [deployment.id],
      );
      assert.deepEqual(
        readdirSync(scratch.path(`work/${deployment.id}`)).filter((name) => !name.endsWith('.gone')),
        ['2', '3'],
      );
      const data = readdirSync(scratch.path('data')).filter((name) => !name.endsWith('.gone'));
      assert.ok(!data.includes(gone) && data.includes(deployment.id) && data.length === 3, data.join());
      assert.ok(existsSync(scratch.path('data/of-somebody/file')));
      assert.deepEqual(new Set(await bundles.list()), new Set([used, unused]), 'what came within the hour may be on its way');
    });
  });
});
