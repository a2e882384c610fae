/**
 * An execution that has not ended, as the daemon holds it in memory.
 *
 * ```
 * waiting ──▶ running ──▶ ending ──▶ ended
 *    ▲           └▶ resting ┘ ▲
 *    └──── its backoff is over┘ (canceled)
 * ```
 * `waiting` is in the queue, `resting` waits for its next attempt. Its phase is changed by `runs.ts` alone.
 */
import { PrisnError } from '../base/error.ts';
import type { Execution, ExecutionSpec } from '../model/execution.ts';
import type { FunctionHead, FunctionRequest } from '../model/task.ts';
import type { Clock } from './clock.ts';
import type { RunningWorkload, WorkloadKind } from './ports.ts';
import type { Waiting } from './queue.ts';

export type Phase = 'waiting' | 'running' | 'resting' | 'ending' | 'ended';

/** Who ends it before its time: its user, or the server that stops. */
export type StopCause = 'canceled' | 'interrupted';

/** What a function call has that an execution has not. */
export interface Call {
  readonly request: FunctionRequest;
  readonly sink: CallSink;
  /** Told when the program starts, or ends without having started. */
  readonly started: () => void;
  readonly ended: (record: Execution) => void;
}

export interface CallSink {
  readonly stdout: (chunk: Uint8Array) => void;
  readonly stderr: (chunk: Uint8Array) => void;
  readonly head?: (head: FunctionHead) => void;
  readonly body?: (chunk: Uint8Array) => void;
}

export interface Ended {
  readonly record: Execution;
  /** The whole log; without it, it is in files. */
  readonly output: Uint8Array | undefined;
}

export interface LiveFields {
  readonly record: Execution;
  /** Of the stored record. */
  readonly revision: number;
  readonly kind: WorkloadKind;
  /** Of its deployment, at once. */
  readonly concurrency?: number | undefined;
  readonly retries: number;
  /** What it keeps from being pruned. */
  readonly bundle?: string | undefined;
  /** Without, it is read from the store when it is needed. */
  readonly spec?: ExecutionSpec | undefined;
  readonly call?: Call;
}

const maxWatchers = 10_000;

export class Live implements Waiting {
  readonly id: string;
  readonly kind: WorkloadKind;
  readonly deployment?: string;
  readonly concurrency?: number;
  readonly retries: number;
  readonly bundle: string | undefined;
  readonly call: Call | undefined;
  record: Execution;
  revision: number;
  spec: ExecutionSpec | undefined;
  phase: Phase = 'waiting';
  /** `Clock.elapsed` when it was accepted, and when it last began to wait. */
  readonly bornAt: number;
  waitingSince: number;
  running: RunningWorkload | undefined;
  stopCause: StopCause | undefined;
  /** Settles the present attempt though its program has not ended. */
  abandon: (() => void) | undefined;
  /** While it rests. */
  callOff: (() => void) | undefined;
  /** The attempt of the newest log, 0 for none, and how many logs were begun: an attempt may have several. */
  logAttempt: number;
  logsBegun = 0;
  ended: Ended | undefined;
  readonly #watchers = new Set<() => void>();
  #isLetGo = false;

  constructor({ record, revision, kind, concurrency, retries, bundle, spec, call }: LiveFields, clock: Clock) {
    this.id = record.id;
    this.kind = kind;
    if (record.deployment_id !== undefined) this.deployment = record.deployment_id;
    if (concurrency !== undefined) this.concurrency = concurrency;
    this.retries = retries;
    this.bundle = bundle;
    this.call = call;
    this.record = record;
    this.revision = revision;
    this.spec = spec;
    this.logAttempt = record.attempt - 1;
    this.waitingSince = clock.elapsed();
    this.bornAt = this.waitingSince - Math.max(0, clock.now() - Date.parse(record.created_at));
  }

  get isLetGo(): boolean {
    return this.#isLetGo;
  }

  /** Ends what runs; the first cause counts. */
  stop(cause: StopCause): void {
    this.stopCause ??= cause;
    this.running?.stop();
  }

  beginLog(): void {
    this.logAttempt = this.record.attempt;
    this.logsBegun++;
    this.#tell();
  }

  close(ended: Ended): void {
    this.phase = 'ended';
    this.ended = ended;
    this.#tell();
  }

  /** Nothing more of it happens in this process: nobody waits for it any longer. */
  letGo(): void {
    this.#isLetGo = true;
    this.#tell();
  }

  /**
   * Waits for something that a change of this execution brings.
   * @returns when it holds, the time is over, the signal is aborted, or nothing more happens here
   * @throws PrisnError `busy` when too many wait already
   */
  async until(
    holds: () => boolean,
    { clock, ms, signal }: { clock?: Clock; ms?: number; signal?: AbortSignal | undefined },
  ): Promise<void> {
    if (holds() || this.#isLetGo || signal?.aborted) return;
    if (this.#watchers.size >= maxWatchers)
      throw new PrisnError('busy', `${maxWatchers} clients wait for ${this.id} already; ask for it without waiting`, {
        retryAfterS: 5,
      });
    await new Promise<void>((resolve) => {
      const watcher = (): void => {
        if (holds() || this.#isLetGo) done();
      };
      const done = (): void => {
        this.#watchers.delete(watcher);
        callOff?.();
        signal?.removeEventListener('abort', done);
        resolve();
      };
      this.#watchers.add(watcher);
      signal?.addEventListener('abort', done, { once: true });
      const callOff = ms === undefined ? undefined : clock?.after(ms, done);
    });
  }

  #tell(): void {
    for (const watcher of this.#watchers) watcher();
  }
}
