/**
 * What is said between those who start programs, the isolate host, and its threads.
 *
 * ```
 *   pool ──ToHost──▶ host's main thread ──ToWorker──▶ thread       one port a program
 *   pool ◀─FromHost─ host's main thread ◀─FromWorker─ thread
 * ```
 * Between processes by Node's IPC channel with structured clones. A message costs more than what is in it, so what programs
 * tell travels in batches: a short program's output and its end are one message.
 */
import type { Outcome } from '../../src/model/outcome.ts';
import type { FunctionHead, IsolateTask } from '../../src/model/task.ts';

/** A program as a thread gets it. */
export interface Order {
  readonly task: IsolateTask;
  /** Whether somebody can be asked for standard input. */
  readonly asksInput: boolean;
  /** Output of a program that is not paced is dropped beyond this, bytes a stream. */
  readonly maxOutputBytes: number;
}

export type ToHost =
  | { readonly type: 'run'; readonly id: number; readonly order: Order }
  | { readonly type: 'tell'; readonly id: number; readonly message: ToWorker };

export type ToWorker =
  | { readonly type: 'end'; readonly outcome: Outcome }
  | { readonly type: 'taken'; readonly bytes: number }
  | { readonly type: 'input'; readonly text: string | undefined }
  /** The answer to `acts`. */
  | { readonly type: 'proceed' };

/** What a program does, as it is told. */
export type Report =
  | { readonly type: 'output'; readonly fd: 1 | 2; readonly data: Uint8Array }
  | { readonly type: 'head'; readonly head: FunctionHead }
  | { readonly type: 'body'; readonly data: Uint8Array }
  | { readonly type: 'inputWanted' }
  /** It is about to have an effect outside, and waits for `proceed`: its host may be lost at any moment. */
  | { readonly type: 'acts' }
  /** The last one. `ranAtMs`: when its own code began, by `sharedClockMs`. */
  | { readonly type: 'ended'; readonly outcome: Outcome; readonly ranAtMs: number | undefined };

export type FromWorker = readonly Report[];
export type FromHost = readonly (readonly [id: number, reports: FromWorker])[];

/** Set for the host process: how many threads it has. */
export const threadsVariable = 'PRISN_ISOLATE_THREADS';

/** Milliseconds of a clock that all processes of the machine share and that never jumps. */
export function sharedClockMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
