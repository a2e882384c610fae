import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PrisnError, type ErrorCode } from '../../src/base/error.ts';
import type { ExecutionStatus } from '../../src/model/execution.ts';
import { Executions } from '../../src/store/executions.ts';
import { Idempotency } from '../../src/store/idempotency.ts';
import type { Batch } from '../../src/store/key-value.ts';
import { MemoryStore } from '../store/memory.ts';
import { Scratch } from '../scratch.ts';
import { failed, Programs, script, TestClock, withEngine } from './harness.ts';

const longMs = 600_000;

/** Refuses to write while it is full. */
class FailingStore extends MemoryStore {
  failure: ErrorCode | undefined;
  /** The next record of these statuses is written, and reported as failed. */
  readonly unsure = new Set<ExecutionStatus>();
  refused = 0;
  #told = Promise.withResolvers<void>();

  override async write(batch: Batch): Promise<number> {
    const texts = (batch.put ?? []).map(({ value }) => Buffer.from(value).toString());
    const unsure = [...this.unsure].find((status) => texts.some((text) => text.includes(`"status":"${status}"`)));
    const isUnsure = unsure !== undefined && this.unsure.delete(unsure);
    const revision = this.failure === undefined ? await super.write(batch) : 0;
    if (this.failure === undefined && !isUnsure) return revision;
    this.refused++;
    this.#told.resolve();
    this.#told = Promise.withResolvers();
    throw new PrisnError(this.failure ?? 'unavailable', 'no space left on the device');
  }

  async refuses(count: number): Promise<void> {
    while (this.refused < count) await this.#told.promise;
  }
}

async function withFailing(
  scratch: Scratch,
  body: (
    all: { store: FailingStore; clock: TestClock; programs: Programs } & Pick<
      Parameters<Parameters<typeof withEngine>[2]>[0],
      'executor'
    >,
  ) => Promise<void>,
): Promise<void> {
  const [store, clock, programs] = [new FailingStore(), new TestClock(), new Programs()];
  const idempotency = new Idempotency(store);
  const executions = await Executions.open(store, idempotency);
  await withEngine(
    scratch,
    { programs, clock, parts: { executions, idempotency }, options: { concurrency: 2 } },
    async ({ executor }) => {
      await body({ store, clock, programs, executor });
      store.failure = undefined;
    },
  );
}

describe('while the disk is full', () => {
  test('nothing is accepted', async (t) => {
    await withFailing(new Scratch(t), async ({ store, executor }) => {
      for (const failure of ['storage_full', 'unavailable'] as const) {
        store.failure = failure;
        await assert.rejects(
          executor.submit(script()),
          (error) => error instanceof PrisnError && error.code === failure && error.retryAfterS === 5,
        );
      }
      store.failure = undefined;
      assert.equal((await executor.list({}, { limit: 1 })).total, 0);
      assert.deepEqual(executor.counts(), { running: 0, pending: 0 });
    });
  });

  test('an end waits for room, nothing new starts, and all is written when there is some', async (t) => {
    await withFailing(new Scratch(t), async ({ store, clock, programs, executor }) => {
      const ids: string[] = [];
      for (let i = 0; i < 6; i++) ids.push((await executor.submit(script())).id);
      await programs.started(2);
      store.failure = 'storage_full';
      for (const run of programs.runs) run.write('done\n').exit();
      // Both ends, and the starts of two that have their slots now.
      await store.refuses(4);
      assert.equal(programs.runs.length, 2);
      for (let round = 1; round <= 3; round++) clock.advance(await clock.waitsFor((ms) => ms <= 5000));
      assert.equal(programs.runs.length, 2);
      store.failure = undefined;
      programs.play = (run) => run.exit(failed);
      clock.advance(await clock.waitsFor((ms) => ms <= 5000));
      for (const [i, id] of ids.entries()) {
        const one = await executor.wait(id, longMs);
        assert.deepEqual([one.status, one.stdout], i < 2 ? ['Completed', 'done\n'] : ['Failed', '']);
      }
      assert.equal((await executor.list({}, { limit: 10 })).total, 6);
    });
  });

  test('writes that were reported as failed and are there all the same change nothing', async (t) => {
    await withFailing(new Scratch(t), async ({ store, clock, programs, executor }) => {
      const first = await executor.submit(script());
      await executor.submit(script());
      const waiting = await executor.submit(script());
      await programs.started(2);
      store.unsure.add('Running');
      programs.runs[0]?.exit();
      clock.advance(await clock.waitsFor((ms) => ms <= 5000));
      const last = await programs.started(3);
      assert.equal((await executor.wait(first.id, longMs)).status, 'Completed');
      store.unsure.add('Completed');
      last.exit();
      clock.advance(await clock.waitsFor((ms) => ms <= 5000));
      assert.equal((await executor.wait(waiting.id, longMs)).status, 'Completed');
      assert.equal(store.refused, 2);
      assert.equal((await executor.list({ status: 'Completed' }, { limit: 1 })).total, 2);
      assert.equal((await executor.list({ status: 'Running' }, { limit: 1 })).total, 1);
    });
  });
});
