/**
 * What is said between those who start programs and the threads of an isolate host, over one connection a thread
 * (`link.ts`): the host's main thread has no part in it.
 *
 * What programs tell travels in batches: a short program's output and its end are one message.
 */
import type { Outcome } from '../../src/model/outcome.ts';
import type { FunctionHead, IsolateTask, Program } from '../../src/model/task.ts';

/** A task as a thread gets it. */
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
  /** JSON text, where there is no request; without it, standard input. */
  readonly input?: string | undefined;
  readonly stdin?: string | undefined;
}

/** An order as it is sent: without its program where the thread has that, by a number. */
export interface SentOrder extends Omit<Order, 'task'> {
  readonly task: Omit<IsolateTask, 'program'> & { readonly program: Program | number };
}

/**
 * Programs, kept ones and calls have numbers each of their own kind. A `program` comes again and again; one to `keep` stays in
 * contexts of its own, for calls, until it is to `drop`.
 */
export type ToWorker = { readonly id: number } & (
  | { readonly type: 'program'; readonly program: Program }
  | { readonly type: 'forgetProgram' }
  | { readonly type: 'run'; readonly order: SentOrder }
  | { readonly type: 'keep'; readonly order: SentOrder }
  | { readonly type: 'call'; readonly kept: number; readonly call: CallOrder }
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
