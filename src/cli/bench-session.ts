/** One `prisn bench` from its options to its result: measures, shows how far it is, ends at Ctrl-C with what there is. */
import { writeFileSync } from 'node:fs';
import { messageOf } from '../base/error.ts';
import { exitCodeOfSignal, exitCodes } from '../base/exit-codes.ts';
import { isTerminal } from '../base/terminal.ts';
import { formatMs } from '../load/chart.ts';
import { Measurement, type Subject } from '../load/measurement.ts';
import { compareWithBaseline, compareWithEarlier, type Comparison } from './bench-compare.ts';
import { type BenchDefaults, type BenchOptions, planOf } from './bench-options.ts';
import { reportedBars, reportText } from './bench-report.ts';
import { type BenchResult, type BenchTarget, loadOf, type Names, readResult, resultOf } from './bench-result.ts';
import { structured, write } from './output.ts';
import { say } from './say.ts';

interface Side extends Subject {
  readonly name: string;
  /** What the first call that failed said. */
  readonly complaint: () => string;
}

/** What is measured, ready to be called. */
export interface Bench {
  readonly target: BenchTarget & Side;
  readonly baseline?: Side | undefined;
  readonly control: Subject & { readonly name: string };
  /** Finds out whether there is anything to measure. @throws PrisnError */
  readonly prepare?: () => Promise<void>;
  /** Looks at what can be seen only afterwards. Not after an interruption. */
  readonly finish?: (measurement: Measurement) => Promise<void>;
  /** Ends what is under way; a second time too. */
  readonly close: () => Promise<void>;
}

/**
 * @param open makes what is measured, once the options are known to be right
 * @returns the exit code
 */
export async function runBench(
  kind: BenchTarget['kind'],
  options: BenchOptions,
  defaults: BenchDefaults,
  open: () => Promise<Bench>,
): Promise<number> {
  const plan = planOf(options, defaults);
  const before = options.compare === undefined ? undefined : readResult(options.compare, { kind, load: loadOf(plan) });
  const bench = await open();
  const interruption = new Interruption(bench.close);
  try {
    await bench.prepare?.();
    const measurement = new Measurement(bench, plan, interruption.signal);
    const startedAt = new Date();
    const progress = showProgress(measurement, bench.target.name);
    await measurement.run().finally(progress);
    if (interruption.signal.aborted && !measurement.hasBegun) {
      say(`interrupted ${measurement.isWarm ? '' : 'in the warm-up, '}before anything was measured`);
      return exitCodeOfSignal(interruption.number);
    }
    if (!interruption.signal.aborted) await bench.finish?.(measurement);
    const names: Names = { target: bench.target, baseline: bench.baseline?.name, control: bench.control.name };
    const measured = resultOf(names, plan, measurement, startedAt, interruption.signal.aborted);
    const result = { ...measured, comparisons: comparisonsOf(measured, before, options.compare) };
    const complaints = [bench.target, bench.baseline].map((side) => side?.complaint() ?? '');
    const isSaved = await print(result, measurement, complaints, options);
    if (interruption.signal.aborted) return exitCodeOfSignal(interruption.number);
    return result.target.calls === 0 || !isSaved ? exitCodes.failure : 0;
  } finally {
    interruption.dispose();
    await bench.close();
  }
}

function comparisonsOf(result: BenchResult, before: BenchResult | undefined, file = ''): Comparison[] {
  return [
    ...(result.baseline ? [compareWithBaseline(result, result.baseline)] : []),
    ...(before ? [compareWithEarlier(result, before, file)] : []),
  ];
}

/** @returns whether it is kept where that was asked for */
async function print(
  result: BenchResult,
  measurement: Measurement,
  complaints: readonly string[],
  { save, output }: BenchOptions,
): Promise<boolean> {
  const json = await structured(result, 'json');
  const isSaved = save === undefined || saved(save, json);
  if (output === 'json') await write(json);
  else {
    const columns = (isTerminal(1) && process.stdout.columns) || 100;
    await write(reportText(result, measurement.target.latencies.bars(reportedBars), complaints, columns));
  }
  return isSaved;
}

/** What was measured is shown all the same. */
function saved(file: string, text: string): boolean {
  try {
    writeFileSync(file, text);
    return true;
  } catch (error) {
    say(`--save: ${file} cannot be written: ${messageOf(error)}`);
    return false;
  }
}

/** SIGINT or SIGTERM: the first ends the measurement, another one the process. */
class Interruption {
  readonly #abort = new AbortController();
  readonly #close: () => Promise<void>;
  number = 0;

  constructor(close: () => Promise<void>) {
    this.#close = close;
    process.on('SIGINT', this.#interrupt).on('SIGTERM', this.#interrupt);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  dispose(): void {
    process.off('SIGINT', this.#interrupt).off('SIGTERM', this.#interrupt);
  }

  readonly #interrupt = (_: string, number: number): void => {
    if (this.#abort.signal.aborted) process.exit(exitCodeOfSignal(number));
    this.number = number;
    this.#abort.abort();
    void this.#close();
  };
}

const progressMs = 250;

/** A line on a terminal that is written over. @returns takes it away */
function showProgress(measurement: Measurement, name: string): () => void {
  if (!isTerminal(2)) return () => {};
  const timer = setInterval(() => process.stderr.write(`\r\x1b[K${progressLine(measurement, name)}`), progressMs);
  return () => {
    clearInterval(timer);
    process.stderr.write('\r\x1b[K');
  };
}

function progressLine({ isWarm, elapsedMs, totalMs, target }: Measurement, name: string): string {
  const seconds = `${(elapsedMs / 1000).toFixed(1)} of about ${(totalMs / 1000).toFixed(1)} s`;
  if (!isWarm) return `${name}: warm-up, ${seconds}`;
  const [p50, p99] = [50, 99].map((percent) => formatMs(target.latencies.percentile(percent)));
  const rate = target.busyMs === 0 ? '' : `, ${((target.calls / target.busyMs) * 1000).toFixed(0)} a second`;
  const failed = target.failed === 0 ? '' : `, ${target.failed} failed`;
  return `${name}: ${seconds}${rate}, p50 ${p50}, p99 ${p99}${failed}`.slice(0, (process.stderr.columns || 80) - 1);
}
