/** A program that is paced does not run ahead of who reads its output. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { type IsolateRunning, IsolatePool } from '../../sandbox/isolate/pool.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { IsolateTask } from '../../src/model/task.ts';
import { moduleTask, record, scriptTask } from './recording.ts';

const pool = new IsolatePool({ threads: 1, maxHostBytes: 700 * 2 ** 20 });
after(() => pool.close());

const megabyte = 2 ** 20;
const limits = { timeoutMs: 20_000 };

/** A reader that counts, and takes only when it is told to. */
class Reader {
  readonly running: IsolateRunning;
  received = 0;
  #taken = 0;

  constructor(task: IsolateTask) {
    const count = (chunk: Uint8Array): void => {
      this.received += chunk.length;
    };
    this.running = pool.start(task, { stdout: count, stderr: count, body: count });
  }

  get exited(): Promise<Outcome> {
    return this.running.exited;
  }

  take(): void {
    this.running.taken(this.received - this.#taken);
    this.#taken = this.received;
  }

  /** Resolves when nothing has come for a while that is long for a program that writes. */
  async stands(): Promise<void> {
    for (let before = -1; before !== this.received || before === 0; ) {
      before = this.received;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  }
}

const flood = (total: number): string => `for (let i = 0; i < ${total / 1024}; i++) console.log('x'.repeat(1023));`;

describe('a paced program', () => {
  test('stands still in the middle of a loop until its output is taken, and loses nothing', async () => {
    const reader = new Reader(scriptTask(flood(40 * megabyte), { paced: true, limits }));
    await reader.stands();
    assert.ok(reader.received >= megabyte && reader.received < 1.2 * megabyte, String(reader.received));
    reader.take();
    await reader.stands();
    assert.ok(reader.received >= 2 * megabyte && reader.received < 2.4 * megabyte, String(reader.received));
    const pump = setInterval(() => reader.take(), 1);
    assert.equal((await reader.exited).reason, 'exit');
    clearInterval(pump);
    assert.equal(reader.received, 40 * megabyte);
  });

  test('is held back by stderr and by the body of a response as well', async () => {
    const request = { method: 'GET', url: 'http://h/', headers: [], body: new Uint8Array() };
    const endless = 'export default (request) => new Response((async function* () { for (;;) yield "x".repeat(1023); })())';
    for (const task of [
      scriptTask("for (;;) console.error('x'.repeat(1023))", { paced: true }),
      moduleTask(endless, { paced: true, request }),
    ]) {
      const reader = new Reader(task);
      await reader.stands();
      assert.ok(reader.received >= megabyte && reader.received < 1.2 * megabyte, String(reader.received));
      reader.running.stop();
      assert.equal((await reader.exited).reason, 'canceled');
    }
  });

  test('that stands still keeps neither neighbours nor its own end from coming', async () => {
    const held = Array.from({ length: 15 }, () => new Reader(scriptTask(flood(40 * megabyte), { paced: true })));
    await Promise.all(held.map((reader) => reader.stands()));
    const { hosts, restarts } = pool.stats();
    const quick = await record((sink) => pool.start(scriptTask("console.log('quick')", { limits }), sink)).ended;
    assert.equal(quick.stdout, 'quick\n');
    const late = new Reader(scriptTask(flood(40 * megabyte), { paced: true, limits: { timeoutMs: 500 } }));
    assert.equal((await late.exited).reason, 'timeout');
    for (const { running } of held) running.stop();
    assert.deepEqual(new Set(await Promise.all(held.map(async ({ exited }) => (await exited).reason))), new Set(['canceled']));
    assert.deepEqual([pool.stats().hosts, pool.stats().restarts], [hosts, restarts], 'a host was lost to a program that waited');
  });

  test('that ends has all of its output told before', async () => {
    const reader = new Reader(scriptTask(flood(megabyte / 2), { paced: true, limits }));
    await reader.exited;
    assert.equal(reader.received, megabyte / 2);
  });
});
