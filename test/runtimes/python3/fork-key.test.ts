import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { forkKey } from '../../../runtimes/python3/fork-key.ts';

describe('the variables that a fork server shares with its programs', () => {
  test('are those that act before a program does, whatever their order', () => {
    const env = {
      PATH: '/bin',
      LANG: 'C',
      HOME: '/root',
      PYTHONPATH: '/lib',
      K: 'v',
      LC_ALL: 'C',
      LD_PRELOAD: '/a.so',
      TZ: 'UTC',
    };
    const expected = { HOME: '/root', LANG: 'C', LC_ALL: 'C', LD_PRELOAD: '/a.so', PYTHONPATH: '/lib' };
    assert.deepEqual(forkKey(env), { env: expected, isPlain: true });
    assert.equal(JSON.stringify(forkKey(Object.fromEntries(Object.entries(env).toReversed()))), JSON.stringify(forkKey(env)));
  });

  test('may look like settings of Python and be secrets, which is told', () => {
    const key = forkKey({ PYTHON_API_TOKEN: 'secret' });
    assert.deepEqual(key, { env: { PYTHON_API_TOKEN: 'secret' }, isPlain: false });
  });

  for (const name of ['PYTHONINSPECT', 'PYTHONPROFILEIMPORTTIME', 'PYTHONTRACEMALLOC', 'LD_DEBUG'])
    test(`cannot be shared where ${name} is set, and can where it is empty`, () => {
      assert.ok('why' in forkKey({ [name]: '1' }));
      assert.ok('env' in forkKey({ [name]: '' }));
    });
});
