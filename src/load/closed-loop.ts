/**
 * A closed loop: so many clients, each calls again as soon as it has its answer.
 *
 * All begin at the same moment and nobody is cut off, so at the end some are still busy while others are done. A rate over the whole
 * time would be too low, and one up to the deadline would lose what was begun. So each client counts for as long as it was at it,
 * a whole number of calls:
 *
 *     calls a second  =  calls / mean of the clients' times
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Answered, Call } from './call.ts';

export interface ClosedLoop {
  readonly clients: number;
  /** No call begins later, ms from the start; each client makes one in any case. */
  readonly durationMs: number;
  /** Nor beyond so many. */
  readonly calls?: number;
}

/** Of a client that got no answer. */
const againMs = 20;

/**
 * @param hear gets each call as it ends
 * @returns ms, the mean of the clients' times
 */
export async function closedLoop(
  { clients, durationMs, calls = Number.POSITIVE_INFINITY }: ClosedLoop,
  call: Call,
  hear: (answered: Answered) => void,
  signal: AbortSignal,
): Promise<number> {
  const startedAt = performance.now();
  let begun = 0;
  const client = async (number: number): Promise<number> => {
    let endedAt = startedAt;
    do {
      begun++;
      const answered = await call(number);
      // What an interruption ended has not failed.
      if (signal.aborted) break;
      endedAt = performance.now();
      hear(answered);
      if (answered.isUnanswered) await pause(againMs);
    } while (begun < calls && performance.now() - startedAt < durationMs && !signal.aborted);
    return endedAt - startedAt;
  };
  const times = await Promise.all(Array.from({ length: Math.min(clients, calls) }, (_, number) => client(number)));
  return times.reduce((sum, ms) => sum + ms, 0) / times.length;
}
