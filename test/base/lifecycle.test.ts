import assert from 'node:assert/strict';
import { test } from 'node:test';
import { build, CleanUps } from '../../src/base/lifecycle.ts';

test('what was opened last is closed first, one after the other', async () => {
  const order: string[] = [];
  const cleanUps = new CleanUps(assert.fail);
  cleanUps.push('a', () => order.push('a'));
  cleanUps.push('b', async () => {
    await Promise.resolve();
    order.push('b');
  });
  await cleanUps.unwind();
  assert.deepEqual(order, ['b', 'a']);
});

test('a second unwinding gets the same promise and closes nothing twice', async () => {
  let closed = 0;
  const cleanUps = new CleanUps(assert.fail);
  cleanUps.push('a', () => closed++);
  assert.equal(cleanUps.unwind(), cleanUps.unwind());
  await cleanUps.unwind();
  assert.equal(closed, 1);
});

test('a step that fails, and one that never ends, are reported and keep no other from its turn', async () => {
  const reports: string[] = [];
  const closed: string[] = [];
  const cleanUps = new CleanUps((problem) => reports.push(problem));
  cleanUps.push('first', () => closed.push('first'));
  cleanUps.push('hangs', () => new Promise(() => {}), 20);
  cleanUps.push('throws', () => {
    throw new Error('broken');
  });
  await cleanUps.unwind();
  assert.deepEqual(closed, ['first']);
  assert.deepEqual(reports, ['throws: broken', 'hangs: did not end within 0.02 s']);
});

test('a start that fails closes what it had opened, and its error goes on', async () => {
  const closed: string[] = [];
  const cleanUps = new CleanUps(assert.fail);
  const failing = build(cleanUps, async () => {
    cleanUps.push('a', () => closed.push('a'));
    throw new Error('the port is taken');
  });
  await assert.rejects(failing, /the port is taken/);
  assert.deepEqual(closed, ['a']);
});

test('a start that succeeds closes nothing', async () => {
  const cleanUps = new CleanUps(assert.fail);
  const built = await build(cleanUps, async () => {
    cleanUps.push('a', assert.fail);
    return 'built';
  });
  assert.equal(built, 'built');
});
