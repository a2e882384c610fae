import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { PrisnError, type ErrorCode } from '../../src/base/error.ts';
import { hasEnded } from '../../src/model/execution.ts';
import { openStore } from '../../src/store/store.ts';
import { archiveOf } from '../bundles/harness.ts';
import { Scratch } from '../scratch.ts';
import { deploymentOf, engineIn, failed, Programs, script, succeeded, TestClock, withEngine } from './harness.ts';

const longMs = 60_000;

function code(expected: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof PrisnError && error.code === expected;
}

describe('an accepted execution', () => {
  test('is on the disk before its caller is answered', async (t) => {
    const scratch = new Scratch(t);
    await withEngine(scratch, {}, async ({ executor }) => {
      const one = await executor.submit(script({ input: '{"a":1}' }));
      // What a server that is killed now leaves.
      cpSync(scratch.path('store'), scratch.path('copy'), { recursive: true });
      const left = await openStore({ directory: scratch.path('copy') });
      const stored = (await left.executions.get(one.id))?.record;
      assert.equal(stored?.id, one.id);
      assert.ok(!hasEnded(stored));
      assert.equal((await left.executions.spec(one.id))?.input, '{"a":1}');
      await left.close();
    });
  });

  test('is stored as running where it starts at once, and as waiting where it does not', async (t) => {
    const programs = new Programs();
    await withEngine(new Scratch(t), { programs, options: { concurrency: 1 } }, async ({ executor, store }) => {
      const [first, second] = [await executor.submit(script()), await executor.submit(script())];
      assert.deepEqual([first.status, second.status], ['Pending', 'Pending'], 'as they were accepted');
      const stored = await Promise.all([first, second].map(async ({ id }) => (await store.executions.get(id))?.record.status));
      assert.deepEqual(stored, ['Running', 'Pending']);
      programs.play = (run) => run.exit();
      programs.runs[0]?.exit();
      for (const { id } of [first, second]) assert.equal((await executor.wait(id, 600_000)).status, 'Completed');
    });
  });

  test('ends with its result, output, times and usage in one record', async (t) => {
    const programs = new Programs();
    programs.play = (run) =>
      run
        .write('out\n')
        .write('err\n', 'stderr')
        .exit({ ...succeeded, result: '{"n":[1]}', usage: { startMs: 0.1234567, cpuMs: 3, maxRssBytes: 4096 } });
    await withEngine(new Scratch(t), { programs }, async ({ executor }) => {
      const { id } = await executor.submit(script({ name: 'mine' }));
      const one = await executor.wait(id, longMs);
      const { created_at, started_at, completed_at, queued_ms, prepare_ms, run_ms, duration_ms, ...rest } = one;
      assert.deepEqual(rest, {
        id,
        namespace: 'default',
        name: 'mine',
        status: 'Completed',
        reason: 'exit',
        exit_code: 0,
        attempt: 1,
        runtime: 'bash',
        node_id: 'node-1',
        trigger: 'api',
        tier: 'T1',
        start_ms: 0.123,
        cpu_ms: 3,
        max_rss_bytes: 4096,
        result: { n: [1] },
        stdout: 'out\n',
        stderr: 'err\n',
      });
      assert.ok(created_at <= (started_at ?? '') && (started_at ?? '') <= (completed_at ?? ''));
      for (const ms of [queued_ms, prepare_ms, run_ms, duration_ms]) assert.match(String(ms), /^\d+(\.\d{1,3})?$/);
      assert.deepEqual(await executor.get(id), one, 'from the store it is the same');
      const { items } = await executor.list({}, { limit: 10 });
      assert.equal(items[0]?.id, id);
    });
  });

  test('fails for every end but exit code 0, with what there is to say', async (t) => {
    const programs = new Programs();
    await withEngine(new Scratch(t), { programs }, async ({ executor }) => {
      const endOf = async (outcome: Parameters<(typeof programs.runs)[0]['exit']>[0]): Promise<unknown[]> => {
        programs.play = (run) => run.exit(outcome);
        const one = await executor.wait((await executor.submit(script())).id, longMs);
        return [one.status, one.reason, one.exit_code, one.error];
      };
      assert.deepEqual(await endOf(failed), ['Failed', 'exit', 3, undefined]);
      assert.deepEqual(await endOf({ reason: 'signal', exitCode: 139, signal: 'SIGSEGV' }), [
        'Failed',
        'signal',
        139,
        'the program was ended by SIGSEGV',
      ]);
      assert.deepEqual(await endOf({ reason: 'timeout', exitCode: 124, message: 'too long' }), [
        'Failed',
        'timeout',
        124,
        'too long',
      ]);
    });
  });

  test('with a result that cannot be kept is invalid, and ends all the same', async (t) => {
    const programs = new Programs();
    // The last is longer when it is written anew: 1e+21.
    const results = [`"${'x'.repeat(600_000)}"`, '{"a":', `[${'1e21,'.repeat(100_000)}1]`];
    programs.play = (run) => run.exit({ ...succeeded, result: results[programs.runs.length - 1] as string });
    await withEngine(new Scratch(t), { programs }, async ({ executor }) => {
      for (const _ of results) {
        const one = await executor.wait((await executor.submit(script())).id, longMs);
        assert.deepEqual([one.status, one.reason, one.exit_code], ['Failed', 'invalid', 125]);
        assert.match(one.error ?? '', /result/);
      }
    });
  });

  test('is one of a thousand at once, each of which runs once', async (t) => {
    const programs = new Programs();
    programs.play = (run) => setImmediate(() => run.exit());
    await withEngine(new Scratch(t), { programs }, async ({ executor }) => {
      const ids = await Promise.all(Array.from({ length: 1000 }, async () => (await executor.submit(script())).id));
      await Promise.all(ids.map((id) => executor.wait(id, longMs)));
      assert.deepEqual(programs.runs.map(({ id }) => id).toSorted(), ids.toSorted());
      assert.equal((await executor.list({ status: 'Completed' }, { limit: 1 })).total, 1000);
      assert.deepEqual(executor.counts(), { running: 0, pending: 0 });
    });
  });

  test('is made once by a hundred equal requests with one key', async (t) => {
    const programs = new Programs();
    programs.play = (run) => run.exit();
    await withEngine(new Scratch(t), { programs }, async ({ executor }) => {
      const idempotency = { caller: 'me', key: 'k', bodyHash: 'h' };
      const all = await Promise.all(Array.from({ length: 100 }, () => executor.submit(script({ idempotency }))));
      assert.equal(new Set(all.map(({ id }) => id)).size, 1);
      await executor.wait(all[0]?.id ?? '', longMs);
      assert.equal(programs.runs.length, 1);
      await assert.rejects(executor.submit(script({ idempotency: { ...idempotency, bodyHash: 'other' } })), code('conflict'));
    });
  });

  test('tells those who wait as soon as it ends, and lets go of those whose time is over or who leave', async (t) => {
    const [programs, clock] = [new Programs(), new TestClock()];
    await withEngine(new Scratch(t), { programs, clock }, async ({ executor }) => {
      const { id } = await executor.submit(script());
      const run = await programs.started(1);
      const gone = new AbortController();
      const [short, left, long] = [executor.wait(id, 50), executor.wait(id, longMs, gone.signal), executor.wait(id, longMs)];
      clock.advance(50);
      assert.equal((await short).status, 'Running');
      gone.abort();
      assert.equal((await left).status, 'Running');
      run.exit();
      assert.equal((await long).status, 'Completed');
      await assert.rejects(executor.wait('exec-none', 1), code('not_found'));
    });
  });
});

describe('a submission', () => {
  test('is refused at once for what can never run', async (t) => {
    await withEngine(new Scratch(t), {}, async ({ executor }) => {
      await assert.rejects(executor.submit(script({ program: { source: '', runtime: 'cobol' } })), code('no_runtime'));
      await assert.rejects(executor.submit(script({ program: { bundle: 'sha256-0', entrypoint: 'a' } })), code('not_found'));
      const source = 'x'.repeat(600_000);
      await assert.rejects(
        executor.submit(script({ program: { source, runtime: 'bash' } })),
        (error) => code('too_large')(error) && /upload the program as a bundle/.test((error as Error).message),
      );
      assert.equal((await executor.list({}, { limit: 1 })).total, 0);
    });
  });

  test('is refused with a time to come back when the queue is full, and while the server starts', async (t) => {
    const programs = new Programs();
    const scratch = new Scratch(t);
    await withEngine(
      scratch,
      { programs, options: { concurrency: 1, isolateConcurrency: 1, queue: 2 } },
      async ({ executor }) => {
        await executor.submit(script());
        await programs.started(1);
        const waiting = [await executor.submit(script()), await executor.submit(script())];
        assert.deepEqual(
          waiting.map(({ queue_position }) => queue_position),
          [1, 2],
        );
        await assert.rejects(
          executor.submit(script()),
          (error) => code('busy')(error) && (error as PrisnError).retryAfterS === 5,
        );
        await executor.cancel(waiting[0]?.id ?? '');
        assert.equal((await executor.get(waiting[1]?.id ?? '')).queue_position, 1);
        await executor.submit(script());
      },
    );
    const late = await engineIn(scratch);
    await assert.rejects(late.executor.submit(script()), code('unavailable'));
    await late.store.close();
  });

  test('is refused with a limit that nothing can hold where it runs', async (t) => {
    await withEngine(new Scratch(t), {}, async ({ executor, programs }) => {
      const program = { source: '1', runtime: 'javascript' };
      for (const resources of [{ cpu: 1 }, { pids: 100 }])
        await assert.rejects(executor.submit(script({ program, resources })), {
          code: 'usage',
          message: /; deploy it with runtime node$/,
        });
      const few = { program: { source: '1', runtime: 'node' }, resources: { pids: 2 } };
      await assert.rejects(executor.submit(script(few)), { code: 'usage', message: /at least 16/ });
      assert.deepEqual([programs.runs.length, executor.counts()], [0, { running: 0, pending: 0 }]);
    });
  });

  test('takes from its deployment what it does not say itself', async (t) => {
    const programs = new Programs();
    programs.play = (run) => run.exit();
    const scratch = new Scratch(t);
    const references: unknown[] = [];
    const secretValues: NonNullable<Parameters<typeof engineIn>[1]>['parts'] = {
      secretValues: async (namespace, refs) => {
        references.push(namespace, refs);
        return { env: { TOKEN: 'hidden', LEVEL: 'secret' }, values: ['hidden'] };
      },
    };
    const setup = { programs, parts: secretValues, options: { api: () => 'http://127.0.0.1:7331' } };
    await withEngine(scratch, setup, async ({ executor, bundles }) => {
      const { id: bundle } = await bundles.put(archiveOf([{ name: 'main.sh', content: 'true' }]));
      const secrets = [{ name: 'token', env: 'TOKEN' }];
      const deployment = deploymentOf({
        bundle,
        name: 'backup',
        revision: 7,
        args: ['--all'],
        env: { LEVEL: 'deployment', A: '1', PRISN_DATA: '/etc' },
        secrets,
        chosen_runtime: 'bash',
        timeout_ms: 5000,
        resources: { memory_mb: 64, pids: 10 },
      });
      const one = await executor.submit({
        namespace: 'default',
        deployment,
        args: ['now'],
        env: { A: '2', TOKEN: 'shown' },
        resources: { memory_mb: 128 },
        stdin: 'text',
        trigger: 'cli',
      });
      assert.deepEqual([one.name, one.deployment, one.deployment_id, one.revision], ['backup', 'backup', deployment.id, 7]);
      await executor.wait(one.id, longMs);
      const { workload } = programs.runs[0] ?? assert.fail();
      const folder = scratch.path(`work/${deployment.id}/7`);
      assert.deepEqual(workload.program, { folder, entrypoint: 'main.sh', runtime: 'bash' });
      assert.equal(workload.cwd, folder);
      assert.deepEqual(readdirSync(folder), ['main.sh'], 'the folder of a revision stays');
      assert.deepEqual(workload.args, ['--all', 'now']);
      assert.equal(workload.env['PRISN_DATA'], scratch.path(`data/${deployment.id}`));
      assert.ok(existsSync(scratch.path(`data/${deployment.id}`)));
      assert.deepEqual(workload.env, {
        PRISN_EXECUTION_ID: one.id,
        PRISN_NAMESPACE: 'default',
        PRISN_DEPLOYMENT: 'backup',
        PRISN_REVISION: '7',
        PRISN_API: 'http://127.0.0.1:7331',
        PRISN_DATA: workload.env['PRISN_DATA'],
        TOKEN: 'hidden',
        LEVEL: 'secret',
        A: '2',
      });
      assert.deepEqual(workload.limits, { timeoutMs: 5000, memoryBytes: 128 * 2 ** 20, pids: 10 });
      assert.equal(Buffer.from(workload.stdin ?? []).toString(), 'text');
      assert.deepEqual(references, ['default', secrets]);
      const before = programs.resolves;
      await executor.wait((await executor.submit({ namespace: 'default', deployment, trigger: 'cli' })).id, longMs);
      assert.equal(programs.resolves, before + 1, 'what runs a revision is found out once, beside each preparation');
    });
  });

  test('of code that comes along runs in a folder of its own, which goes with it', async (t) => {
    const programs = new Programs();
    const scratch = new Scratch(t);
    await withEngine(scratch, { programs }, async ({ executor, bundles }) => {
      const { id: bundle } = await bundles.put(archiveOf([{ name: 'main.sh', content: 'true' }]));
      for (const program of [
        { source: 'true', runtime: 'bash' },
        { bundle, entrypoint: 'main.sh' },
      ]) {
        const { id } = await executor.submit(script({ program }));
        const { workload } = await programs.started(programs.runs.length + 1);
        assert.equal(workload.cwd, scratch.path(`work/${id}`));
        assert.deepEqual(readdirSync(workload.cwd), 'bundle' in program ? ['main.sh'] : []);
        programs.runs.at(-1)?.exit();
        await executor.wait(id, longMs);
        assert.ok(!existsSync(workload.cwd));
      }
      for (const program of [
        { source: '1', runtime: 'javascript' },
        { bundle, entrypoint: 'main.sh', runtime: 'javascript' },
      ]) {
        const { id } = await executor.submit(script({ program }));
        const { workload } = await programs.started(programs.runs.length + 1);
        assert.ok(!existsSync(workload.cwd), 'an isolate has no files');
        if ('folder' in workload.program) {
          assert.equal(workload.program.folder, bundles.open(bundle));
          assert.match(workload.program.revision ?? '', new RegExp(bundle));
        }
        programs.runs.at(-1)?.exit();
        await executor.wait(id, longMs);
      }
    });
  });

  test('whose preparation fails ends as invalid, or as crashed where it is not to blame', async (t) => {
    const programs = new Programs();
    programs.prepareFails = () =>
      programs.resolves === 1 ? new PrisnError('cannot_run', 'no such file: a.sh') : new Error('EMFILE: too many open files');
    await withEngine(new Scratch(t), { programs }, async ({ executor }) => {
      const first = await executor.wait((await executor.submit(script())).id, longMs);
      assert.deepEqual(
        [first.status, first.reason, first.exit_code, first.error],
        ['Failed', 'invalid', 126, 'no such file: a.sh'],
      );
      const second = await executor.wait((await executor.submit(script())).id, longMs);
      assert.deepEqual([second.reason, second.exit_code], ['crashed', 125]);
      assert.match(second.error ?? '', /could not be started: EMFILE/);
      assert.equal(programs.runs.length, 0);
      programs.prepareFails = undefined;
      programs.play = () => {
        throw new Error('spawn E2BIG');
      };
      const third = await executor.wait((await executor.submit(script())).id, longMs);
      assert.deepEqual([third.reason, third.error], ['crashed', 'it could not be started: spawn E2BIG']);
      assert.deepEqual(executor.counts(), { running: 0, pending: 0 });
    });
  });
});

describe('limits', () => {
  test('hold for processes, for isolates and for each deployment, and nobody waits for a limit of another', async (t) => {
    const programs = new Programs();
    const scratch = new Scratch(t);
    await withEngine(scratch, { programs, options: { concurrency: 2, isolateConcurrency: 3 } }, async ({ executor, bundles }) => {
      const { id: bundle } = await bundles.put(archiveOf([{ name: 'main.sh', content: 'true' }]));
      const deployment = deploymentOf({ bundle, concurrency: 1 });
      const theirs = await Promise.all(
        [1, 2, 3].map(() => executor.submit({ namespace: 'default', deployment, trigger: 'api' })),
      );
      const other = await executor.submit(script());
      const isolates = await Promise.all(
        [1, 2, 3, 4].map(() => executor.submit(script({ program: { source: '1', runtime: 'javascript' } }))),
      );
      await programs.started(5);
      assert.deepEqual(executor.counts(), { running: 5, pending: 3 });
      assert.equal(executor.runningOf(deployment.id), 1);
      assert.ok(
        programs.runs.some(({ id }) => id === other.id),
        'it overtakes those of the deployment at its limit',
      );
      programs.play = (run) => run.exit();
      for (const run of programs.runs) run.exit();
      for (const { id } of [...theirs, other, ...isolates]) assert.equal((await executor.wait(id, longMs)).status, 'Completed');
      const order = programs.runs.map(({ id }) => id).filter((id) => theirs.some((one) => one.id === id));
      assert.deepEqual(
        order,
        theirs.map(({ id }) => id),
      );
    });
  });
});

describe('a secret', () => {
  test('is hidden in output, in the result and in the error, also across two chunks', async (t) => {
    const programs = new Programs();
    programs.play = (run) => {
      const encoded = Buffer.from('s3cr3t-value').toString('base64');
      run.write('a s3cr3t').write('-value b\n').write(`${encoded}\n`).write('s3cr3t-val', 'stderr');
      run.exit({ reason: 'crashed', exitCode: 125, message: 'lost s3cr3t-value', result: '{"k":"s3cr3t-value","n":12345678}' });
    };
    const parts = { secretValues: async () => ({ env: { S: 's3cr3t-value' }, values: ['s3cr3t-value', '12345678'] }) };
    await withEngine(new Scratch(t), { programs, parts }, async ({ executor }) => {
      const { id } = await executor.submit(script({ secrets: [{ name: 's', env: 'S' }] }));
      const one = await executor.wait(id, longMs);
      assert.equal(one.stdout, 'a *** b\n***\n');
      assert.equal(one.stderr, 's3cr3t-val', 'what only begins like one is let out at the end');
      assert.equal(one.error, 'lost ***');
      assert.equal(one.result, '{"k":"***","n":***}', 'what is no JSON any more is shown as text');
    });
  });
});
