/**
 * Measuring for ratios: the things compared run in turn within one run, so that what else the machine does meets all of
 * them alike, and medians are compared. Absolute times are for orientation only.
 */
import { spawnSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { quantile } from '../src/load/ranks.ts';

export { quantile };

export interface Row {
  readonly name: string;
  /** Milliseconds a sample, in the order taken. */
  readonly samples: readonly number[];
}

export interface Comparison {
  readonly question: string;
  /** Name of the row that the others are compared with. */
  readonly baseline: string;
  readonly rows: readonly Row[];
  /** Row whose median is part of every sample (starting any process, say) and is taken off before ratios are made. */
  readonly overhead?: string;
}

export interface Command {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** `--smoke`: few samples, to see that a benchmark runs. */
export const smoke = process.argv.includes('--smoke');

/** Wall time of each command as a whole process, `runs` times in turn after one that does not count. */
export function timeCommands(commands: readonly Command[], runs: number): Row[] {
  const rows = commands.map(({ name }) => ({ name, samples: [] as number[] }));
  for (let run = -1; run < (smoke ? 2 : runs); run++) {
    for (const [index, command] of commands.entries()) {
      const ms = timeCommand(command);
      if (run >= 0) rows[index]?.samples.push(ms);
    }
  }
  return rows;
}

function timeCommand({ name, argv: [file, ...args], env, cwd }: Command): number {
  const started = process.hrtime.bigint();
  const { status, error, stderr } = spawnSync(file, args, { env: env ?? process.env, cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  const ms = Number(process.hrtime.bigint() - started) / 1e6;
  if (error || status !== 0) throw new Error(`${name} failed: ${error?.message ?? stderr}`);
  return ms;
}

/** The same for calls in this process; each call is one sample. */
export async function timeCalls(calls: Readonly<Record<string, () => unknown>>, runs: number): Promise<Row[]> {
  const rows = Object.keys(calls).map((name) => ({ name, samples: [] as number[] }));
  for (let run = -5; run < (smoke ? 5 : runs); run++) {
    for (const [index, call] of Object.values(calls).entries()) {
      const started = process.hrtime.bigint();
      await call();
      if (run >= 0) rows[index]?.samples.push(Number(process.hrtime.bigint() - started) / 1e6);
    }
  }
  return rows;
}

export function report({ question, baseline, rows, overhead }: Comparison): void {
  const taken = overhead === undefined ? 0 : median(rows, overhead);
  const base = median(rows, baseline) - taken;
  console.log(`\n${question}`);
  console.log(`node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'cpu'}, load ${loadavg()[0]?.toFixed(1)}`);
  console.log(`${'ms'.padEnd(34)}${['min', 'median', 'p90', 'spread', 'ratio'].map((head) => head.padStart(9)).join('')}`);
  for (const { name, samples } of rows) {
    const [low, middle, high] = [0.1, 0.5, 0.9].map((q) => quantile(samples, q)) as [number, number, number];
    const ratio = name === overhead ? '' : ((middle - taken) / base).toFixed(2);
    const cells = [
      Math.min(...samples).toFixed(2),
      middle.toFixed(2),
      high.toFixed(2),
      `${Math.round(((high - low) / middle) * 100)}%`,
      ratio,
    ];
    console.log(`${name.padEnd(34)}${cells.map((cell) => cell.padStart(9)).join('')}`);
  }
  console.log(
    `ratio: to ${baseline}${overhead === undefined ? '' : `, less the ${taken.toFixed(1)} ms of '${overhead}'`}; ${rows[0]?.samples.length} samples each`,
  );
}

function median(rows: readonly Row[], name: string): number {
  return quantile(rows.find((row) => row.name === name)?.samples ?? [], 0.5);
}
