/** Compares results figure by figure; what they mean is decided in `src/load/verdict.ts`. */
import { type Change, compareApart, compareInTurns, type Sides } from '../load/verdict.ts';
import type { Round } from '../load/recording.ts';
import type { BenchResult, SideResult } from './bench-result.ts';
import { median } from '../load/ranks.ts';

export interface Comparison {
  /** A file, or the baseline of the same measurement. */
  readonly with: string;
  readonly how: 'apart' | 'in turns';
  /** By how much the control changed, which had no reason to; 0 in turns. */
  readonly machine_change: number;
  readonly figures: readonly ComparedFigure[];
}

export interface ComparedFigure extends Change {
  readonly name: string;
  /** Medians of the rounds. */
  readonly before: number;
  readonly after: number;
}

/** Less is better in all of them. */
interface Figure {
  readonly name: string;
  readonly of: (round: Round) => number | null;
  /** By what the control tells how the machine has changed. */
  readonly ofControl: (round: Round) => number | null;
}

const p50 = ({ p50_ms }: Round): number | null => p50_ms;
const cpu = ({ cpu_ms }: Round): number | null => cpu_ms;

const figures: readonly Figure[] = [
  { name: 'p50_ms', of: p50, ofControl: p50 },
  { name: 'p99_ms', of: ({ p99_ms }) => p99_ms, ofControl: p50 },
  { name: 'cpu_ms', of: cpu, ofControl: cpu },
];
/** Of a closed loop, where the clients wait for their answers; the rate of an open one is given. */
const timePerCall: Figure = { name: 'ms_per_call', of: ({ per_s }) => (per_s > 0 ? 1000 / per_s : null), ofControl: p50 };

/** Fewer rounds tell nothing about how much they differ. */
const leastRounds = 5;
/** A tail of fewer calls is their slowest one. */
const leastCallsOfTail = 100;

export function compareWithBaseline(result: BenchResult, baseline: SideResult): Comparison {
  const pairs = result.target.rounds.flatMap((round, i) => {
    const other = baseline.rounds[i];
    return other ? [[round, other] as const] : [];
  });
  const compared = figuresOf(result, pairs.flat()).flatMap((figure) => {
    const both = pairs.map(([round, other]) => [figure.of(other), figure.of(round)]).filter(isPair);
    if (both.length < leastRounds) return [];
    return [{ figure, before: both.map(([before]) => before), after: both.map(([, after]) => after) }];
  });
  return {
    with: baseline.name,
    how: 'in turns',
    machine_change: 0,
    figures: compared.map(({ figure, before, after }) =>
      described(figure, before, after, compareInTurns(before, after, compared.length)),
    ),
  };
}

/** @param before a result of the same kind and load */
export function compareWithEarlier(result: BenchResult, before: BenchResult, file: string): Comparison {
  const sides = ({ target, control }: BenchResult, figure: Figure): Sides => ({
    target: seriesOf(target.rounds, figure.of),
    control: seriesOf(control.rounds, figure.ofControl),
  });
  const compared = figuresOf(result, [...before.target.rounds, ...result.target.rounds])
    .map((figure) => ({ figure, earlier: sides(before, figure), now: sides(result, figure) }))
    .filter(({ earlier, now }) =>
      [earlier, now].every(({ target, control }) => Math.min(target.length, control.length) >= leastRounds),
    );
  const [some] = compared;
  return {
    with: file,
    how: 'apart',
    machine_change: some ? median(some.now.control) / median(some.earlier.control) - 1 : 0,
    figures: compared.map(({ figure, earlier, now }) =>
      described(figure, earlier.target, now.target, compareApart(earlier, now, compared.length)),
    ),
  };
}

function figuresOf({ load }: BenchResult, rounds: readonly Round[]): Figure[] {
  const hasTail = Math.min(...rounds.map(({ calls }) => calls)) >= leastCallsOfTail;
  const known = figures.filter(({ name }) => name !== 'p99_ms' || hasTail);
  return load.loop === 'closed' ? [...known, timePerCall] : known;
}

function seriesOf(rounds: readonly Round[], of: Figure['of']): number[] {
  return rounds.map(of).filter(isPositive);
}

function described({ name }: Figure, before: readonly number[], after: readonly number[], change: Change): ComparedFigure {
  return { name, before: median(before), after: median(after), ...change };
}

function isPair(pair: readonly (number | null)[]): pair is [number, number] {
  return pair.every(isPositive);
}

/** Of what is nothing there is no ratio: CPU time below a tick of the clock. */
function isPositive(value: number | null): value is number {
  return value !== null && value > 0;
}
