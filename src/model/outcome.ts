/**
 * How a program ended: a value, never an exception. The first cause wins.
 *
 * `exit` covers success and failure (`exitCode` tells); every other reason names who or what ended it.
 */
import type { ErrorCode } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import { formatDuration, formatMemory } from '../base/units.ts';

export const reasons = [
  'exit',
  'timeout',
  'memory',
  'signal',
  'canceled',
  'crashed',
  'interrupted',
  'dependency',
  'invalid',
] as const;

export type Reason = (typeof reasons)[number];

export interface Outcome {
  readonly reason: Reason;
  /** The exit code that the CLI gives: the program's own, 124 timeout, 137 memory, 128+n signal n, 125 prisn's. */
  readonly exitCode: number;
  /** The signal that ended the program, by name. */
  readonly signal?: string;
  /** What happened and what to do, for every reason but `exit` and `signal`. */
  readonly message?: string;
  readonly errorCode?: ErrorCode;
  /** What the default export returned, as JSON text; only where the task asked for it. */
  readonly result?: string;
  /** It ended through no fault of its own and had no effect outside yet: to run it once more is safe. */
  readonly blameless?: boolean;
  /** What it took, as far as it is known. */
  readonly usage?: Usage;
}

export interface Usage {
  /** From the order to start until its own code ran. */
  readonly startMs?: number;
  readonly cpuMs?: number;
  readonly maxRssBytes?: number;
}

export const canceled: Outcome = { reason: 'canceled', exitCode: exitCodes.failed, message: 'the program was canceled' };

/** @param ms of the limit */
export function timedOut(ms: number): Outcome {
  const message = `the program ran longer than ${formatDuration(ms)} and was ended; give it more with --timeout`;
  return { reason: 'timeout', exitCode: exitCodes.timeout, message };
}

/** @param bytes of the limit, for all that the program has started too */
export function outOfMemory(bytes: number): Outcome {
  const message = `the program needed more than ${formatMemory(bytes)} of memory and was ended; give it more with --memory`;
  return { reason: 'memory', exitCode: exitCodes.memory, message };
}
