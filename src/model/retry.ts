/** Whether an execution that failed runs once more, and when: a decision with its reason in words. */
import { formatDuration } from '../base/units.ts';
import type { Outcome, Reason } from './outcome.ts';

export type RetryDecision =
  | { readonly retry: true; readonly delayMs: number; readonly why: string }
  | { readonly retry: false; readonly why: string };

/** Why a further attempt would change nothing, or is not wanted. */
const final: Partial<Record<Reason, string>> = {
  canceled: 'it was canceled',
  invalid: 'what is asked for is not valid, and would not be the next time',
};

const firstDelayMs = 1000;
const longestDelayMs = 60_000;

/**
 * @param outcome how the attempt ended
 * @param attempt its number, from 1
 * @param retries attempts allowed after the first
 * @param random 0 … 1, spreads those that failed together over the second half of the delay
 */
export function decideRetry(
  outcome: Pick<Outcome, 'reason' | 'exitCode' | 'signal'>,
  attempt: number,
  retries: number,
  random: number,
): RetryDecision {
  const { reason, exitCode } = outcome;
  if (reason === 'exit' && exitCode === 0) return { retry: false, why: 'it succeeded' };
  const never = final[reason];
  if (never !== undefined) return { retry: false, why: never };
  const failure = `attempt ${attempt} of ${retries + 1} failed (${inWords(outcome)})`;
  if (attempt > retries) return { retry: false, why: `${failure}, and no attempt is left` };
  const longest = Math.min(firstDelayMs * 2 ** (attempt - 1), longestDelayMs);
  const delayMs = Math.round(longest * (0.5 + random / 2));
  return { retry: true, delayMs, why: `${failure}; the next one starts in ${formatDuration(delayMs)}` };
}

function inWords({ reason, exitCode, signal }: Pick<Outcome, 'reason' | 'exitCode' | 'signal'>): string {
  if (reason === 'exit') return `exit code ${exitCode}`;
  return reason === 'signal' && signal !== undefined ? `signal ${signal}` : reason;
}
