import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Recent } from '../../src/base/recent.ts';

describe('what was used most recently', () => {
  test('stays, up to a number', () => {
    const recent = new Recent<string, number>(2);
    recent.set('a', 1);
    recent.set('b', 2);
    assert.equal(recent.get('a'), 1);
    recent.set('c', 3);
    assert.deepEqual(
      ['a', 'b', 'c'].map((key) => recent.get(key)),
      [1, undefined, 3],
    );
  });

  test('stays, up to a weight, which what goes or is replaced no longer has', () => {
    const recent = new Recent<string, string>(100, { maxWeight: 10 });
    recent.set('a', 'old', 9);
    recent.set('a', 'new', 4);
    recent.set('b', 'b', 6);
    assert.equal(recent.get('a'), 'new');
    recent.set('c', 'c', 1);
    assert.equal(recent.get('b'), undefined);
    recent.delete('a');
    recent.set('d', 'd', 9);
    assert.deepEqual([recent.get('c'), recent.get('d')], ['c', 'd']);
    recent.set('e', 'e', 11);
    assert.deepEqual([recent.get('d'), recent.get('e')], [undefined, undefined]);
  });
});
