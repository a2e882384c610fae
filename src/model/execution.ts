/**
 * An execution: one run of a job or of code that was sent along, from its acceptance to its end. The fields are those of
 * the API, in its names and units: what is stored is what is shown, less the output.
 *
 * ```
 * Pending ──▶ Running ──▶ Completed
 *    ▲           ├──────▶ Failed (reason)
 *    └──retry────┘
 * ```
 */
import type { ProcessId } from '../base/process-id.ts';
import type { Reason } from './outcome.ts';

export const executionStatuses = ['Pending', 'Running', 'Completed', 'Failed'] as const;
export type ExecutionStatus = (typeof executionStatuses)[number];

export const triggers = ['cli', 'api', 'schedule', 'function', 'retry'] as const;
export type Trigger = (typeof triggers)[number];

export interface Execution {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly deployment_id?: string;
  readonly deployment?: string;
  readonly revision?: number;
  readonly status: ExecutionStatus;
  readonly reason?: Reason;
  readonly exit_code?: number;
  /** RFC 3339, with milliseconds, as all times. */
  readonly created_at: string;
  readonly started_at?: string;
  readonly completed_at?: string;
  /** While it waits: how many will start before it, and itself; from 1. Not stored. */
  readonly queue_position?: number;
  readonly queued_ms?: number;
  readonly prepare_ms?: number;
  readonly start_ms?: number;
  readonly run_ms?: number;
  readonly duration_ms?: number;
  readonly cpu_ms?: number;
  readonly max_rss_bytes?: number;
  /** What the default export returned. */
  readonly result?: unknown;
  readonly error?: string;
  /** From 1. */
  readonly attempt: number;
  readonly runtime?: string;
  readonly tier?: string;
  readonly node_id: string;
  readonly trigger: Trigger;
  /** Whether output was left out for its size. */
  readonly truncated?: boolean;
  /** While it runs: the root of its process tree, for the daemon that finds it left over. Not shown. */
  readonly process?: ProcessRecord;
}

/** What an execution runs, kept with it until it ends, so that it outlives a restart. */
export interface ExecutionSpec {
  readonly program:
    | { readonly source: string; readonly runtime: string }
    | { readonly bundle: string; readonly entrypoint: string; readonly runtime?: string };
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly SecretReference[];
  /** JSON text. */
  readonly input?: string;
  readonly stdin?: string;
  readonly timeout_ms: number;
  /** Runs beyond the first after a failure. */
  readonly retries: number;
  readonly resources?: Resources;
  /** In a context that is kept for the next execution of the same deployment. */
  readonly reuse?: true;
}

/** Limits of an execution or a replica. */
export interface Resources {
  readonly memory_mb?: number;
  /** Cores. */
  readonly cpu?: number;
  /** Processes and threads at once. */
  readonly pids?: number;
}

/** As it is stored. */
export type ProcessRecord = ProcessId;

/** Puts the value of a secret into a variable. */
export interface SecretReference {
  readonly name: string;
  readonly env: string;
}

export function hasEnded({ status }: Pick<Execution, 'status'>): boolean {
  return status === 'Completed' || status === 'Failed';
}
