import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { GroupCommit, type Write } from '../../src/store/group.ts';

/** Takes groups down as the keys that they put. */
function recorded(): { groups: string[][]; commits: GroupCommit } {
  const groups: string[][] = [];
  const commits = new GroupCommit(async (group: readonly Write[]) => {
    groups.push(group.flatMap(({ batch }) => (batch.put ?? []).map(({ key }) => key)));
    for (const { resolve } of group) resolve(groups.length);
  });
  return { groups, commits };
}

function put(key: string) {
  return { put: [{ key, value: new Uint8Array() }] };
}

describe('a write that nobody waits for', () => {
  test('goes with the next one that somebody waits for, before it', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { groups, commits } = recorded();
    const lazy = [];
    for (const key of ['a', 'b']) {
      lazy.push(commits.add(put(key), false, true));
      await turn();
    }
    const last = commits.add(put('c'), true);
    assert.deepEqual(await Promise.all([...lazy, last]), [1, 1, 1]);
    assert.deepEqual(groups, [['a', 'b', 'c']]);
  });

  test('is written though no other comes, at once when the store closes', async () => {
    const { groups, commits } = recorded();
    assert.equal(await commits.add(put('a'), false, true), 1);
    const closing = commits.add(put('b'), false, true);
    await commits.idle();
    assert.deepEqual(groups, [['a'], ['b']]);
    assert.equal(await closing, 2);
  });
});
