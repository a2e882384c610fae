/**
 * What Prometheus reads at `/metrics`: a registry of its own, counters that the executor tells, and gauges that are asked
 * for at the moment of a scrape. Every label has few values: statuses, reasons, kinds and the runtimes that prisn knows.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Execution } from '../model/execution.ts';

/** What is read at each scrape. */
export interface Gauges {
  /** Executions that wait for a slot or for their next attempt. */
  pending(): number;
  running(kind: 'process' | 'isolate'): number;
  /** Runs of the CLI in isolates, which are not recorded. */
  foregroundRuns(): number;
  isolates(): { readonly hosts: number; readonly threads: number; readonly restarts: number };
  /** Warm interpreters; and since the start runs that went to one, runs that did not, and interpreters that were lost. */
  forks(): { readonly servers: number; readonly forked: number; readonly declined: number; readonly lost: number };
}

/** Seconds, from what a warm isolate takes to what a long job may. */
const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];
const storeBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

export class Metrics {
  readonly #registry = new Registry();
  readonly #accepted = this.#counter('prisn_executions_accepted_total', 'Executions accepted, and function calls.', ['trigger']);
  readonly #ended = this.#counter('prisn_executions_total', 'Executions ended, by how they ended.', [
    'status',
    'reason',
    'runtime',
  ]);
  readonly #retried = this.#counter('prisn_execution_retries_total', 'Attempts that failed and were followed by another.', [
    'reason',
  ]);
  readonly #phases = [
    ['queued_ms', this.#phase('queue', 'waited for a slot')],
    ['prepare_ms', this.#phase('prepare', 'were prepared: files, secrets, interpreter')],
    ['start_ms', this.#phase('start', 'took from the order to start until their own code ran')],
    ['run_ms', this.#phase('run', 'ran their own code')],
  ] as const;
  readonly #storeWrites = new Histogram({
    name: 'prisn_store_write_seconds',
    help: 'Time until an acceptance or an end was durable, in seconds.',
    buckets: storeBuckets,
    registers: [this.#registry],
  });

  constructor(gauges: Gauges) {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge('prisn_queue_length', 'Executions that wait for a slot or for their next attempt.', () => gauges.pending());
    const running = new Gauge({
      name: 'prisn_running',
      help: 'Executions that hold a slot now.',
      labelNames: ['kind'],
      registers: [this.#registry],
      collect: () => {
        for (const kind of ['process', 'isolate'] as const) running.set({ kind }, gauges.running(kind));
      },
    });
    this.#gauge('prisn_foreground_runs', 'Runs of the command line in isolates now.', () => gauges.foregroundRuns());
    this.#gauge('prisn_isolate_hosts', 'Isolate host processes that live now.', () => gauges.isolates().hosts);
    this.#gauge('prisn_isolate_threads', 'Threads of all isolate hosts.', () => gauges.isolates().threads);
    this.#count('prisn_isolate_restarts_total', 'Isolate hosts that were replaced.', () => gauges.isolates().restarts);
    this.#gauge('prisn_fork_servers', 'Warm interpreters that programs are forked from.', () => gauges.forks().servers);
    this.#count('prisn_fork_runs_total', 'Runs that were given to a fork server.', () => gauges.forks().forked);
    this.#count('prisn_fork_declined_total', 'Runs that might be forked and found no server.', () => gauges.forks().declined);
    this.#count('prisn_fork_lost_total', 'Fork servers that ended without being asked to.', () => gauges.forks().lost);
  }

  /** The media type of `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics in the text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  accepted({ trigger }: Pick<Execution, 'trigger'>): void {
    this.#accepted.inc({ trigger });
  }

  retried(reason: string): void {
    this.#retried.inc({ reason });
  }

  ended(execution: Execution): void {
    const { status, reason = 'exit', runtime = 'unknown' } = execution;
    this.#ended.inc({ status, reason, runtime });
    for (const [field, histogram] of this.#phases) {
      const ms = execution[field];
      if (ms !== undefined) histogram.observe({ runtime }, ms / 1000);
    }
  }

  /** @param seconds until an acceptance or an end was durable */
  stored(seconds: number): void {
    this.#storeWrites.observe(seconds);
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #phase(name: string, what: string): Histogram<'runtime'> {
    return new Histogram({
      name: `prisn_execution_${name}_seconds`,
      help: `How long executions ${what}, in seconds.`,
      labelNames: ['runtime'],
      buckets,
      registers: [this.#registry],
    });
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.#registry], collect: () => gauge.set(read()) });
  }

  /** A counter that is kept elsewhere. */
  #count(name: string, help: string, read: () => number): void {
    const counter: Counter = new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        counter.reset();
        counter.inc(read());
      },
    });
  }
}
