/** Two texts as a unified diff, as diff(1) and patch(1) have it (POSIX, diff, "Diff -u Output Format"). */
import { diff } from 'node:util';

/** Unchanged lines around a change. */
const contextLines = 3;
/** What differs of larger texts is not looked for: the search takes memory by the square of it. */
const maxLines = 2000;

interface Line {
  readonly sign: ' ' | '-' | '+';
  /** With its newline, where it has one. */
  readonly text: string;
}

/** @returns hunks, without the lines that name the files; undefined where they would be too long to find out */
export function unifiedDiff(before: string, after: string): string[] | undefined {
  const lines = changesOf(linesOf(before), linesOf(after));
  return lines && hunksOf(lines).flatMap(({ from, to }) => hunk(lines, from, to));
}

function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function changesOf(before: readonly string[], after: readonly string[]): Line[] | undefined {
  const limit = Math.min(before.length, after.length);
  let head = 0;
  while (head < limit && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < limit - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const [old, now] = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)];
  if (old.length + now.length > maxLines) return undefined;
  const same = (lines: readonly string[]): Line[] => lines.map((text) => ({ sign: ' ', text }));
  return [...same(before.slice(0, head)), ...middle(old, now), ...same(before.slice(before.length - tail))];
}

/** In a run of changes the lines that go stand before those that come. */
function middle(before: readonly string[], after: readonly string[]): Line[] {
  const lines: Line[] = [];
  let added: Line[] = [];
  // Of nothing and nothing node's search fails.
  for (const [operation, text] of after.length + before.length === 0 ? [] : diff(after, before)) {
    if (operation === 1) {
      added.push({ sign: '+', text });
      continue;
    }
    if (operation === 0) {
      lines.push(...added);
      added = [];
    }
    lines.push({ sign: operation === 0 ? ' ' : '-', text });
  }
  return [...lines, ...added];
}

/** Where hunks begin and end: changes whose contexts meet share one. */
function hunksOf(lines: readonly Line[]): { from: number; to: number }[] {
  const hunks: { from: number; to: number }[] = [];
  for (const [index, { sign }] of lines.entries()) {
    if (sign === ' ') continue;
    const [from, to] = [Math.max(0, index - contextLines), Math.min(lines.length, index + contextLines + 1)];
    const last = hunks.at(-1);
    if (last && from <= last.to) last.to = to;
    else hunks.push({ from, to });
  }
  return hunks;
}

function hunk(lines: readonly Line[], from: number, to: number): string[] {
  const shown = lines.slice(from, to);
  const range = (without: '+' | '-'): string => {
    const has = (part: readonly Line[]): number => part.filter(({ sign }) => sign !== without).length;
    const count = has(shown);
    // Of nothing it is the line before.
    return `${has(lines.slice(0, from)) + (count === 0 ? 0 : 1)},${count}`;
  };
  return [
    `@@ -${range('+')} +${range('-')} @@`,
    ...shown.flatMap(({ sign, text }) =>
      text.endsWith('\n') ? [sign + text.slice(0, -1)] : [sign + text, '\\ No newline at end of file'],
    ),
  ];
}
