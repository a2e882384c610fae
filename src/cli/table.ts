/** Rows of text in columns, as wide as their widest cell or as the terminal lets them be. */
import { clipped, escaped, widthOf } from './text-width.ts';

const gap = 2;
/** A column is never cut below this. */
const leastCells = 8;

/**
 * @param rows the first is the head; control characters in cells are shown escaped
 * @param columns cells of the terminal: wider tables lose the ends of their widest cells, but never of the first column,
 *   which is what users copy
 */
export function table(rows: readonly (readonly string[])[], columns = Number.POSITIVE_INFINITY): string {
  const cells = rows.map((row) => row.map(measured));
  const widths: number[] = [];
  for (const row of cells) for (const [i, { width }] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width);
  fit(widths, columns);
  return cells
    .map((row) => {
      const line = row.map((cell, i) => filled(cell, widths[i] ?? 0));
      return `${line.join(' '.repeat(gap)).trimEnd()}\n`;
    })
    .join('');
}

interface Cell {
  readonly text: string;
  readonly width: number;
}

function measured(cell: string): Cell {
  const text = escaped(cell);
  return { text, width: widthOf(text) };
}

function filled(cell: Cell, width: number): string {
  const { text, width: own } = cell.width > width ? measured(clipped(cell.text, width)) : cell;
  return text + ' '.repeat(Math.max(0, width - own));
}

function fit(widths: number[], columns: number): void {
  for (;;) {
    const total = widths.reduce((sum, width) => sum + width, gap * (widths.length - 1));
    const widest = Math.max(leastCells, ...widths.slice(1));
    const index = widths.indexOf(widest, 1);
    if (total <= columns || index < 0 || widest === leastCells) return;
    widths[index] = Math.max(leastCells, widest - (total - columns), ...widths.slice(1).filter((width) => width < widest));
  }
}
