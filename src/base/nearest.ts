/**
 * For "did you mean": the word of `words` that begins as `word` does, or else is at most two edits, and at most half its letters,
 * from it.
 */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const longer = /[a-z].*[a-z]/i.test(word) && words.find((candidate) => candidate.startsWith(word.toLowerCase()));
  if (longer) return longer;
  let best: string | undefined;
  let least = Math.min(2, Math.floor(word.length / 2)) + 1;
  for (const candidate of words) {
    const edits = editDistance(word.toLowerCase(), candidate);
    if (edits < least) [best, least] = [candidate, edits];
  }
  return best;
}

/** Edits that make one word the other: a letter more, less or another, two letters swapped (Damerau 1964, restricted). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const change = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swap = i > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : change;
      row.push(Math.min(change, swap, at(i - 1, j) + 1, (row[j - 1] ?? 0) + 1));
    }
  }
  return at(a.length, b.length);
}
