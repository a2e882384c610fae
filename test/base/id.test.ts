import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdSequence } from '../../src/base/id.ts';

test('ids of a sequence sort in the order in which they were made, within a millisecond and when the clock goes back', () => {
  const ids = new IdSequence();
  const made = [1e12, ...Array.from({ length: 5000 }, () => 1e12), 1e12 - 60_000, 1e12 + 1, 1e12].map((ms) =>
    ids.next('exec', ms),
  );
  assert.deepEqual(made.toSorted(), made);
  assert.equal(new Set(made).size, made.length);
  for (const id of made) assert.match(id, /^exec-[0-9a-hjkmnp-tv-z]{26}$/);
});
