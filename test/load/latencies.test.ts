import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chart, formatMs } from '../../src/load/chart.ts';
import { Latencies } from '../../src/load/latencies.ts';

function of(...times: readonly number[]): Latencies {
  const latencies = new Latencies();
  for (const ms of times) latencies.record(ms);
  return latencies;
}

test('percentiles are those of the times, to three digits, from microseconds to minutes', () => {
  for (const unit of [0.05, 1, 1000]) {
    const summary = of(...Array.from({ length: 1000 }, (_, i) => (i + 1) * unit)).summary();
    assert.ok(summary);
    for (const [value, expected] of [
      [summary.min, unit],
      [summary.p50, 500 * unit],
      [summary.p99, 990 * unit],
      [summary.max, 1000 * unit],
      [summary.mean, 500.5 * unit],
    ] as const)
      assert.ok(Math.abs(value / expected - 1) < 0.003, `${value} for ${expected}`);
  }
});

test('nothing has no summary and no bars', () => {
  assert.equal(of().summary(), undefined);
  assert.deepEqual(of().bars(10), []);
});

test('each call is in one bar, and the slowest of all in the last', () => {
  const even = of(...Array.from({ length: 100 }, (_, i) => 10 + i / 10));
  assert.deepEqual(
    even.bars(5).map(({ calls }) => calls),
    [20, 20, 20, 20, 20],
  );
  const bars = of(1, 1, 2, 40, 900).bars(4);
  assert.equal(
    bars.reduce((sum, { calls }) => sum + calls, 0),
    5,
  );
  assert.equal(bars.at(-1)?.toMs.toFixed(0), '900');
});

test('a chart has a line a bar, the longest as wide as there is room', () => {
  const lines = chart(
    [
      { fromMs: 1, toMs: 2, calls: 10 },
      { fromMs: 2, toMs: 3, calls: 5 },
      { fromMs: 3, toMs: 4, calls: 0 },
    ],
    60,
  );
  assert.deepEqual(
    lines.map((line) => line.replace(/#+/, (bar) => String(bar.length))),
    ['  1.00 ms … 2.00 ms  10  35', '  2.00 ms … 3.00 ms   5  18', '  3.00 ms … 4.00 ms   0'],
  );
});

test('times have three digits and a unit', () => {
  assert.deepEqual([0.0123, 1.234, 45.67, 999, 1234, 65_000].map(formatMs), [
    '0.012 ms',
    '1.23 ms',
    '45.7 ms',
    '999 ms',
    '1.23 s',
    '65.0 s',
  ]);
});
