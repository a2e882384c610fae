import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { giveMemoryBack, QuietWatch } from '../../src/base/give-back.ts';

test('memory that is garbage goes back to the system', () => {
  const before = process.memoryUsage.rss();
  let hoard: object[] | undefined = Array.from({ length: 1_000_000 }, (_, index) => ({ index, text: `text ${index}` }));
  const taken = process.memoryUsage.rss() - before;
  assert.equal(hoard.length, 1_000_000);
  hoard = undefined;
  giveMemoryBack();
  const left = process.memoryUsage.rss() - before;
  assert.ok(left < taken / 2, `${left} of ${taken} bytes are left`);
});

describe('a watch for quiet', () => {
  test('acts once each time that nothing was done for a while', (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    let acted = 0;
    const watch = new QuietWatch(1000, () => acted++);
    t.mock.timers.tick(10_000);
    assert.equal(acted, 0);
    watch.touch();
    t.mock.timers.tick(1000);
    watch.touch();
    t.mock.timers.tick(1000);
    assert.equal(acted, 0);
    t.mock.timers.tick(1000);
    assert.equal(acted, 1);
    t.mock.timers.tick(10_000);
    assert.equal(acted, 1);
    watch.touch();
    watch.end();
    t.mock.timers.tick(10_000);
    assert.equal(acted, 1);
  });
});
