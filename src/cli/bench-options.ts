/** What the commands of `prisn bench` have in common: how hard and how long, and what it is compared with. */
import { type Command, Option } from './command.ts';
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { PrisnError } from '../base/error.ts';
import { parseDuration } from '../base/units.ts';
import type { Plan } from '../load/measurement.ts';
import { wholeNumber } from './remote.ts';

export interface BenchOptions {
  readonly concurrency?: string;
  readonly rate?: string;
  readonly warmUp?: string;
  readonly duration?: string;
  readonly requests?: string;
  readonly baseline?: string;
  readonly compare?: string;
  readonly save?: string;
  readonly output: 'table' | 'json';
}

/** What differs between the commands. */
export interface BenchDefaults {
  /** What one call is, in the plural. */
  readonly calls: string;
  readonly baseline: readonly [value: string, help: string];
  readonly warmUp: string;
  readonly duration: string;
  readonly leastRounds: number;
}

const mostAtOnce = 10_000;
/** Of an open loop, unless it is said. */
const openAtOnce = 256;

export function withBenchOptions(command: Command, { calls, baseline, warmUp, duration }: BenchDefaults): Command {
  return command
    .option('-c, --concurrency <n>', `so many at once, each again as soon as it has ended (default: 1); with --rate the most`)
    .option('--rate <n>', `so many a second, whether or not those before have ended`)
    .option('--warm-up <duration>', `before it counts (default: ${warmUp}; 0 for none)`)
    .addOption(
      new Option('--duration <duration>', `how long it is measured (default: ${duration}); warm-up and control come on top`),
    )
    .addOption(new Option('--requests <n>', `so many ${calls} in the place of a duration`).conflicts('duration'))
    .option(`--baseline ${baseline[0]}`, `${baseline[1]}, measured in turns and compared`)
    .option('--compare <file>', 'compare with what --save or -o json kept earlier')
    .option('--save <file>', 'keep the result for --compare')
    .addOption(new Option('-o, --output <format>', 'how it is printed').choices(['table', 'json']).default('table'));
}

/** @throws PrisnError `usage` */
export function planOf(options: BenchOptions, defaults: BenchDefaults): Plan {
  const { concurrency, rate, warmUp = defaults.warmUp, duration = defaults.duration, requests } = options;
  const atOnce = concurrency === undefined ? undefined : wholeNumber('--concurrency', 1, mostAtOnce)(concurrency);
  if (options.save !== undefined) checkWritable(options.save);
  return {
    load: rate === undefined ? { clients: atOnce ?? 1 } : { perSecond: rateOf(rate), atMost: atOnce ?? openAtOnce },
    warmUpMs: /^0(?:ms|s)?$/.test(warmUp) ? 0 : parseDuration(warmUp, '--warm-up'),
    length:
      requests === undefined
        ? { durationMs: parseDuration(duration, '--duration') }
        : { calls: wholeNumber('--requests', 1, 1e9 - 1)(requests) },
    leastRounds: defaults.leastRounds,
  };
}

function rateOf(text: string): number {
  const rate = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (rate > 0) return rate;
  throw new PrisnError('usage', `--rate: '${text}' is not a number a second from 0.001 to 999999, such as 200 or 0.5`);
}

/** Before minutes are spent on what could not be kept. */
function checkWritable(file: string): void {
  const folder = dirname(resolve(file));
  if (!existsSync(folder)) throw new PrisnError('usage', `--save: there is no folder ${folder}; make it first`);
}
