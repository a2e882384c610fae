/** A result of `prisn bench` in words, tables and a chart. */
import { chart, formatMs } from '../load/chart.ts';
import type { Bar, LatencySummary } from '../load/latencies.ts';
import type { ComparedFigure, Comparison } from './bench-compare.ts';
import { type BenchResult, describeLoad, type SideResult } from './bench-result.ts';
import { table } from './table.ts';

const barCount = 12;
const mostColumns = 100;
/** From here on the generator's own work is part of what is measured. */
const busyCores = 0.8;
const lateMs = 5;
/** Of the control, from one measurement to the other. */
const restlessChange = 0.05;

export const reportedBars = barCount;

/**
 * @param bars of the target's calls
 * @param complaints what the first call that failed said, of the target and of the baseline
 * @param columns of the terminal
 */
export function reportText(result: BenchResult, bars: readonly Bar[], complaints: readonly string[], columns: number): string {
  const { target, baseline, control } = result;
  const sides = [target, ...(baseline ? [baseline] : [])];
  const parts = [
    headline(result),
    table([['', 'CALLS', 'A SECOND', 'MEAN', 'P50', 'P90', 'P95', 'P99', 'P99.9', 'MAX'], ...sides.map(latencyRow)]),
    ...sides.map((side, index) => failuresText(side, complaints[index] ?? '')),
    phasesText(target.phases_ms),
    bars.length === 0 ? '' : `${chart(bars, Math.min(columns, mostColumns)).join('\n')}\n`,
    `${usageText(result)}beside it, ${control.name}: p50 ${format(control.latency_ms?.p50)}\n`,
    ...warnings(result),
    ...result.comparisons.map(comparisonText),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function headline({ kind, by, load, elapsed_ms, target, interrupted }: BenchResult): string {
  const end = interrupted ? ', interrupted' : '';
  return `${kind} ${target.name} ${by}, ${describeLoad(load)}, ${(elapsed_ms / 1000).toFixed(1)} s${end}\n`;
}

function latencyRow({ name, calls, per_s, latency_ms: ms }: SideResult): string[] {
  const times = [ms?.mean, ms?.p50, ms?.p90, ms?.p95, ms?.p99, ms?.p99_9, ms?.max].map(format);
  return [name, String(calls), rateText(per_s), ...times];
}

function failuresText({ name, calls, failed, failures }: SideResult, complaint: string): string {
  if (failed === 0) return '';
  const kinds = Object.entries(failures).map(([kind, count]) => `${count} × ${kind}`);
  const first = complaint === '' ? '' : `the first of them said:\n${indented(complaint)}`;
  return `${failed} of ${calls + failed} failed (${name}): ${kinds.join(', ')}\n${first}`;
}

function phasesText(phases: Readonly<Record<string, LatencySummary>>): string {
  const rows = Object.entries(phases).map(([name, { mean, p50, p99 }]) => [name, format(mean), format(p50), format(p99)]);
  return rows.length === 0 ? '' : table([['WHERE THE TIME WENT', 'MEAN', 'P50', 'P99'], ...rows]);
}

function usageText({ target, memory, generator }: BenchResult): string {
  const { cpu_ms } = target;
  // A rate is of calls that succeed, and CPU is had by all.
  const perSecond = (target.per_s * (target.calls + target.failed)) / target.calls;
  const cores = target.calls === 0 ? '' : `, ${(((cpu_ms ?? 0) * perSecond) / 1000).toFixed(2)} cores`;
  const cpu = cpu_ms === null ? [] : [`CPU ${format(cpu_ms)} a call${cores}`];
  const counted = memory?.shared ? 'PSS' : 'RSS, shared pages counted more than once';
  const used = memory
    ? [
        `memory ${(memory.bytes / 2 ** 20).toFixed(0)} MB in ${memory.processes} ${memory.processes === 1 ? 'process' : 'processes'} (${counted})`,
      ]
    : ([] as string[]);
  const parts = [...cpu, ...used, `the generator ${generator.cores.toFixed(2)} cores`];
  return `${parts.join('; ')}\n`;
}

/** What makes the figures worth less. */
function warnings({ generator, load }: BenchResult): string[] {
  const { cores, late_p99_ms = 0, unsent = 0 } = generator;
  const texts: string[] = [];
  if (cores > busyCores)
    texts.push(`the generator took ${cores.toFixed(2)} cores and is the bottleneck: what is measured can do more than this`);
  if (late_p99_ms > lateMs)
    texts.push(
      `1 of 100 was sent ${formatMs(late_p99_ms)} late or more, as something else had the processor then; these count from when they were due`,
    );
  if (unsent > 0 && load.loop === 'open')
    texts.push(
      `${unsent} were due and could not be sent, with ${load.concurrency} under way: it does not keep up with ${load.rate_per_s} a second`,
    );
  return texts.map((text) => `note: ${text}\n`);
}

function comparisonText({ with: other, how, machine_change, figures }: Comparison): string {
  const rows = figures.map((figure) => {
    const { name, before, after, change, low, high } = figure;
    return [
      figureNames[name] ?? name,
      format(before),
      format(after),
      percent(change),
      `${bound(low)} … ${bound(high)}`,
      wordsOf(figure),
    ];
  });
  const drift = how === 'in turns' ? '' : `; the machine itself: ${percent(machine_change)}`;
  const head = `compared with ${other}, ${how === 'in turns' ? 'in turns' : 'measured earlier'}${drift}\n`;
  if (rows.length === 0) return `${head}too few rounds to tell anything: measure longer\n`;
  const isUnclear = figures.some(({ verdict }) => verdict === 'cannot tell') && Math.abs(machine_change) > restlessChange;
  const advice = isUnclear ? 'the machine has changed too much in between: --baseline measures both in turns\n' : '';
  return head + advice + table([['', 'THERE', 'HERE', 'CHANGE', '95 % INTERVAL', ''], ...rows]) + ofColumns;
}

/** What the interval is around, which the rank tests give; a ratio of two medians has none. */
const ofColumns =
  'THERE and HERE are medians of rounds; CHANGE is estimated from all rounds (Hodges-Lehmann), so it is not quite their ratio\n';

const figureNames: Readonly<Record<string, string>> = {
  p50_ms: 'p50',
  p99_ms: 'p99',
  cpu_ms: 'CPU a call',
  ms_per_call: 'time a call',
};

function wordsOf({ verdict, name }: ComparedFigure): string {
  if (verdict === 'cannot tell') return 'no difference that this machine can tell';
  if (name === 'cpu_ms') return verdict;
  return verdict === 'less' ? 'faster' : 'slower';
}

function percent(change: number): string {
  const sign = change > 0 ? '+' : '';
  return `${sign}${(change * 100).toFixed(Math.abs(change) < 0.1 ? 1 : 0)} %`;
}

function bound(change: number | null): string {
  return change === null ? '?' : percent(change);
}

function rateText(perSecond: number): string {
  return perSecond.toFixed(perSecond < 10 ? 2 : perSecond < 100 ? 1 : 0);
}

function format(ms: number | undefined): string {
  return ms === undefined ? '-' : formatMs(ms);
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}\n`)
    .join('');
}
