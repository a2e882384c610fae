/** From how an attempt ended to the record that says so. Pure. */
import { errorCodes, messageOf, PrisnError } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import type { Execution } from '../model/execution.ts';
import type { Outcome } from '../model/outcome.ts';
import { known } from './known.ts';
import type { StopCause } from './live.ts';

/** Where the time of an attempt went, ms. */
export interface Times {
  readonly queuedMs: number;
  readonly prepareMs?: number;
  /** From the order to start until its end. */
  readonly ranMs?: number;
}

export interface Ending extends Times {
  readonly outcome: Outcome;
  readonly tier?: string | undefined;
  /** What the default export returned. */
  readonly result?: unknown;
}

/** What the store can hold in one value. */
export const maxResultBytes = 512 * 1024;
const maxErrorLength = 8192;

/** What a stop without a program to stop makes of an attempt. */
export function stopped(cause: StopCause, attempt: number): Outcome {
  const when = attempt === 1 ? 'before it started' : `before its attempt ${attempt} started`;
  const message = cause === 'canceled' ? `it was canceled ${when}` : `the server stopped ${when}`;
  return { reason: cause, exitCode: exitCodes.failed, message };
}

/** A program that was ended by a server that stops was not canceled by anyone. */
export function causedBy(outcome: Outcome, cause: StopCause | undefined): Outcome {
  if (outcome.reason !== 'canceled' || cause !== 'interrupted') return outcome;
  return { ...outcome, reason: 'interrupted', message: 'the server stopped before the program ended' };
}

/** An attempt that could not begin: for what was asked, or for something here that fails. */
export function failedToBegin(error: unknown): Outcome {
  const isAsked = error instanceof PrisnError && errorCodes[error.code].status < 500;
  if (isAsked && error.code === 'dependency') return { reason: 'dependency', exitCode: error.exitCode, message: error.message };
  return {
    reason: isAsked ? 'invalid' : 'crashed',
    // That something is not found says nothing of the execution, which is there.
    exitCode: isAsked && error.code !== 'not_found' ? error.exitCode : exitCodes.failed,
    message: isAsked ? messageOf(error) : `it could not be started: ${messageOf(error)}`,
  };
}

/** The result of an outcome as a value; an outcome that is `invalid` when it is none that can be kept. */
export function resultOf(outcome: Outcome, mask: ((text: string) => string) | undefined): Pick<Ending, 'outcome' | 'result'> {
  const { result: text, ...rest } = outcome;
  if (text === undefined) return { outcome };
  const invalid = (message: string): Pick<Ending, 'outcome'> => ({
    outcome: { ...rest, reason: 'invalid', exitCode: exitCodes.failed, message },
  });
  if (Buffer.byteLength(text) > maxResultBytes)
    return invalid(`the result has more than ${maxResultBytes} bytes of JSON; write large results to a file`);
  const shown = mask?.(text) ?? text;
  try {
    return { outcome: rest, result: JSON.parse(shown) as unknown };
  } catch (error) {
    // A secret that stood there as a number.
    return shown === text ? invalid(`the result is not JSON: ${messageOf(error)}`) : { outcome: rest, result: shown };
  }
}

export function endedRecord(
  record: Execution,
  { outcome, tier, result, queuedMs, prepareMs, ranMs }: Ending,
  how: { readonly nowMs: number; readonly durationMs: number; readonly truncated: boolean },
): Execution {
  const { reason, exitCode, message, usage, signal } = outcome;
  const startMs = ranMs === undefined ? undefined : usage?.startMs;
  const said = message ?? (signal === undefined ? undefined : `the program was ended by ${signal}`);
  return known({
    ...record,
    status: reason === 'exit' && exitCode === 0 ? 'Completed' : 'Failed',
    reason,
    exit_code: exitCode,
    completed_at: new Date(how.nowMs).toISOString(),
    queued_ms: ms(queuedMs),
    prepare_ms: prepareMs === undefined ? undefined : ms(prepareMs),
    start_ms: startMs === undefined ? undefined : ms(startMs),
    run_ms: ranMs === undefined ? undefined : ms(ranMs - (startMs ?? 0)),
    duration_ms: ms(how.durationMs),
    cpu_ms: usage?.cpuMs === undefined ? undefined : ms(usage.cpuMs),
    max_rss_bytes: usage?.maxRssBytes,
    result,
    error: said === undefined ? undefined : said.slice(0, maxErrorLength),
    tier: tier ?? record.tier,
    truncated: how.truncated || undefined,
    process: undefined,
  });
}

/** The record of one that waits for its next attempt. */
export function pendingAgain(record: Execution, attempt: number, why: string): Execution {
  return known({ ...record, status: 'Pending', attempt, error: why, started_at: undefined, tier: undefined, process: undefined });
}

/** Microseconds are what the clock can tell. */
function ms(value: number): number {
  return Math.max(0, Math.round(value * 1000) / 1000);
}
