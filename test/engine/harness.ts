/** An executor over a real store, real logs and real bundles, with programs that the test plays. */
import { join } from 'node:path';
import { newId } from '../../src/base/id.ts';
import { PrisnError } from '../../src/base/error.ts';
import { BundleStore } from '../../src/bundles/store.ts';
import type { Clock } from '../../src/engine/clock.ts';
import { Executor, type ExecutorOptions, type ExecutorParts, type Submission } from '../../src/engine/executor.ts';
import type { Log } from '../../src/engine/log.ts';
import type {
  PreparedWorkload,
  ProgramFiles,
  ProgramText,
  Resolved,
  RunningWorkload,
  Workload,
  Workloads,
  WorkloadSink,
} from '../../src/engine/ports.ts';
import { Logs } from '../../src/logs/logs.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import type { Deployment } from '../../src/model/deployment.ts';
import type { ProcessRecord } from '../../src/model/execution.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import { Mask } from '../../src/secrets/mask.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import type { Scratch } from '../scratch.ts';

export const succeeded: Outcome = { reason: 'exit', exitCode: 0 };
export const failed: Outcome = { reason: 'exit', exitCode: 3 };

/** One start of a program. */
export class Run {
  readonly workload: Workload;
  readonly sink: WorkloadSink;
  readonly #exited = Promise.withResolvers<Outcome>();
  isStopped = false;
  /** Bytes of the body that its client took. */
  taken = 0;
  ignoresStop = false;

  constructor(workload: Workload, sink: WorkloadSink) {
    this.workload = workload;
    this.sink = sink;
  }

  get id(): string {
    return this.workload.env['PRISN_EXECUTION_ID'] ?? '';
  }

  write(text: string, stream: 'stdout' | 'stderr' = 'stdout'): this {
    this.sink[stream](Buffer.from(text));
    return this;
  }

  exit(outcome: Outcome = succeeded): void {
    this.#exited.resolve(outcome);
  }

  running(process: ProcessRecord | undefined): RunningWorkload {
    return {
      exited: this.#exited.promise,
      stop: () => {
        this.isStopped = true;
        if (!this.ignoresStop) this.exit({ reason: 'canceled', exitCode: 125, message: 'the program was canceled' });
      },
      taken: (bytes) => void (this.taken += bytes),
      ...(process && { process }),
    };
  }
}

/** Programs do what `play` says; without it they run until the test ends them. */
export class Programs implements Workloads {
  readonly runs: Run[] = [];
  readonly leftovers: (readonly [runId: string, root: ProcessRecord | undefined])[] = [];
  process: ProcessRecord | undefined;
  play: ((run: Run) => void) | undefined;
  prepareFails: ((workload: Workload) => Error | undefined) | undefined;
  resolves = 0;
  #started = Promise.withResolvers<void>();

  async resolve(program: ProgramFiles | ProgramText): Promise<Resolved> {
    this.resolves++;
    const runtime = program.runtime ?? 'bash';
    if (runtime === 'cobol') throw new PrisnError('no_runtime', "no runtime is called 'cobol'");
    return { runtime, kind: runtime === 'javascript' ? 'isolate' : 'process', why: 'the test says so' };
  }

  async prepare(workload: Workload): Promise<PreparedWorkload> {
    const error = this.prepareFails?.(workload);
    if (error) throw error;
    const resolved = await this.resolve(workload.program);
    return { ...resolved, tier: resolved.kind === 'isolate' ? 'isolate' : 'T1', start: (sink) => this.#start(workload, sink) };
  }

  prepareAhead(): void {}

  async endLeftover(runId: string, root: ProcessRecord | undefined): Promise<number> {
    this.leftovers.push([runId, root]);
    return 1;
  }

  /** @returns the nth start, from 1, once it has happened */
  async started(count: number): Promise<Run> {
    while (this.runs.length < count) await this.#started.promise;
    return this.runs[count - 1] as Run;
  }

  #start(workload: Workload, sink: WorkloadSink): RunningWorkload {
    const run = new Run(workload, sink);
    this.runs.push(run);
    this.play?.(run);
    const started = this.#started;
    this.#started = Promise.withResolvers();
    started.resolve();
    return run.running(this.process);
  }
}

/** Stands still but for `advance`. */
export class TestClock implements Clock {
  #now = Date.now();
  #elapsed = 0;
  #due: { readonly at: number; readonly action: () => void }[] = [];
  #waiting = Promise.withResolvers<void>();

  now(): number {
    return this.#now + this.#elapsed;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  after(ms: number, action: () => void): () => void {
    const entry = { at: this.#elapsed + ms, action };
    this.#due.push(entry);
    this.#waiting.resolve();
    this.#waiting = Promise.withResolvers();
    return () => void (this.#due = this.#due.filter((each) => each !== entry));
  }

  /** How many ms until each of what waits is called, the next first. */
  get delays(): number[] {
    return this.#due.map(({ at }) => at - this.#elapsed).toSorted((a, b) => a - b);
  }

  /** @returns once something waits so long */
  async waitsFor(holds: (ms: number) => boolean): Promise<number> {
    for (;;) {
      const found = this.delays.find(holds);
      if (found !== undefined) return found;
      await this.#waiting.promise;
    }
  }

  advance(ms: number): void {
    const end = this.#elapsed + ms;
    for (;;) {
      const next = this.#due.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#due = this.#due.filter((each) => each !== next);
      this.#elapsed = Math.max(this.#elapsed, next.at);
      next.action();
    }
    this.#elapsed = end;
  }
}

const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, isLevelEnabled: () => false };

export interface Engine {
  readonly executor: Executor;
  readonly store: Store;
  readonly logs: Logs;
  readonly programs: Programs;
  readonly metrics: Metrics;
  readonly parts: ExecutorParts;
  readonly bundles: BundleStore;
}

export interface Setup {
  readonly programs?: Programs;
  readonly options?: Partial<ExecutorOptions>;
  readonly parts?: Partial<ExecutorParts>;
  readonly clock?: Clock;
  /** An open store, that of an executor which is no more. */
  readonly store?: Store;
}

/** Not started; what is below the scratch folder is taken over. */
export async function engineIn(scratch: Scratch, setup: Setup = {}): Promise<Engine> {
  const { programs = new Programs(), clock } = setup;
  const store = setup.store ?? (await openStore({ directory: scratch.path('store') }));
  const logs = new Logs(scratch.path('logs'));
  const bundles = await BundleStore.open(scratch.path('bundles'));
  const metrics: Metrics = new Metrics({
    pending: () => executor.counts().pending,
    running: (kind) => executor.running(kind),
    foregroundRuns: () => 5,
    isolates: () => ({ hosts: 1, threads: 2, restarts: 3 }),
    forks: () => ({ servers: 0, forked: 0, declined: 0, lost: 0 }),
  });
  const { executions, deployments, idempotency } = store;
  const parts: ExecutorParts = {
    executions,
    deployments,
    idempotency,
    logs,
    bundles,
    secretValues: async () => ({ env: {}, values: [] }),
    mask: (values) => new Mask(values),
    workloads: programs,
    metrics,
    log: quiet,
    ...(clock && { clock }),
    ...setup.parts,
  };
  const executor: Executor = new Executor(parts, {
    concurrency: 4,
    isolateConcurrency: 8,
    queue: 20_000,
    timeoutMs: 3_600_000,
    retention: { ageMs: 7 * 86_400_000, count: 100_000 },
    nodeId: 'node-1',
    workDir: join(scratch.root, 'work'),
    dataDir: join(scratch.root, 'data'),
    ...setup.options,
  });
  return { executor, store, logs, programs, metrics, parts, bundles };
}

/** Started, and stopped when the body has ended. */
export async function withEngine(scratch: Scratch, setup: Setup, body: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await engineIn(scratch, setup);
  try {
    await engine.executor.start();
    await body(engine);
  } finally {
    const stopping = engine.executor.stop(0);
    if (setup.clock instanceof TestClock) {
      const { clock } = setup;
      // Whatever is waited for, its time is over.
      const timer = setInterval(() => clock.advance(10_000), 5);
      await stopping.finally(() => clearInterval(timer));
    }
    await stopping;
    await engine.store.close();
  }
}

export function script(fields: Partial<Submission> = {}): Submission {
  return { namespace: 'default', program: { source: 'true', runtime: 'bash' }, trigger: 'api', ...fields };
}

export function deploymentOf(fields: Partial<Deployment> & Pick<Deployment, 'bundle'>): Deployment {
  const created_at = new Date().toISOString();
  return {
    id: newId('dep'),
    name: 'job',
    namespace: 'default',
    type: 'job',
    revision: 1,
    entrypoint: 'main.sh',
    runtime: 'bash',
    args: [],
    env: {},
    secrets: [],
    retries: 0,
    labels: {},
    created_at,
    updated_at: created_at,
    ...fields,
  };
}
