/** Loops whose calls the test ends itself, so that it knows what they have to make of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import type { Answered } from '../../src/load/call.ts';
import { closedLoop } from '../../src/load/closed-loop.ts';
import { type DueCall, openLoop } from '../../src/load/open-loop.ts';

const never = new AbortController().signal;

/** Calls that wait until they are ended, first begun first. */
class Calls {
  readonly waiting: (() => void)[] = [];
  begun = 0;
  most = 0;

  readonly call = (): Promise<Answered> => {
    this.begun++;
    const sentAt = performance.now();
    return new Promise((resolve) => {
      this.waiting.push(() => resolve({ ms: performance.now() - sentAt }));
      this.most = Math.max(this.most, this.waiting.length);
    });
  };

  end(count = this.waiting.length): void {
    for (const end of this.waiting.splice(0, count)) end();
  }
}

describe('a closed loop', () => {
  test('has as many calls under way as it has clients, and no more than it may make', async () => {
    const calls = new Calls();
    let heard = 0;
    const ended = closedLoop({ clients: 3, durationMs: 60_000, calls: 8 }, calls.call, () => heard++, never);
    while (heard < 8) {
      calls.end();
      await pause(1);
    }
    await ended;
    assert.deepEqual([calls.begun, calls.most], [8, 3]);
  });

  test('lets each client make a call, however short it is', async () => {
    let heard = 0;
    const call = async (): Promise<Answered> => ({ ms: await pause(5, 5) });
    const meanMs = await closedLoop({ clients: 4, durationMs: 0 }, call, () => heard++, never);
    assert.equal(heard, 4);
    assert.ok(meanMs >= 4, String(meanMs));
  });

  test('does not hear what an interruption has ended', async () => {
    const [calls, abort] = [new Calls(), new AbortController()];
    let heard = 0;
    const ended = closedLoop({ clients: 2, durationMs: 60_000 }, calls.call, () => heard++, abort.signal);
    abort.abort();
    calls.end();
    await ended;
    assert.deepEqual([heard, calls.begun], [0, 2]);
  });
});

describe('an open loop', () => {
  test('counts from when a call was due, while those before are not answered', async () => {
    const [calls, abort] = [new Calls(), new AbortController()];
    const heard: DueCall[] = [];
    // Due every 10 ms, and only one may be under way: the target stalls for six of them.
    const loop = { perSecond: 100, durationMs: 60_000, atMost: 1 };
    const ended = openLoop(loop, calls.call, (call) => heard.push(call), abort.signal);
    await pause(60);
    while (heard.length < 2) {
      calls.end();
      await pause(1);
    }
    abort.abort();
    calls.end();
    await ended;
    const [first, second] = heard;
    assert.ok(first && second);
    assert.ok(first.ms >= 55 && second.dueMs === 10);
    assert.ok(second.ms >= 45, `the second was due at 10 ms and waited, but counts ${second.ms} ms`);
  });

  test('tells what was due and never sent', async () => {
    const calls = new Calls();
    const ended = openLoop({ perSecond: 1000, durationMs: 20, atMost: 5 }, calls.call, () => {}, never);
    await pause(60);
    calls.end();
    assert.equal((await ended) + calls.begun, 20);
    assert.ok(calls.most <= 5);
  });

  test('ends at an interruption, however long it is to the next call', async () => {
    const abort = new AbortController();
    const call = async (): Promise<Answered> => ({ ms: 0 });
    const ended = openLoop({ perSecond: 0.01, durationMs: 1e6, atMost: 2 }, call, () => abort.abort(), abort.signal);
    assert.equal(await ended, 0);
  });

  test('sends what is due in its time', async (t) => {
    let now = 0;
    t.mock.timers.enable({ apis: ['setTimeout'] });
    t.mock.method(performance, 'now', () => now);
    const heard: (DueCall & { heardAt: number })[] = [];
    const call = async (): Promise<Answered> => ({ ms: 0 });
    const loop = { perSecond: 250, durationMs: 40, atMost: 10 };
    const ended = openLoop(loop, call, (due) => heard.push({ ...due, heardAt: now }), never);
    for (; now < 100; now++, t.mock.timers.tick(1)) await turn();
    assert.equal(await ended, 0);
    const expected = Array.from({ length: 10 }, (_, index) => ({ ms: 0, dueMs: 4 * index, lateMs: 0, heardAt: 4 * index }));
    assert.deepEqual(heard, expected);
  });
});
