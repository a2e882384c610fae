/**
 * What is said between those who start programs and the threads of an isolate host, over one connection a thread
 * (`link.ts`): the host's main thread has no part in it.
 *
 * What programs tell travels in batches: a short program's output and its end are one message.
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

/** One call of a program that is kept: what of its task is the call's own. */
export interface CallOrder {
  readonly executionId: string | undefined;
  /** JSON of method, URL and headers of the request that it answers, and the body: text where each character is one byte below 128. */
  readonly head?: string;
  readonly body?: string | Uint8Array;
  /** JSON text, where there is no request. */
  readonly input?: string | undefined;
}

export type ToWorker = { readonly id: number } & (
  | { readonly type: 'run'; readonly order: Order }
  /** A program that is to be kept, under a number of its own for its calls. */
  | { readonly type: 'keep'; readonly order: Order }
  | { readonly type: 'call'; readonly kept: number; readonly call: CallOrder }
  /** No calls of it come any more. */
  | { readonly type: 'drop' }
  | { readonly type: 'end'; readonly outcome: Outcome }
  | Answer
);

/** To what a program asked, or did. */
export type Answer =
  | { readonly type: 'taken'; readonly bytes: number }
  | { readonly type: 'input'; readonly text: string | undefined }
  /** The answer to `acts`. */
  | { readonly type: 'proceed' };

/** What a program does, as it is told. */
export type Report =
  | { readonly type: 'output'; readonly fd: 1 | 2; readonly data: Uint8Array }
  /** A whole response. */
  | { readonly type: 'answer'; readonly head: FunctionHead; readonly data: Uint8Array }
  | { readonly type: 'head'; readonly head: FunctionHead }
  | { readonly type: 'body'; readonly data: Uint8Array }
  | { readonly type: 'inputWanted' }
  /** It is about to have an effect outside, and waits for `proceed`: its host may be lost at any moment. */
  | { readonly type: 'acts' }
  /** The last one. `ranAtMs`: when its own code began, by `sharedClockMs`. `isolates`: how many its thread has had. */
  | { readonly type: 'ended'; readonly outcome: Outcome; readonly ranAtMs: number | undefined; readonly isolates: number };

export type FromWorker = readonly [id: number, reports: readonly Report[]];

/** The one variable that differs from call to call of a program that is kept. */
export const executionVariable = 'PRISN_EXECUTION_ID';

/** Set for the host process: how many threads it has. */
export const threadsVariable = 'PRISN_ISOLATE_THREADS';
/** The descriptor of the first one's connection; the others follow it. */
export const firstThreadFd = 4;

/** Milliseconds of a clock that all processes of the machine share and that never jumps. */
export function sharedClockMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
