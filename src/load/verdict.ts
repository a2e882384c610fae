/**
 * Whether one measurement is faster than another, or whether that cannot be told.
 *
 * A machine is never twice the same. Within a measurement it changes from round to round, and the rank tests of `ranks.ts` know that.
 * Between two measurements it changes as well, unseen by both: a neighbour moves in, the processor gets warm. What shows it is a
 * *control*, a load that is the same in every measurement and took turns with what was measured. The target may follow the machine
 * more or less than the control does, or not at all, so its own change is believed only as far as no such share explains it:
 *
 *     change of target  −  share × change of control,   share from −1 to 2
 *
 * Things that took turns within one measurement met the same machine, so their differences round by round are tested as they are.
 * Everything is in logarithms: a change is a ratio, and half is as far from one as double is.
 *
 * One comparison looks at several figures, so each is tested more strictly (Bonferroni): all verdicts together are wrong about
 * things that are alike at most 5 times in 100. `test/load/verdict.test.ts` lets a simulated machine try.
 */
import { centre, type Interval, median, shift } from './ranks.ts';

/** Figures of which less is better are what verdicts are about; a throughput goes in as time a call. */
export interface Change {
  /** After divided by before, less 1: -0.2 is a fifth less. */
  readonly change: number;
  /** What it lies between; null is no bound. */
  readonly low: number | null;
  readonly high: number | null;
  readonly verdict: 'less' | 'more' | 'cannot tell';
}

/** A figure round by round, in the order taken. */
export type Series = readonly number[];

/** What all verdicts of a comparison may be wrong together. */
const alpha = 0.05;
const shares = [-1, 2] as const;
/** Less is no verdict: as much differ, on the quietest machine, the addresses, disks and caches of things that are the same. */
const leastChange = { apart: 0.02, inTurns: 0.01 };

/** Of two measurements, each with its control. @param figures how many are compared at once */
export function compareApart(before: Sides, after: Sides, figures: number): Change {
  const own = shift(logs(before.target), logs(after.target), alpha / figures);
  const machine = median(logs(after.control)) - median(logs(before.control));
  const explained = shares.map((share) => share * machine);
  return verdictOf(
    { estimate: own.estimate, low: own.low - Math.max(...explained), high: own.high - Math.min(...explained) },
    leastChange.apart,
  );
}

export interface Sides {
  readonly target: Series;
  readonly control: Series;
}

/** Of a target and a baseline that took turns, round by round. @param figures how many are compared at once */
export function compareInTurns(baseline: Series, target: Series, figures: number): Change {
  const differences = logs(target).map((value, round) => value - Math.log(baseline[round] ?? Number.NaN));
  return verdictOf(centre(differences, alpha / figures), leastChange.inTurns);
}

function verdictOf({ estimate, low, high }: Interval, leastChange: number): Change {
  const least = Math.log1p(leastChange);
  return {
    change: Math.expm1(estimate),
    low: finite(Math.expm1(low)),
    high: finite(Math.expm1(high)),
    verdict: high < -least ? 'less' : low > least ? 'more' : 'cannot tell',
  };
}

/** -1 is the end of a scale that has none in logarithms. */
function finite(change: number): number | null {
  return change === -1 || change === Number.POSITIVE_INFINITY ? null : change;
}

function logs(series: Series): number[] {
  return series.map(Math.log);
}
