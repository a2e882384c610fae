import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { carriersOf, childrenOf, fixture, foreground, isAlive, python, stateOf, until } from './harness.ts';

describe('when prisn itself is killed', () => {
  test('the guard ends a program that left parent, session and group, and leaves', async (t) => {
    const run = foreground(t, {}, python, [fixture('double-forks.py')]);
    const [, program = 0, daemon = 0] = (await run.says(/ready (\d+) (\d+)\n/)).map(Number);
    const guard = await guardOf(run.child.pid);
    run.child.kill('SIGKILL');
    await until('the tree gone', () => !isAlive(program) && !isAlive(daemon));
    await until('the guard gone', () => !isAlive(guard));
    assert.deepEqual(carriersOf(run.runId), []);
  });

  test('the guard ends what cleared its environment and stayed in the session', async (t) => {
    const run = foreground(t, {}, python, [fixture('clears-its-environment.py')]);
    const lost = Number((await run.says(/ready (\d+)\n/))[1]);
    await guardOf(run.child.pid);
    run.child.kill('SIGKILL');
    await until('it gone', () => !isAlive(lost));
  });

  test('the guard ends a stopped program', async (t) => {
    const run = foreground(t, {}, fixture('ignores-sigterm.sh'));
    const program = Number((await run.says(/ready (\d+)\n/))[1]);
    await guardOf(run.child.pid);
    process.kill(program, 'SIGSTOP');
    await until('it stopped', () => stateOf(program) === 'T');
    run.child.kill('SIGKILL');
    await until('it gone', () => !isAlive(program));
  });

  test('the guard survives a kill of the whole group', async (t) => {
    const run = foreground(t, {}, python, [fixture('double-forks.py')]);
    const [, program = 0, daemon = 0] = (await run.says(/ready (\d+) (\d+)\n/)).map(Number);
    await guardOf(run.child.pid);
    process.kill(-(run.child.pid ?? 0), 'SIGKILL');
    await until('the tree gone', () => !isAlive(program) && !isAlive(daemon));
  });
});

test("the guard does not hold the caller's output open", async (t) => {
  const run = foreground(t, {}, '/bin/sh', ['-c', 'echo hello']);
  const closed = new Promise((resolve) => run.child.once('close', resolve));
  await run.ended;
  await closed;
  assert.equal(run.output(), 'hello\n');
});

async function guardOf(prisn = 0): Promise<number> {
  const find = () => childrenOf(prisn).find(({ command }) => command.includes('prisn-guard'))?.pid;
  await until('a guard', () => find() !== undefined);
  return find() ?? 0;
}
