import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PrisnError } from '../../src/base/error.ts';
import { Queue, type Waiting } from '../../src/engine/queue.ts';

const kinds = ['process', 'isolate'] as const;

/** What the queue does, in the most obvious way. */
class Model {
  waiting: Waiting[] = [];
  running: Waiting[] = [];
  readonly limits: Record<'process' | 'isolate', number>;
  readonly concurrency = new Map<string, number | undefined>();

  constructor(limits: Record<'process' | 'isolate', number>) {
    this.limits = limits;
  }

  add(item: Waiting): void {
    this.waiting.push(item);
    if (item.deployment !== undefined) this.concurrency.set(item.deployment, item.concurrency);
  }

  next(): Waiting | undefined {
    const next = this.waiting.find(({ kind, deployment }) => {
      if (this.running.filter((one) => one.kind === kind).length >= this.limits[kind]) return false;
      if (deployment === undefined) return true;
      return this.running.filter((one) => one.deployment === deployment).length < (this.concurrency.get(deployment) ?? Infinity);
    });
    if (!next) return undefined;
    this.waiting = this.waiting.filter((one) => one !== next);
    this.running.push(next);
    return next;
  }

  /** Only where nothing of its kind may go first, and nothing of its deployment waits. */
  begins(item: Waiting): boolean {
    const before = new Model(this.limits);
    before.waiting = this.waiting.filter(({ kind }) => kind === item.kind);
    before.running = [...this.running];
    for (const [deployment, limit] of this.concurrency) before.concurrency.set(deployment, limit);
    if (before.next() ?? this.waiting.some(({ deployment }) => deployment !== undefined && deployment === item.deployment))
      return false;
    before.waiting = [];
    before.add(item);
    if (before.next() === undefined) return false;
    this.add(item);
    this.waiting.pop();
    this.running.push(item);
    return true;
  }

  release(item: Waiting): void {
    this.running = this.running.filter((one) => one !== item);
    const isIdle = ![...this.running, ...this.waiting].some(({ deployment }) => deployment === item.deployment);
    if (isIdle && item.deployment !== undefined) this.concurrency.delete(item.deployment);
  }

  position({ id, kind }: Waiting): number | undefined {
    const index = this.waiting.filter((one) => one.kind === kind).findIndex((one) => one.id === id);
    return index === -1 ? undefined : index + 1;
  }
}

describe('the queue', () => {
  test('gives turns, positions and room exactly as the obvious queue does', () => {
    const command = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          add: fc.constantFrom(...kinds),
          deployment: fc.option(fc.constantFrom('a', 'b', 'c')),
          limit: fc.option(fc.integer({ min: 1, max: 3 })),
          atOnce: fc.boolean(),
        }),
      },
      { weight: 4, arbitrary: fc.constant('next' as const) },
      { weight: 3, arbitrary: fc.record({ release: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ remove: fc.nat() }) },
    );
    const limits = fc.record({ process: fc.integer({ min: 1, max: 4 }), isolate: fc.integer({ min: 1, max: 4 }) });
    fc.assert(
      fc.property(limits, fc.array(command, { maxLength: 120 }), (running, commands) => {
        const queue = new Queue<Waiting>({ running, waiting: 1000 });
        const model = new Model(running);
        let count = 0;
        for (const each of commands) {
          if (each === 'next') assert.equal(queue.next(), model.next());
          else if ('add' in each) {
            const item: Waiting = {
              id: `e${count++}`,
              kind: each.add,
              ...(each.deployment !== null && { deployment: each.deployment }),
              ...(each.deployment !== null && each.limit !== null && { concurrency: each.limit }),
            };
            if (each.atOnce && queue.begin(item)) {
              assert.ok(model.begins(item));
              continue;
            }
            assert.ok(!each.atOnce || !model.begins(item));
            queue.add(item);
            model.add(item);
          } else if ('release' in each) {
            const item = model.running[each.release % Math.max(1, model.running.length)];
            if (!item) continue;
            queue.release(item);
            model.release(item);
          } else {
            const item = model.waiting[each.remove % Math.max(1, model.waiting.length)];
            assert.equal(queue.remove(item?.id ?? 'nobody'), item !== undefined);
            model.waiting = model.waiting.filter((one) => one !== item);
          }
          assert.equal(queue.size, model.waiting.length);
          for (const item of model.waiting) assert.equal(queue.position(item.id), model.position(item));
          for (const kind of kinds) assert.equal(queue.running(kind), model.running.filter((one) => one.kind === kind).length);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('says the numbers, and when to come back, to those for whom there is no room', () => {
    const queue = new Queue<Waiting>({ running: { process: 1, isolate: 1 }, waiting: 2 });
    const giveBack = [1, 2, 3, 4].map(() => queue.reserve());
    assert.throws(
      () => queue.reserve(),
      (error) => error instanceof PrisnError && error.code === 'busy',
    );
    for (const [i, give] of giveBack.entries()) {
      queue.add({ id: `e${i}`, kind: 'process' });
      give();
    }
    assert.equal(queue.next()?.id, 'e0');
    assert.throws(
      () => queue.reserve(),
      (error) =>
        error instanceof PrisnError &&
        error.retryAfterS === 5 &&
        /3 executions wait \(limit 2\), 1 run in processes \(limit 1\) and 0 in isolates/.test(error.message),
    );
    queue.remove('e3');
    queue.remove('e2');
    queue.reserve();
    assert.throws(() => queue.reserve(), PrisnError, 'a promised place is taken');
    queue.remove('e1');
    assert.throws(() => queue.reserve(2), PrisnError, 'those who wait elsewhere have a place too');
  });

  test('gives out twenty thousand of ten thousand deployments in the order in which they came', () => {
    const queue = new Queue<Waiting>({ running: { process: 20_000, isolate: 1 }, waiting: 20_000 });
    for (let i = 0; i < 20_000; i++) queue.add({ id: `e${i}`, kind: 'process', deployment: `dep-${i % 10_000}`, concurrency: 1 });
    assert.equal(queue.position('e19999'), 20_000);
    const given: Waiting[] = [];
    for (let item = queue.next(); item; item = queue.next()) given.push(item);
    assert.deepEqual(
      given.map(({ id }) => id),
      Array.from({ length: 10_000 }, (_, i) => `e${i}`),
    );
    for (const item of given) queue.release(item);
    assert.equal(queue.next()?.id, 'e10000');
  });
});
