import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportText } from '../../src/cli/bench-report.ts';
import type { BenchResult, SideResult } from '../../src/cli/bench-result.ts';

const side: SideResult = {
  name: 'noop',
  calls: 10,
  failed: 0,
  failures: {},
  per_s: 100,
  latency_ms: null,
  phases_ms: {},
  cpu_ms: null,
  rounds: [],
};

function report(changes: Partial<BenchResult>): string {
  const result: BenchResult = {
    prisn_bench: 1,
    kind: 'trigger',
    by: 'over a port',
    load: { loop: 'open', rate_per_s: 100, concurrency: 256 },
    machine: { host: 'here', cpu: 'one', cores: 2, node: '26', prisn: '0.1' },
    started_at: '2026-01-01T00:00:00.000Z',
    elapsed_ms: 1000,
    interrupted: false,
    target: side,
    control: side,
    memory: null,
    generator: { cores: 0.1 },
    comparisons: [],
    ...changes,
  };
  return reportText(result, [], [''], 100);
}

test('a report says what a change is, since it is not the ratio of the columns beside it', () => {
  const figure = { name: 'p50_ms', before: 100, after: 120, change: 0.25, low: 0.1, high: 0.4, verdict: 'more' } as const;
  const text = report({ comparisons: [{ with: 'before.json', how: 'apart', machine_change: 0, figures: [figure] }] });
  assert.match(text, /p50 +100 ms +120 ms +\+25 % +\+10 % … \+40 % +slower\nTHERE and HERE are medians of rounds; CHANGE is /);
});

test('a report says of calls that were sent late what they were late for, and how they count', () => {
  const text = report({ generator: { cores: 0.1, late_p99_ms: 8, unsent: 0 } });
  assert.match(text, /note: 1 of 100 was sent 8\.00 ms late or more, as something else had the processor then; these count from/);
  assert.doesNotMatch(report({ generator: { cores: 0.1, late_p99_ms: 1, unsent: 0 } }), /note:/);
});

test('the cores that calls took are those of all calls, also of those that failed', () => {
  const half = { ...side, calls: 5, failed: 5, failures: { 'exit code 1': 5 }, per_s: 10, cpu_ms: 20 };
  assert.match(report({ target: half }), /^CPU 20\.0 ms a call, 0\.40 cores; /m);
  assert.match(report({ target: { ...half, calls: 0, per_s: 0 } }), /^CPU 20\.0 ms a call; /m);
});
