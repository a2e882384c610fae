import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PrisnError } from '../../src/base/error.ts';
import type { CallSink, Submission } from '../../src/engine/executor.ts';
import type { FunctionHead, FunctionRequest } from '../../src/model/task.ts';
import { Scratch } from '../scratch.ts';
import { Programs, script, withEngine } from './harness.ts';

const request: FunctionRequest = { method: 'POST', url: 'http://x/fn/a', headers: [['a', 'b']], body: Buffer.from('ping') };
const javascript: Submission = script({ program: { source: '1', runtime: 'javascript' }, trigger: 'function' });
const shell: Submission = script({ trigger: 'function' });

class Client implements CallSink {
  readonly head = (head: FunctionHead): void => void this.heads.push(head);
  readonly heads: FunctionHead[] = [];
  bodyText = '';
  out = '';
  err = '';
  readonly stdout = (chunk: Uint8Array): void => void (this.out += Buffer.from(chunk).toString());
  readonly stderr = (chunk: Uint8Array): void => void (this.err += Buffer.from(chunk).toString());
  readonly body = (chunk: Uint8Array): void => void (this.bodyText += Buffer.from(chunk).toString());
}

describe('a function call', () => {
  test('hands the request to an isolate and its answer on, and leaves a record', async (t) => {
    const programs = new Programs();
    await withEngine(new Scratch(t), { programs }, async ({ executor }) => {
      const client = new Client();
      const call = executor.call(javascript, request, client);
      const run = await programs.started(1);
      await call.started;
      assert.deepEqual(run.workload.request, request);
      assert.equal(run.workload.stdin, undefined);
      run.sink.head?.({ status: 201, headers: [] });
      run.sink.body?.(Buffer.from('pong'));
      call.taken(4);
      run.write('a line\n').write('a warning\n', 'stderr').exit();
      const ended = await call.ended;
      assert.deepEqual([client.heads[0]?.status, client.bodyText, run.taken], [201, 'pong', 4]);
      assert.deepEqual([ended.status, ended.trigger], ['Completed', 'function']);
      const stored = await executor.wait(ended.id, 60_000);
      assert.deepEqual([stored.stdout, stored.stderr, stored.exit_code], ['a line\n', 'a warning\n', 0]);
      assert.equal((await executor.list({}, { limit: 1 })).total, 1);
      assert.deepEqual(executor.counts(), { running: 0, pending: 0 });
    });
  });

  test('gives the body to a process as its input, and keeps no more than 64 kB of what it writes', async (t) => {
    const programs = new Programs();
    const parts = { secretValues: async () => ({ env: {}, values: ['hidden'] }) };
    await withEngine(new Scratch(t), { programs, parts }, async ({ executor }) => {
      const client = new Client();
      const call = executor.call({ ...shell, secrets: [{ name: 's', env: 'S' }] }, request, client);
      const run = await programs.started(1);
      assert.equal(Buffer.from(run.workload.stdin ?? []).toString(), 'ping');
      run.write('hidden ').write('x'.repeat(200_000)).write('hidden', 'stderr').exit();
      const ended = await call.ended;
      assert.equal(client.out.length, 200_007);
      assert.ok(client.out.startsWith('hidden '), 'its answer is its own');
      assert.equal(client.err, '***');
      const { stdout = '', truncated } = await executor.wait(ended.id, 60_000);
      assert.ok(stdout.startsWith('*** ') && stdout.length <= 65_536 && truncated === true);
    });
  });

  test('waits for its turn, and is refused when there is no place to wait', async (t) => {
    const programs = new Programs();
    await withEngine(
      new Scratch(t),
      { programs, options: { concurrency: 1, isolateConcurrency: 1, queue: 1 } },
      async ({ executor }) => {
        const client = new Client();
        const first = executor.call(shell, request, client);
        const second = executor.call(shell, request, client);
        const third = executor.call(shell, request, client);
        const isBusy = (error: unknown): boolean => error instanceof PrisnError && error.code === 'busy';
        await assert.rejects(third.started, isBusy);
        await assert.rejects(third.ended, isBusy);
        assert.deepEqual(executor.counts(), { running: 1, pending: 1 });
        (await programs.started(1)).exit();
        await first.ended;
        (await programs.started(2)).exit();
        assert.equal((await second.ended).status, 'Completed');
        const unknown = executor.call(script({ program: { source: '', runtime: 'cobol' } }), request, client);
        await assert.rejects(unknown.started, (error) => error instanceof PrisnError && error.code === 'no_runtime');
      },
    );
  });

  test('is canceled by its client wherever it is', async (t) => {
    const programs = new Programs();
    await withEngine(new Scratch(t), { programs, options: { concurrency: 1 } }, async ({ executor }) => {
      const client = new Client();
      const early = executor.call(shell, request, client);
      early.cancel();
      assert.equal((await early.ended).reason, 'canceled');
      await early.started;
      const running = executor.call(shell, request, client);
      const run = await programs.started(programs.runs.length + 1);
      const waiting = executor.call(shell, request, client);
      await new Promise(setImmediate);
      waiting.cancel();
      assert.equal((await waiting.ended).reason, 'canceled');
      running.cancel();
      assert.equal((await running.ended).reason, 'canceled');
      assert.ok(run.isStopped);
    });
  });

  test('that waits ends with the server, since nobody could hear its answer later', async (t) => {
    const programs = new Programs();
    await withEngine(new Scratch(t), { programs, options: { concurrency: 1 } }, async ({ executor }) => {
      const client = new Client();
      const calls = [executor.call(shell, request, client), executor.call(shell, request, client)];
      await programs.started(1);
      await executor.stop(0);
      for (const { ended } of calls) assert.equal((await ended).reason, 'interrupted');
      await assert.rejects(
        executor.call(shell, request, client).started,
        (error) => error instanceof PrisnError && error.code === 'unavailable',
      );
    });
  });
});
