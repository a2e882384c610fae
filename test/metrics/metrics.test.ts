import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Metrics } from '../../src/metrics/metrics.ts';
import type { Execution } from '../../src/model/execution.ts';

const ended: Execution = {
  id: 'exec-1',
  namespace: 'default',
  name: 'n',
  status: 'Failed',
  reason: 'timeout',
  created_at: '',
  attempt: 1,
  runtime: 'python3',
  node_id: 'n',
  trigger: 'api',
  queued_ms: 2,
  prepare_ms: 20,
  run_ms: 90_000,
};

describe('the metrics', () => {
  test('count executions by their end, and tell where their time went, in seconds', async () => {
    let pending = 7;
    const metrics = new Metrics({
      pending: () => pending,
      running: (kind) => (kind === 'process' ? 3 : 4),
      foregroundRuns: () => 5,
      isolates: () => ({ hosts: 1, threads: 2, restarts: 5 }),
      forks: () => ({ servers: 2, forked: 6, declined: 7, lost: 8 }),
    });
    metrics.accepted(ended);
    metrics.ended(ended);
    metrics.ended({ ...ended, status: 'Completed', reason: 'exit' });
    metrics.stored(0.0002);
    const text = await metrics.text();
    for (const line of [
      'prisn_executions_accepted_total{trigger="api"} 1',
      'prisn_executions_total{status="Failed",reason="timeout",runtime="python3"} 1',
      'prisn_executions_total{status="Completed",reason="exit",runtime="python3"} 1',
      'prisn_execution_queue_seconds_bucket{le="0.001",runtime="python3"} 0',
      'prisn_execution_queue_seconds_bucket{le="0.0025",runtime="python3"} 2',
      'prisn_execution_run_seconds_sum{runtime="python3"} 180',
      'prisn_execution_run_seconds_bucket{le="60",runtime="python3"} 0',
      'prisn_queue_length 7',
      'prisn_running{kind="process"} 3',
      'prisn_running{kind="isolate"} 4',
      'prisn_isolate_hosts 1',
      'prisn_isolate_threads 2',
      'prisn_isolate_restarts_total 5',
      'prisn_fork_servers 2',
      'prisn_fork_runs_total 6',
      'prisn_fork_declined_total 7',
      'prisn_fork_lost_total 8',
      'prisn_store_write_seconds_count 1',
    ])
      assert.ok(text.includes(`${line}\n`), `${line} is missing`);
    assert.match(text, /^nodejs_eventloop_lag_seconds /m);
    assert.match(text, /^process_resident_memory_bytes /m);
    assert.doesNotMatch(text, /prisn_execution_start_seconds_count\{/, 'what is not known is not counted');
    assert.match(metrics.contentType, /^text\/plain/);
    pending = 0;
    assert.match(await metrics.text(), /^prisn_queue_length 0$/m);
    assert.match(await metrics.text(), /^prisn_isolate_restarts_total 5$/m, 'a scrape adds nothing');
  });

  test('are of one server: another in the same process has its own', async () => {
    const gauges = {
      pending: () => 0,
      running: () => 0,
      foregroundRuns: () => 0,
      isolates: () => ({ hosts: 0, threads: 0, restarts: 0 }),
      forks: () => ({ servers: 0, forked: 0, declined: 0, lost: 0 }),
    };
    const [one, other] = [new Metrics(gauges), new Metrics(gauges)];
    one.accepted(ended);
    assert.doesNotMatch(await other.text(), /prisn_executions_accepted_total\{/);
  });

  test('say units in their help', async () => {
    const gauges = {
      pending: () => 0,
      running: () => 0,
      foregroundRuns: () => 0,
      isolates: () => ({ hosts: 0, threads: 0, restarts: 0 }),
      forks: () => ({ servers: 0, forked: 0, declined: 0, lost: 0 }),
    };
    const helps = (await new Metrics(gauges).text()).split('\n').filter((line) => /^# HELP prisn_\w+_seconds /.test(line));
    assert.equal(helps.length, 5);
    for (const help of helps) assert.match(help, /in seconds/);
  });
});
