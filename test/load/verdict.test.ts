/**
 * Lets simulated machines judge things that are alike, and things that are not. A machine changes in its own way, from round to round
 * and between two measurements; what is measured follows it as the control does or more, and has noise of its own.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Change, compareApart, compareInTurns } from '../../src/load/verdict.ts';
import { rounds as trials } from '../full.ts';
import { Random } from './random.ts';

/** What is added to the logarithm of a time, at a time in seconds that only grows. */
type Process = (atS: number) => number;
type Maker = (random: Random) => Process;

const rounds = 20;
const roundS = 0.5;
/** Figures of a comparison. */
const figures = 4;

/** Reverts to its mean within `memoryS`. */
function reverting(deviation: number, memoryS: number): Maker {
  return (random) => {
    let [value, last] = [deviation * random.normal(), 0];
    return (atS) => {
      const kept = Math.exp((last - atS) / memoryS);
      value = kept * value + deviation * Math.sqrt(1 - kept * kept) * random.normal();
      last = atS;
      return value;
    };
  };
}

const machines: Readonly<Record<string, Maker>> = {
  'that is still': () => () => 0,
  'that drifts within a measurement': reverting(0.1, 5),
  'that drifts between measurements': reverting(0.2, 300),
  'that wanders off': (random) => {
    let [value, last] = [0, 0];
    return (atS) => {
      value += 0.02 * Math.sqrt(atS - last) * random.normal();
      last = atS;
      return value;
    };
  },
  'with a neighbour that comes and goes': (random) => {
    let [isThere, last] = [random.uniform() < 0.5, 0];
    return (atS) => {
      if (random.uniform() > Math.exp((last - atS) / 20)) isThere = !isThere;
      last = atS;
      return isThere ? 0.3 : 0;
    };
  },
  'that breathes': (random) => {
    const phase = random.uniform();
    return (atS) => 0.15 * Math.sin(2 * Math.PI * (atS / 40 + phase));
  },
  'that gets slower all the time': (random) => {
    const slope = (random.uniform() - 0.5) * 0.004;
    return (atS) => slope * atS;
  },
};

const noises: Readonly<Record<string, Maker>> = {
  independent: (random) => () => 0.05 * random.normal(),
  'that lasts some rounds': reverting(0.05, 2),
  'of rare, long delays': (random) => () => 0.03 * random.normal() + (random.uniform() < 0.1 ? random.uniform() : 0),
};

interface Trial {
  readonly random: Random;
  readonly machine: Process;
  /** How much more than the control the target follows the machine. */
  readonly share: number;
  readonly noise: Maker;
  readonly effect: number;
}

/** The figures of one comparison have a part of their noise in common. @returns the noise of each */
function noisesOf(noise: Maker, random: Random): (atS: number) => number[] {
  const common = noise(random);
  const own = random.many(figures, () => noise(random));
  return (atS) => {
    const shared = 0.8 * common(atS);
    return own.map((process) => shared + 0.6 * process(atS));
  };
}

function measureApart({ random, machine, share, noise, effect }: Trial): Change[] {
  const measure = (fromS: number, by: number) => {
    const own = noisesOf(noise, random);
    const control: number[] = [];
    const targets = Array.from({ length: figures }, () => [] as number[]);
    for (let round = 0; round < rounds; round++) {
      const atS = fromS + round * roundS;
      const state = share * machine(atS) + by;
      for (const [figure, value] of own(atS - fromS).entries()) targets[figure]?.push(10 * Math.exp(state + value));
      control.push(Math.exp(machine(atS + 0.9 * roundS) + 0.04 * random.normal()));
    }
    return targets.map((target) => ({ target, control }));
  };
  const before = measure(0, 0);
  const after = measure(rounds * roundS + 60, effect);
  return before.flatMap((sides, figure) => {
    const now = after[figure];
    return now ? [compareApart(sides, now, figures)] : [];
  });
}

function measureInTurns({ random, machine, share, noise, effect }: Trial): Change[] {
  const noises = [noisesOf(noise, random), noisesOf(noise, random)] as const;
  const [baseline, target] = [0, 1].map(() => Array.from({ length: figures }, () => [] as number[])) as [number[][], number[][]];
  for (let round = 0; round < rounds; round++) {
    const atS = round * 2 * roundS;
    const turns = [machine(atS), machine(atS + roundS)] as const;
    const isFirst = round % 2 === 0;
    for (const [figure, value] of noises[0](atS).entries())
      baseline[figure]?.push(10 * Math.exp(share * turns[isFirst ? 1 : 0] + value));
    for (const [figure, value] of noises[1](atS).entries())
      target[figure]?.push(10 * Math.exp(share * turns[isFirst ? 0 : 1] + value + effect));
  }
  return baseline.map((series, figure) => compareInTurns(series, target[figure] ?? [], figures));
}

type Simulation = Omit<Trial, 'random' | 'machine'> & { readonly machine: Maker };

/** @returns how many comparisons had such a verdict on any of their figures */
function count(
  measure: (trial: Trial) => Change[],
  verdicts: readonly Change['verdict'][],
  runs: number,
  simulation: Simulation,
): number {
  const random = new Random(7);
  let found = 0;
  for (let run = 0; run < runs; run++) {
    const changes = measure({ ...simulation, random, machine: simulation.machine(random) });
    if (changes.some(({ verdict }) => verdicts.includes(verdict))) found++;
  }
  return found;
}

describe('of a thing and itself, at most 5 in 100 verdicts are false', () => {
  const runs = trials(100, 1000);
  for (const [how, measure] of [
    ['apart', measureApart],
    ['in turns', measureInTurns],
  ] as const)
    for (const [where, machine] of Object.entries(machines))
      for (const [kind, noise] of Object.entries(noises))
        test(`${how}, on a machine ${where}, with noise ${kind}`, () => {
          for (const share of [1, 1.5]) {
            const wrong = count(measure, ['less', 'more'], runs, { machine, noise, share, effect: 0 });
            assert.ok(wrong <= 0.05 * runs, `${wrong} of ${runs}, where the target follows the machine ${share} ×`);
          }
        });
});

describe('of what differs', () => {
  const runs = 100;
  const still = machines['that is still'] as Maker;
  const drifting = machines['that drifts between measurements'] as Maker;
  const independent = noises['independent'] as Maker;

  test('a quarter is seen apart, on a machine that is still', () => {
    const found = count(measureApart, ['less'], runs, { machine: still, noise: independent, share: 1, effect: Math.log(0.75) });
    assert.ok(found >= 95, `${found} of ${runs}`);
  });

  test('an eighth is seen in turns, on a machine that drifts', () => {
    const found = count(measureInTurns, ['more'], runs, {
      machine: drifting,
      noise: independent,
      share: 1,
      effect: Math.log(1.125),
    });
    assert.ok(found >= 90, `${found} of ${runs}`);
  });
});

test('a change is told with its interval, as a share of what was before', () => {
  const before = { target: [100, 101, 99, 100, 102, 98], control: [1, 1, 1, 1, 1, 1] };
  const after = { target: [50, 50.5, 49.5, 50, 51, 49], control: [1, 1, 1, 1, 1, 1] };
  const { change, low, high, verdict } = compareApart(before, after, 1);
  assert.equal(verdict, 'less');
  assert.ok(Math.abs(change + 0.5) < 0.01 && low !== null && high !== null && low < change && change < high);
});

test('what the control shows as well is no change of the target', () => {
  const before = { target: [10, 10.1, 9.9, 10, 10.2, 9.8], control: [1, 1, 1, 1, 1, 1] };
  const after = { target: before.target.map((ms) => ms * 1.5), control: [1.5, 1.5, 1.5, 1.5, 1.5, 1.5] };
  assert.equal(compareApart(before, after, 1).verdict, 'cannot tell');
  assert.equal(compareApart(before, { ...after, control: before.control }, 1).verdict, 'more');
});
