import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PrisnError } from '../../src/base/error.ts';
import type { Executor, LogsQuery } from '../../src/engine/executor.ts';
import { archiveOf } from '../bundles/harness.ts';
import { Scratch } from '../scratch.ts';
import { deploymentOf, failed, Programs, script, TestClock, withEngine } from './harness.ts';

const longMs = 600_000;

/** Reads logs and tells of each chunk as it comes. */
class Reader {
  text = '';
  readonly done: Promise<string>;
  #told = Promise.withResolvers<void>();

  constructor(executor: Executor, id: string, query: LogsQuery) {
    this.done = this.#read(executor, id, query);
  }

  async has(part: string): Promise<void> {
    while (!this.text.includes(part)) await this.#told.promise;
  }

  async #read(executor: Executor, id: string, query: LogsQuery): Promise<string> {
    for await (const { bytes } of await executor.logs(id, query)) {
      this.text += Buffer.from(bytes).toString();
      this.#told.resolve();
      this.#told = Promise.withResolvers();
    }
    return this.text;
  }
}

describe('logs that are followed', () => {
  test('wait for the start, come while it runs, go on with the next attempt, and end with the execution', async (t) => {
    const [programs, clock] = [new Programs(), new TestClock()];
    await withEngine(new Scratch(t), { programs, clock, options: { concurrency: 1 } }, async ({ executor }) => {
      await executor.submit(script());
      const { id } = await executor.submit(script({ retries: 1 }));
      const follow = new AbortController().signal;
      const reader = new Reader(executor, id, { follow });
      const errors = new Reader(executor, id, { follow, stream: 'stderr' });
      (await programs.started(1)).exit();
      const first = await programs.started(2);
      first.write('a\n');
      await reader.has('a\n');
      first.write('b\n').write('oh\n', 'stderr');
      await reader.has('oh\n');
      first.exit(failed);
      clock.advance(await clock.waitsFor((ms) => ms <= 1000));
      const second = await programs.started(3);
      second.write('c\n');
      await reader.has('c\n');
      second.write('d\n').exit();
      assert.equal(await reader.done, 'a\nb\noh\nc\nd\n');
      assert.equal(await errors.done, 'oh\n');
      const whole = new Reader(executor, id, { follow });
      assert.equal(await whole.done, 'a\nb\noh\nc\nd\n', 'of what has ended all attempts are there');
      assert.equal(await new Reader(executor, id, { tail: 1 }).done, 'd\n');
      assert.equal((await executor.get(id)).stdout, 'c\nd\n');
    });
  });

  test('end with the lines of the attempt before, where the newest has none', async (t) => {
    const [programs, clock] = [new Programs(), new TestClock()];
    await withEngine(new Scratch(t), { programs, clock }, async ({ executor }) => {
      const { id } = await executor.submit(script({ retries: 2 }));
      (await programs.started(1)).write('a\nb\n').exit(failed);
      clock.advance(await clock.waitsFor((ms) => ms <= 1000));
      const second = await programs.started(2);
      assert.equal(await new Reader(executor, id, { tail: 1 }).done, 'b\n', 'it has not said anything yet');
      second.exit(failed);
      await clock.waitsFor((ms) => ms <= 2000);
      assert.equal(await new Reader(executor, id, { tail: 1 }).done, 'b\n');
      const ended = await executor.cancel(id);
      assert.equal(ended.error, 'it was canceled before its attempt 3 started');
      assert.equal(await new Reader(executor, id, { tail: 1 }).done, 'b\n', 'the last attempt never began');
    });
  });

  test('of a deployment are of each execution that is accepted, also one after the other at once, until it is deleted', async (t) => {
    const programs = new Programs();
    programs.play = (run) => run.exit();
    await withEngine(new Scratch(t), { programs }, async ({ executor, bundles }) => {
      const { id: bundle } = await bundles.put(archiveOf([{ name: 'main.sh', content: 'true' }]));
      const deployment = deploymentOf({ bundle });
      const submit = async () => (await executor.submit({ namespace: 'default', deployment, trigger: 'api' })).id;
      await submit();
      const ids = [await submit()];
      const seen: string[] = [];
      const follower = executor.executionsOf(deployment.id, new AbortController().signal);
      seen.push((await follower.next()).value);
      await executor.submit(script());
      ids.push(...(await Promise.all(Array.from({ length: 50 }, submit))));
      await executor.forget(deployment.id);
      for await (const id of follower) seen.push(id);
      assert.deepEqual(new Set(seen), new Set(ids));
      assert.equal(seen.length, ids.length, 'each once');
    });
  });

  test('show one start after the other when it runs again without being counted', async (t) => {
    const programs = new Programs();
    await withEngine(new Scratch(t), { programs }, async ({ executor }) => {
      const { id } = await executor.submit(script());
      const reader = new Reader(executor, id, { follow: new AbortController().signal });
      const first = await programs.started(1);
      first.write('lost\n');
      await reader.has('lost\n');
      first.exit({ reason: 'crashed', exitCode: 125, message: 'host', blameless: true });
      (await programs.started(2)).write('again\n').exit();
      assert.equal(await reader.done, 'lost\nagain\n');
    });
  });

  test('end when the reader leaves, whatever the execution does', async (t) => {
    const programs = new Programs();
    await withEngine(new Scratch(t), { programs, options: { concurrency: 1 } }, async ({ executor }) => {
      const running = await executor.submit(script());
      const waiting = await executor.submit(script());
      (await programs.started(1)).write('so far\n');
      const leave = new AbortController();
      const readers = [running, waiting].map(({ id }) => new Reader(executor, id, { follow: leave.signal }));
      await readers[0]?.has('so far\n');
      leave.abort();
      assert.deepEqual(await Promise.all(readers.map(({ done }) => done)), ['so far\n', '']);
    });
  });

  test('end with one that is canceled before it starts, and with the server', async (t) => {
    const programs = new Programs();
    await withEngine(new Scratch(t), { programs, options: { concurrency: 1 } }, async ({ executor }) => {
      await executor.submit(script());
      const [canceled, left] = [await executor.submit(script()), await executor.submit(script())];
      const follow = new AbortController().signal;
      const readers = [canceled, left].map(({ id }) => new Reader(executor, id, { follow }));
      await executor.cancel(canceled.id);
      assert.equal(await readers[0]?.done, '');
      await executor.stop(0);
      assert.equal(await readers[1]?.done, '');
    });
  });
});

describe('logs that are not followed', () => {
  test('are what there is by now', async (t) => {
    const programs = new Programs();
    await withEngine(new Scratch(t), { programs, options: { concurrency: 1 } }, async ({ executor }) => {
      const running = await executor.submit(script());
      const waiting = await executor.submit(script());
      const run = (await programs.started(1)).write('so far\n');
      assert.equal(await new Reader(executor, running.id, {}).done, 'so far\n');
      assert.equal(await new Reader(executor, waiting.id, {}).done, '');
      run.write('x'.repeat(200_000)).exit();
      const { stdout = '' } = await executor.wait(running.id, longMs);
      assert.equal(stdout.length, 'so far\n'.length + 200_000, 'a large log comes from its files');
      assert.equal(await new Reader(executor, running.id, {}).done, stdout);
      await assert.rejects(executor.logs('exec-none', {}), (error) => error instanceof PrisnError && error.code === 'not_found');
    });
  });
});
