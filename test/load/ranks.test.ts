import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { centre, median, quantile, shift, studentT } from '../../src/load/ranks.ts';
import { Random } from './random.ts';

const alpha = 0.05;

test('quantiles are interpolated between samples', () => {
  assert.equal(quantile([4, 1, 3, 2], 0.5), 2.5);
  assert.equal(quantile([10, 20, 30], 0.9), 28);
  assert.equal(median([7]), 7);
  assert.ok(Number.isNaN(median([])));
});

test('critical values are those of the tables of Student’s t', () => {
  for (const [freedom, expected] of [
    [5, 2.571],
    [10, 2.228],
    [30, 2.042],
  ] as const)
    assert.ok(Math.abs(studentT(alpha, freedom) - expected) < 0.01, `${freedom}: ${studentT(alpha, freedom)}`);
});

describe('the shift between two series', () => {
  test('is found, with an interval around it', () => {
    const random = new Random(1);
    const before = random.many(20, () => 10 + random.normal());
    const after = random.many(20, () => 15 + random.normal());
    const { estimate, low, high } = shift(before, after, alpha);
    assert.ok(low < 5 && 5 < high && Math.abs(estimate - 5) < 1, `${low} ${estimate} ${high}`);
    assert.ok(high - low < 5);
  });

  test('is not moved by outliers', () => {
    const before = Array.from({ length: 20 }, (_, i) => 10 + (i % 3));
    const after = before.map((value, i) => (i % 10 === 0 ? 1e6 : value + 5));
    const { estimate, high } = shift(before, after, alpha);
    assert.ok(Math.abs(estimate - 5) <= 1 && high < 10);
  });

  test('is less certain where a series remembers', () => {
    const random = new Random(2);
    const mixed = random.many(20, () => random.normal());
    const sorted = mixed.toSorted((a, b) => a - b);
    const other = random.many(20, () => random.normal());
    const width = (series: readonly number[]): number => {
      const { low, high } = shift(series, other, alpha);
      return high - low;
    };
    assert.ok(width(sorted) > 2 * width(mixed), `${width(sorted)} ${width(mixed)}`);
  });
});

test('the centre of differences holds the truth about as often as it says', () => {
  const random = new Random(3);
  let missed = 0;
  for (let i = 0; i < 400; i++) {
    const { low, high } = centre(
      random.many(20, () => 2 + random.normal()),
      alpha,
    );
    if (low > 2 || high < 2) missed++;
  }
  assert.ok(missed <= 400 * alpha * 1.5, `${missed} of 400`);
});

test('series without any spread have no width', () => {
  assert.deepEqual(shift([3, 3, 3, 3, 3], [4, 4, 4, 4, 4], alpha), { estimate: 1, low: 1, high: 1 });
});
