/** What the two ends of an isolate host say to each other, over Node's IPC channel with structured clones. */
import type { Outcome } from '../../src/model/outcome.ts';
import type { IsolateTask } from '../../src/model/task.ts';

export type ToHost =
  | { readonly type: 'run'; readonly id: number; readonly task: IsolateTask }
  | { readonly type: 'end'; readonly id: number; readonly outcome: Outcome };

export type FromHost =
  | { readonly type: 'output'; readonly id: number; readonly fd: 1 | 2; readonly data: Uint8Array }
  | { readonly type: 'ended'; readonly id: number; readonly outcome: Outcome };

/** Between the host's main thread and a worker, over one port a task. */
export type ToWorker = { readonly outcome: Outcome };
/** The outcome is the last message, so that no output comes after it. */
export type FromWorker = { readonly fd: 1 | 2; readonly data: Uint8Array } | { readonly outcome: Outcome };

/** Set for the host process: how many threads it has. */
export const threadsVariable = 'PRISN_ISOLATE_THREADS';
