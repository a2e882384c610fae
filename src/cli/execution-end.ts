/** The end of an execution, as an exit code and in words. */
import type { ShownExecution } from '../api/contract/schemas.ts';
import { PrisnError } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import type { Client } from '../client/client.ts';
import { hasEnded } from '../model/execution.ts';
import { say } from './say.ts';

/** A proxy in between cuts what is silent for minutes, so a long wait is several. */
const waitS = 60;

/**
 * Waits for the end.
 * @param timeoutMs after which it is given up; never without
 * @returns the execution, ended or, after the time, as it is then
 * @throws PrisnError as `call`
 */
export async function waitForEnd(client: Client, id: string, timeoutMs?: number, signal?: AbortSignal): Promise<ShownExecution> {
  const deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
  for (;;) {
    const ms = Math.min(waitS * 1000, Math.max(1, Math.ceil(deadline - performance.now())));
    const execution = await client.call('getExecution', { params: { id }, query: { wait: `${ms}ms` } }, signal);
    if (hasEnded(execution) || performance.now() >= deadline) return execution;
  }
}

/** The program's code; what failed is never 0, and what has not ended is 124. */
export function exitCodeOf(execution: ShownExecution): number {
  const { status, exit_code: code } = execution;
  if (!hasEnded(execution)) return exitCodes.timeout;
  if (status === 'Completed') return code ?? 0;
  return code || exitCodes.failed;
}

/** `Completed`, `Failed (timeout, exit code 124)`, `Pending (3rd in the queue)`. */
export function stateOf({ status, reason, exit_code: code, queue_position: position }: ShownExecution): string {
  if (status === 'Pending' && position !== undefined) return `Pending (${ordinal(position)} in the queue)`;
  const why = status === 'Failed' ? [reason !== 'exit' && reason, code !== undefined && `exit code ${code}`].filter(Boolean) : [];
  return why.length > 0 ? `${status} (${why.join(', ')})` : status;
}

function ordinal(number: number): string {
  const isTeen = Math.floor(number / 10) % 10 === 1;
  return `${number}${(isTeen ? undefined : ['th', 'st', 'nd', 'rd'][number % 10]) ?? 'th'}`;
}

/**
 * Once an execution is there and the exit code is its program's: prisn's own failures are 125 to 127 then, wrong usage 2.
 * @returns the exit code; the error is said
 */
export function failureCode(error: unknown): number {
  if (!(error instanceof PrisnError)) throw error;
  say(error.message);
  const { exitCode } = error;
  return exitCode >= exitCodes.failed || exitCode === exitCodes.usage ? exitCode : exitCodes.failed;
}
