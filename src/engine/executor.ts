/**
 * The heart of the server: takes executions in, runs them, and tells how they ended.
 *
 * ```
 * submit ─▶ resolved ─▶ durable (journal) ─▶ queue ─▶ attempt ─▶ durable end ─▶ those who wait
 *                                              ▲         └─ retry ─┐
 *                                              └───────────────────┘
 * ```
 * `submission.ts` makes the record, `queue.ts` decides whose turn it is, `attempt.ts` runs it once, `runs.ts` decides what
 * follows, `journal.ts` writes, `reading.ts` shows, `followers.ts` tells of new ones, `recovery.ts` takes over from a server
 * that died, `retention.ts` forgets.
 */
import { join } from 'node:path';
import { PrisnError } from '../base/error.ts';
import { IdSequence } from '../base/id.ts';
import type { BundleStore } from '../bundles/store.ts';
import type { Logs } from '../logs/logs.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Execution, ExecutionSpec, SecretReference } from '../model/execution.ts';
import { checkLimits } from '../model/limits.ts';
import type { LogChunk } from '../model/output-text.ts';
import type { FunctionRequest } from '../model/task.ts';
import type { Mask } from '../secrets/mask.ts';
import type { Deployments } from '../store/deployments.ts';
import type { ExecutionFilter } from '../store/execution-index.ts';
import type { Created, ExecutionList, ExecutionPage, Executions } from '../store/executions.ts';
import type { Idempotency } from '../store/idempotency.ts';
import { Attempts, runningRecord } from './attempt.ts';
import { openCall, type FunctionCall } from './call.ts';
import { systemClock, within, type Clock } from './clock.ts';
import { Followers } from './followers.ts';
import { Journal } from './journal.ts';
import { known } from './known.ts';
import { Live, type Call, type CallSink } from './live.ts';
import type { Log } from './log.ts';
import type { Resolved, WorkloadKind, Workloads } from './ports.ts';
import { Programs } from './programs.ts';
import type { Waiting } from './queue.ts';
import { Reading, type LogsQuery, type ShownOutput } from './reading.ts';
import { Recovery } from './recovery.ts';
import { discardFolder } from './discard-folder.ts';
import { Retention } from './retention.ts';
import { type Place, Runs } from './runs.ts';
import type { SecretEnv } from './secrets.ts';
import { acceptedRecord, specOf, type Submission } from './submission.ts';

export type { FunctionCall } from './call.ts';
export type { CallSink } from './live.ts';
export type { LogsQuery, ShownOutput } from './reading.ts';
export type { Submission } from './submission.ts';

export interface ExecutorOptions {
  /** In processes at once. */
  readonly concurrency: number;
  /** In isolates at once. */
  readonly isolateConcurrency: number;
  /** How many may wait. */
  readonly queue: number;
  /** Of an attempt, where neither deployment nor request says. */
  readonly timeoutMs: number;
  readonly retention: { readonly ageMs: number; readonly count: number };
  readonly nodeId: string;
  /** Origin of the API, for `PRISN_API`, once it is known. */
  readonly api?: () => string | undefined;
  /** Absolute paths; made when they are needed. */
  readonly workDir: string;
  readonly dataDir: string;
}

export interface ExecutorParts {
  readonly executions: Executions;
  readonly deployments: Deployments;
  readonly idempotency: Idempotency;
  readonly logs: Logs;
  readonly bundles: BundleStore;
  readonly secretValues: (namespace: string, references: readonly SecretReference[]) => Promise<SecretEnv>;
  /** Makes what hides these values. */
  readonly mask: (values: readonly string[]) => Mask;
  readonly workloads: Workloads;
  readonly metrics: Metrics;
  readonly log: Log;
  /** The system's without. */
  readonly clock?: Clock;
}

export interface Counts {
  readonly running: number;
  readonly pending: number;
}

/** How long a cancel waits for the end of what runs: the grace of SIGTERM, and some time to write it down. */
const cancelMs = 5000;
/** What is on its way when a deployment is deleted arrives long before so many others are. */
const mostForgotten = 10_000;

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #parts: ExecutorParts & { readonly clock: Clock };
  readonly #journal: Journal;
  readonly #runs: Runs;
  readonly #programs: Programs;
  readonly #reading: Reading;
  readonly #retention: Retention;
  readonly #followers = new Followers();
  readonly #ids = new IdSequence();
  /** Deployments that are deleted, or about to be: what was on its way when that began must not run. */
  readonly #forgotten = new Set<string>();
  #state: 'starting' | 'serving' | 'stopping' = 'starting';
  #stopped: Promise<void> | undefined;

  constructor(given: ExecutorParts, options: ExecutorOptions) {
    const parts = { clock: systemClock, ...given };
    this.#parts = parts;
    this.#options = options;
    this.#journal = new Journal(parts);
    const attempts = new Attempts(parts, options, this.#journal);
    const limits = { running: { process: options.concurrency, isolate: options.isolateConcurrency }, waiting: options.queue };
    this.#runs = new Runs({ ...parts, journal: this.#journal, attempts }, limits);
    this.#programs = new Programs(parts.workloads, parts.bundles);
    this.#reading = new Reading(parts, this.#runs);
    this.#retention = new Retention(parts, options, () => this.#runs.all());
  }

  /** Takes over what the last server left, then serves. */
  async start(): Promise<void> {
    const waiting = await new Recovery({ ...this.#parts, journal: this.#journal }).run();
    for (const live of waiting) this.#runs.add(live);
    if (this.#state !== 'starting') return;
    this.#state = 'serving';
    this.#runs.start();
    this.#retention.start();
  }

  /**
   * Refuses new executions, lets what runs end until the deadline, then ends it as interrupted. What waits stays for the
   * next start, and what is interrupted with retries left waits too. All is written when this resolves, if the disk lets.
   */
  stop(drainMs: number): Promise<void> {
    this.#state = 'stopping';
    this.#followers.endAll();
    this.#stopped ??= Promise.all([this.#retention.stop(), this.#runs.stop(drainMs)]).then(() => {});
    return this.#stopped;
  }

  /**
   * Accepts an execution: when this resolves, it is on the disk and will end, whatever happens to the server.
   * @throws PrisnError `busy`, `unavailable` (both with retryAfterS), `cannot_run`, `no_runtime`, `unsupported` (a limit), `not_found`
   * (a bundle), `conflict` (an idempotency key with another body), `too_large`, `storage_full`
   */
  async submit(submission: Submission): Promise<Execution> {
    this.#checkServing();
    const { namespace, idempotency } = submission;
    const spec = specOf(submission, this.#options.timeoutMs);
    const resolved = await this.#resolve(submission, spec);
    this.#checkThere(submission);
    const nowMs = this.#parts.clock.now();
    const id = this.#ids.next('exec', nowMs);
    const accepted = acceptedRecord(submission, resolved, { id, nowMs, nodeId: this.#options.nodeId });
    const place = this.#runs.reserve(waitingOf(submission, resolved));
    const record = place.isSlot ? runningRecord(accepted, nowMs) : accepted;
    let created: Created | undefined;
    try {
      created = await this.#journal.create(record, spec, idempotency && { namespace, ...idempotency });
    } finally {
      if (!created?.created) place.giveBack();
    }
    if (!created.created) return this.get(created.id);
    this.#parts.metrics.accepted(record);
    const fields = liveFields(submission, record, created.revision, resolved);
    const kept = this.#isKept(spec) ? spec : undefined;
    this.#add(new Live({ ...fields, retries: spec.retries, spec: kept }, this.#parts.clock), place);
    // As it was accepted, though it may run by now: that is what the answer says.
    return this.#reading.shown(accepted);
  }

  /** With its place in the queue while it waits, and its output once it has ended. @throws PrisnError `not_found` */
  get(id: string): Promise<Execution & ShownOutput> {
    return this.#reading.get(id);
  }

  /** As `get`, once it has ended, or when the time is over or the signal is aborted. @throws PrisnError `not_found`, `busy` */
  async wait(id: string, ms: number, signal?: AbortSignal): Promise<Execution & ShownOutput> {
    const live = this.#runs.get(id);
    await live?.until(() => live.ended !== undefined, { clock: this.#parts.clock, ms, signal });
    return live?.ended ? this.#reading.withOutput(live.ended.record, live.ended.output) : this.get(id);
  }

  async list(filter: ExecutionFilter, page: ExecutionPage): Promise<ExecutionList> {
    const found = await this.#parts.executions.list(filter, page);
    return { ...found, items: found.items.map((record) => this.#reading.shown(record)) };
  }

  /** Ends it wherever it is; one that has ended stays as it is. @returns it, ended if that takes no longer than some seconds */
  async cancel(id: string): Promise<Execution & ShownOutput> {
    const live = this.#runs.get(id);
    if (live) this.#runs.cancel(live);
    return this.wait(id, cancelMs);
  }

  /** Its output so far, attempt by attempt. A chunk is valid until the next. @throws PrisnError `not_found` */
  logs(id: string, query: LogsQuery): Promise<AsyncGenerator<LogChunk>> {
    return this.#reading.logs(id, query);
  }

  /** Runs a program that answers a request: in the same queue and limits, with a record afterwards only. */
  call(submission: Submission, request: FunctionRequest, sink: CallSink): FunctionCall {
    const { clock, metrics } = this.#parts;
    const id = this.#ids.next('exec', clock.now());
    const accept = async (call: Call): Promise<Live> => {
      this.#checkServing();
      const spec = { ...specOf(submission, this.#options.timeoutMs), retries: 0 };
      const resolved = await this.#resolve(submission, spec);
      this.#checkServing();
      this.#checkThere(submission);
      const place = this.#runs.reserve(waitingOf(submission, resolved));
      const record = acceptedRecord(submission, resolved, { id, nowMs: clock.now(), nodeId: this.#options.nodeId });
      metrics.accepted(record);
      const live = new Live({ ...liveFields(submission, record, 0, resolved), retries: 0, spec, call }, clock);
      this.#add(live, place);
      return live;
    };
    return openCall(id, request, sink, accept, (live) => this.#runs.cancel(live));
  }

  runningOf(deploymentId: string): number {
    return this.#runs.runningOf(deploymentId);
  }

  counts(): Counts {
    return { running: this.running('process') + this.running('isolate'), pending: this.#runs.pending };
  }

  /** Where its program runs; found out once for each revision. @throws PrisnError as `submit` does for what cannot be run */
  async kindOf(deployment: Deployment): Promise<WorkloadKind> {
    return (await this.#programs.resolve({ deployment })).kind;
  }

  running(kind: WorkloadKind): number {
    return this.#runs.running(kind);
  }

  /** Ids of its newest execution and then of each that is accepted, until the signal, the stop or the end of the deployment. */
  executionsOf(deploymentId: string, signal: AbortSignal): AsyncGenerator<string> {
    const newest = async () => (await this.#parts.executions.list({ deploymentId }, { limit: 1 })).items[0]?.id;
    return this.#followers.follow(deploymentId, newest, signal);
  }

  /**
   * A deployment goes: nothing more of it is accepted, what waits or runs is canceled, then its work folders are removed.
   * @returns to be called when the deployment stays after all
   */
  async forget(deploymentId: string): Promise<() => void> {
    const { clock, log } = this.#parts;
    this.#forgotten.add(deploymentId);
    for (const oldest of this.#forgotten) {
      if (this.#forgotten.size <= mostForgotten) break;
      this.#forgotten.delete(oldest);
    }
    const theirs = [...this.#runs.all()].filter(({ deployment }) => deployment === deploymentId);
    for (const live of theirs) this.#runs.cancel(live);
    const allEnded = Promise.all(theirs.map((live) => live.until(() => live.ended !== undefined, {})));
    await within(clock, cancelMs, allEnded);
    this.#programs.forget(deploymentId);
    discardFolder(join(this.#options.workDir, deploymentId), log);
    this.#followers.end(deploymentId);
    return () => void this.#forgotten.delete(deploymentId);
  }

  #add(live: Live, place: Place): void {
    const { deployment } = live;
    // Its acceptance was being written while its deployment was deleted.
    if (deployment !== undefined && this.#forgotten.has(deployment))
      return this.#runs.drop(live, 'its deployment was deleted', place);
    this.#runs.add(live, place);
    if (deployment !== undefined) this.#followers.accepted(deployment, live.id);
  }

  #checkThere({ deployment }: Submission): void {
    if (deployment && this.#forgotten.has(deployment.id))
      throw new PrisnError('not_found', `the deployment ${deployment.name} was deleted`);
  }

  async #resolve(submission: Submission, { resources = {} }: ExecutionSpec): Promise<Resolved> {
    const resolved = await this.#programs.resolve(submission);
    checkLimits(resolved, resources);
    return resolved;
  }

  #checkServing(): void {
    if (this.#state === 'serving') return;
    const what = this.#state === 'starting' ? 'starts' : 'stops';
    throw new PrisnError('unavailable', `the server ${what} and takes no executions at the moment; try again`, {
      retryAfterS: 2,
    });
  }

  /** Small specs stay in memory, larger ones only while few wait; else they are read when their turn comes. */
  #isKept(spec: ExecutionSpec): boolean {
    return this.#runs.pending < (sizeOf(spec) < 4096 ? 20_000 : 100);
  }
}

function waitingOf({ deployment }: Submission, { kind }: Resolved): Omit<Waiting, 'id'> {
  return known({ kind, deployment: deployment?.id, concurrency: deployment?.concurrency });
}

function liveFields({ deployment, program }: Submission, record: Execution, revision: number, { kind }: Resolved) {
  const found = deployment ?? program;
  const bundle = found && 'bundle' in found ? found.bundle : undefined;
  return { record, revision, kind, concurrency: deployment?.concurrency, bundle };
}

/** About so many bytes of memory. */
function sizeOf({ program, env, input = '', stdin = '' }: ExecutionSpec): number {
  const variables = Object.values(env).reduce((sum, { length }) => sum + length, 0);
  return variables + ('source' in program ? program.source.length : 0) + input.length + stdin.length;
}
