import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { table } from '../../src/cli/table.ts';
import { clipped, escaped, padded, widthOf } from '../../src/cli/text-width.ts';

describe('the width of text', () => {
  for (const [text, cells] of [
    ['', 0],
    ['abc', 3],
    ['naïve', 5],
    ['nai\u0308ve', 5],
    ['日本語', 6],
    ['ｆｕｌｌ', 8],
    ['ﾊﾝｶｸ', 4],
    ['한국어', 6],
    ['🙂', 2],
    ['👩‍👩‍👧‍👦', 2],
    ['🇩🇪', 2],
    ['❤️', 2],
    ['❤', 1],
    ['a\u200db', 2],
    ['…', 1],
  ] as const) {
    test(`of '${text}' is ${cells}`, () => assert.equal(widthOf(text), cells));
  }

  test('is what padding and clipping go by', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 30 }), (text, cells) => {
        const cut = clipped(text, cells);
        assert.ok(widthOf(cut) <= cells);
        if (widthOf(text) <= cells) assert.equal(cut, text);
        assert.equal(widthOf(padded(cut, cells)), cells);
      }),
    );
  });
});

test('control characters and what turns text around are shown, not obeyed', () => {
  assert.equal(escaped('a\x1b[31m\n\t\x7f\x9b\u202ebc'), 'a\\u001b[31m\\n\\t\\u007f\\u009b\\u202ebc');
  assert.equal(escaped('日本 🙂 naïve'), '日本 🙂 naïve');
});

describe('a table', () => {
  test('has columns as wide as their widest cell, also in East Asian scripts', () => {
    assert.equal(
      table([
        ['NAME', 'STATE'],
        ['日本', 'ok'],
        ['a', 'failed'],
      ]),
      'NAME  STATE\n日本  ok\na     failed\n',
    );
  });

  test('keeps a name with a newline on its line', () => {
    assert.equal(table([['a\nb', 'c']]), 'a\\nb  c\n');
  });

  test('loses the end of its widest cells where the terminal is narrow, never of the first column', () => {
    const rows = [
      ['exec-01kb3v9m3q8j0r6s1t2v3w4x5y', 'a-name-that-is-rather-long', 'Completed'],
      ['exec-01kb3v9m3q8j0r6s1t2v3w4x5z', 'short', 'Failed'],
    ];
    const lines = table(rows, 60).trimEnd().split('\n');
    for (const line of lines) assert.ok(widthOf(line) <= 60, line);
    assert.match(lines[0] ?? '', /^exec-01kb3v9m3q8j0r6s1t2v3w4x5y {2}a-name-that-is…? *\S*… {2}Completed$/);
    assert.match(table(rows, 10), /^exec-01kb3v9m3q8j0r6s1t2v3w4x5y/);
    assert.equal(table(rows), table(rows, 1000));
  });
});
