/** Signals of `prisn run` that concern the command as a whole; what reaches the program is tested with the sandbox. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { rounds } from '../full.ts';
import { startPrisn, prisn, shellCodeOf } from '../prisn.ts';
import { carriersOf, needsProc } from '../processes.ts';
import { Scratch } from '../scratch.ts';

const scratch = new Scratch();

describe('a signal in the first moments of a run', needsProc, () => {
  for (const limits of [[], ['--timeout', '20s']]) {
    test(`ends the program too (${limits.join(' ') || 'no limit'})`, async () => {
      const file = scratch.file('kills-its-parent.sh', 'kill -TERM $PPID; exec sleep 30');
      for (let round = 0; round < rounds(5, 50); round++) {
        const marker = `early-${limits.length}-${round}`;
        const result = await prisn(['run', ...limits, file], { env: { TEST_MARKER: marker } });
        assert.equal(shellCodeOf(result), 143, result.stderr);
        assert.deepEqual(carriersOf('TEST_MARKER', marker), []);
      }
    });
  }
});

describe('SIGINT that ends the program', () => {
  for (const [name, text] of [
    ['waits.sh', 'echo up; exec sleep 30'],
    ['waits.js', "console.log('up'); setTimeout(() => {}, 30_000);"],
  ] as const) {
    for (const limits of [[], ['--timeout', '20s']]) {
      test(`ends prisn as a signal does, so that a shell ends its loop (${name} ${limits.join(' ')})`, async () => {
        const child = startPrisn(['run', ...limits, scratch.file(name, text)]);
        await once(child.stdout ?? child, 'data');
        child.kill('SIGINT');
        const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
        assert.deepEqual([code, signal], [null, 'SIGINT']);
      });
    }
  }
});

test('the report of a rejection is about the error that was rejected, though others were made at the same place', async () => {
  const text =
    'const errors = [1, 2, 3].map((i) => { const e = new Error(`number ${i}`); void e.stack; return e; }); Promise.reject(errors[0]);';
  const { stderr } = await prisn(['run', scratch.file('rejects-the-first.js', text)]);
  assert.match(stderr, /^Error: number 1$/m);
  assert.doesNotMatch(stderr, /number [23]$/m);
});

test('too few processes for JavaScript are refused, and it does not hang', async () => {
  for (const name of ['few.js', 'few.cjs']) {
    const result = await prisn(['run', '--pids', '3', scratch.file(name, '1')]);
    assert.equal(result.code, 2);
    assert.match(result.stderr, /^prisn: --pids: JavaScript needs at least 16/);
  }
});
