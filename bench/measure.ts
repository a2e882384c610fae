/**
 * Measuring for ratios: the things compared run in turn within one run, so that what else the machine does meets all of
 * them alike, and medians are compared. Absolute times are for orientation only.
 */
import { spawnSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { quantile } from '../src/load/ranks.ts';

export interface Row {
  readonly name: string;
  /** Milliseconds a sample, in the order taken. */
  readonly samples: readonly number[];
  /** The ratio to the baseline that it is to reach. */
  readonly aim?: number;
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
  readonly aim?: number;
}

/** `--smoke`: few samples, to see that a benchmark runs. */
export const smoke = process.argv.includes('--smoke');

/** Wall time of each command as a whole process, `runs` times in turn after one that does not count. */
export function timeCommands(commands: readonly Command[], runs: number): Row[] {
  return inTurn(commands, runs, ({ name, argv: [file, ...args], env, cwd }) => {
    const started = process.hrtime.bigint();
    const { status, error, stderr } = spawnSync(file, args, {
      env: env ?? process.env,
      cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ms = Number(process.hrtime.bigint() - started) / 1e6;
    if (error || status !== 0) throw new Error(`${name} failed: ${error?.message ?? stderr}`);
    return ms;
  });
}

/** CPU of each command with all that it waited for, user and system, as bash measures it (getrusage(2)), in turn as above. */
export function cpuOfCommands(commands: readonly Command[], runs: number): Row[] {
  const script = `TIMEFORMAT='%3U %3S'; time "$@" >/dev/null 2>&1`;
  return inTurn(commands, runs, ({ name, argv, env, cwd }) => {
    const { status, error, stderr } = spawnSync('bash', ['-c', script, 'bash', ...argv], {
      env: env ?? process.env,
      cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    });
    if (error || status !== 0) throw new Error(`${name} failed: ${error?.message ?? `exit code ${status}`}`);
    return stderr
      .trim()
      .split(' ')
      .reduce((sum, seconds) => sum + Number(seconds.replace(',', '.')) * 1000, 0);
  });
}

function inTurn(commands: readonly Command[], runs: number, measure: (command: Command) => number): Row[] {
  const rows = commands.map(({ name, aim }) => ({ name, samples: [] as number[], ...(aim !== undefined && { aim }) }));
  for (let run = -1; run < (smoke ? 2 : runs); run++) {
    for (const [index, command] of commands.entries()) {
      const ms = measure(command);
      if (run >= 0) rows[index]?.samples.push(ms);
    }
  }
  return rows;
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

/** What runs where, for whoever reads figures. */
export function machine(): string {
  return `node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'cpu'}, load ${loadavg()[0]?.toFixed(1)}`;
}

export function report({ question, baseline, rows, overhead }: Comparison): void {
  const taken = overhead === undefined ? 0 : median(rows, overhead);
  const against = rows.find((row) => row.name === baseline)?.samples ?? [];
  const base = quantile(against, 0.5) - taken;
  const hasAims = rows.some(({ aim }) => aim !== undefined);
  console.log(`\n${question}`);
  console.log(machine());
  const heads = ['min', 'median', 'p90', 'spread', 'ratio', 'quartiles', ...(hasAims ? ['aim'] : [])];
  console.log(`${'ms'.padEnd(34)}${heads.map((head, index) => head.padStart(widths[index] ?? 0)).join('')}`);
  for (const { name, samples, aim } of rows) {
    const [low, middle, high] = [0.1, 0.5, 0.9].map((q) => quantile(samples, q)) as [number, number, number];
    const ratio = name === overhead ? Number.NaN : (middle - taken) / base;
    const cells = [
      Math.min(...samples).toFixed(2),
      middle.toFixed(2),
      high.toFixed(2),
      `${Math.round(((high - low) / middle) * 100)}%`,
      ...(Number.isNaN(ratio) ? ['', ''] : [ratio.toFixed(2), quartiles(samples, against, taken)]),
      ...(aim === undefined ? [] : [`${aim}${ratio <= aim ? '' : ' missed'}`]),
    ];
    console.log(`${name.padEnd(34)}${cells.map((cell, index) => cell.padStart(widths[index] ?? 0)).join('')}`);
  }
  console.log(
    `ratio: to ${baseline}${overhead === undefined ? '' : `, less the ${taken.toFixed(1)} ms of '${overhead}'`}; ${rows[0]?.samples.length} samples each`,
  );
}

/** Of the columns of a report. */
const widths = [9, 9, 9, 9, 9, 13, 12];

/** Of the ratios within each round, which is where neighbours disturb both. */
function quartiles(samples: readonly number[], against: readonly number[], taken: number): string {
  const ratios = samples.map((ms, round) => (ms - taken) / ((against[round] ?? Number.NaN) - taken));
  return [0.25, 0.75].map((q) => quantile(ratios, q).toFixed(2)).join('–');
}

function median(rows: readonly Row[], name: string): number {
  return quantile(rows.find((row) => row.name === name)?.samples ?? [], 0.5);
}
