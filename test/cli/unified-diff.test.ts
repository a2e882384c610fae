import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { unifiedDiff } from '../../src/cli/unified-diff.ts';

/** What patch(1) does, strictly: every line that is not added has to be there, where the hunk says. */
function patched(before: string, hunks: readonly string[]): string {
  const lines = before.split(/(?<=\n)/).filter((line) => line !== '');
  const result: string[] = [];
  let at = 0;
  for (const [index, line] of hunks.entries()) {
    const [, from, count] = /^@@ -(\d+),(\d+) \+\d+,\d+ @@$/.exec(line) ?? [];
    if (from !== undefined) {
      const start = Number(from) - (count === '0' ? 0 : 1);
      result.push(...lines.slice(at, start));
      at = start;
    } else if (!line.startsWith('\\')) {
      const text = line.slice(1) + (hunks[index + 1]?.startsWith('\\') ? '' : '\n');
      if (line.startsWith('+')) result.push(text);
      else {
        assert.equal(lines[at++], text);
        if (line.startsWith(' ')) result.push(text);
      }
    }
  }
  return [...result, ...lines.slice(at)].join('');
}

describe('a unified diff', () => {
  test('makes the one text of the other', () => {
    const text = fc
      .tuple(fc.array(fc.constantFrom('a', 'b', 'c', '', '-x', '@@', '\\'), { maxLength: 60 }), fc.boolean())
      .map(([lines, isWhole]) => lines.join('\n') + (isWhole && lines.length > 0 ? '\n' : ''));
    fc.assert(fc.property(text, text, (before, after) => assert.equal(patched(before, unifiedDiff(before, after) ?? []), after)));
  });

  test('has three lines around each change, and no more', () => {
    const lines = Array.from({ length: 40 }, (_, index) => `${index}\n`);
    const changed = lines.with(10, 'ten\n').with(30, 'thirty\n').toSpliced(16, 1);
    const hunks = unifiedDiff(lines.join(''), changed.join('')) ?? [];
    assert.equal(
      hunks.join('|'),
      '@@ -8,13 +8,12 @@| 7| 8| 9|-10|+ten| 11| 12| 13| 14| 15|-16| 17| 18| 19|' +
        '@@ -28,7 +27,7 @@| 27| 28| 29|-30|+thirty| 31| 32| 33',
    );
    assert.deepEqual(unifiedDiff('a\n', 'a\n'), []);
  });

  test('says where a newline lacks', () => {
    assert.deepEqual(unifiedDiff('a', 'a\n'), ['@@ -1,1 +1,1 @@', '-a', '\\ No newline at end of file', '+a']);
  });

  test('is not looked for in what differs by thousands of lines, but for what is the same at both ends', () => {
    const many = (text: string): string => `${text}\n`.repeat(1500);
    assert.equal(unifiedDiff(many('a'), many('b')), undefined);
    assert.equal(unifiedDiff(many('a') + 'b\n', many('a') + 'c\n')?.length, 6);
  });
});
