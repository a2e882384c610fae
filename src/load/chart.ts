/** A histogram of plain characters. */
import type { Bar } from './latencies.ts';

/** @returns lines: the bars from the fastest calls down, each with its range, its length and its count */
export function chart(bars: readonly Bar[], columns: number): string[] {
  const ranges = bars.map(({ fromMs, toMs }) => `${formatMs(fromMs)} … ${formatMs(toMs)}`);
  const [rangeWidth, countWidth] = [
    Math.max(...ranges.map(({ length }) => length)),
    widest(bars.map(({ calls }) => String(calls))),
  ];
  const room = Math.max(10, columns - rangeWidth - countWidth - 6);
  const most = Math.max(...bars.map(({ calls }) => calls));
  return bars.map(({ calls }, i) => {
    const length = calls === 0 ? 0 : Math.max(1, Math.round((calls / most) * room));
    return `  ${(ranges[i] ?? '').padStart(rangeWidth)}  ${String(calls).padStart(countWidth)}  ${'#'.repeat(length)}`.trimEnd();
  });
}

function widest(cells: readonly string[]): number {
  return Math.max(...cells.map(({ length }) => length));
}

/** Three digits: `0.123 ms`, `12.3 ms`, `1.23 s`. */
export function formatMs(ms: number): string {
  const [value, unit] = ms < 1000 ? [ms, 'ms'] : [ms / 1000, 's'];
  const digits = value < 10 ? (value < 1 ? 3 : 2) : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${unit}`;
}
