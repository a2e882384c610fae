/** A closed loop: so many clients, each asking again as soon as it has its answer. */
import { quantile } from '../src/load/ranks.ts';
import { machine, smoke } from './measure.ts';

export interface Loop {
  readonly name: string;
  /** One request, of the client of this number from 0; its time is a sample. */
  readonly call: (client: number) => Promise<unknown>;
  readonly clients: number;
}

export interface Figures {
  readonly name: string;
  readonly perSecond: number;
  /** ms */
  readonly p50: number;
  readonly p99: number;
}

/** What each loop runs for in a round; rounds go in turn, so that what else the machine does meets all of them alike. */
const roundMs = smoke ? 150 : 2000;
const rounds = smoke ? 1 : 5;

/** The median of several rounds, each loop's turn after the other's; a first round does not count. */
export async function runLoops(loops: readonly Loop[]): Promise<Figures[]> {
  const taken = loops.map(() => [] as Omit<Figures, 'name'>[]);
  for (let round = -1; round < rounds; round++)
    for (const [index, loop] of loops.entries()) {
      const figures = await runLoop(loop);
      if (round >= 0) taken[index]?.push(figures);
    }
  return loops.map(({ name }, index) => {
    const middle = (field: 'perSecond' | 'p50' | 'p99'): number =>
      quantile(
        (taken[index] ?? []).map((figures) => figures[field]),
        0.5,
      );
    return { name, perSecond: middle('perSecond'), p50: middle('p50'), p99: middle('p99') };
  });
}

async function runLoop({ call, clients }: Loop): Promise<Omit<Figures, 'name'>> {
  const samples: number[] = [];
  const startedAt = performance.now();
  const client = async (number: number): Promise<void> => {
    while (performance.now() - startedAt < roundMs) {
      const askedAt = performance.now();
      await call(number);
      samples.push(performance.now() - askedAt);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
  const seconds = (performance.now() - startedAt) / 1000;
  return { perSecond: samples.length / seconds, p50: quantile(samples, 0.5), p99: quantile(samples, 0.99) };
}

/** @param baseline name of the row whose requests a second the others are compared with */
export function reportLoops(question: string, baseline: string, figures: readonly Figures[]): void {
  const base = figures.find(({ name }) => name === baseline)?.perSecond ?? Number.NaN;
  console.log(`\n${question}`);
  console.log(machine());
  console.log(`${''.padEnd(44)}${['a second', 'p50 ms', 'p99 ms', 'ratio'].map((head) => head.padStart(10)).join('')}`);
  for (const { name, perSecond, p50, p99 } of figures) {
    const cells = [perSecond.toFixed(0), p50.toFixed(2), p99.toFixed(2), (perSecond / base).toFixed(2)];
    console.log(`${name.padEnd(44)}${cells.map((cell) => cell.padStart(10)).join('')}`);
  }
  console.log(`ratio: of requests a second, to ${baseline}; medians of ${rounds} rounds of ${roundMs} ms each`);
}
