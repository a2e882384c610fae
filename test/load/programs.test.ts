import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { treeCpuMs, treeMemory } from '../../src/load/process-tree.ts';
import { Programs } from '../../src/load/programs.ts';
import { needs } from '../machine.ts';
import { isAlive, needsProc, until } from '../processes.ts';
import { Scratch } from '../scratch.ts';

function programs(owner: { after(clean: () => Promise<void>): void }, script: string, ...args: string[]): Programs {
  const made = new Programs(['sh', '-c', script, 'sh', ...args], process.env);
  owner.after(() => made.close());
  return made;
}

describe('runs of a program', needs('bash'), () => {
  test('are timed, also where the locale writes numbers in another way', async (context) => {
    const made = new Programs(['sh', '-c', 'sleep 0.1'], { ...process.env, LC_ALL: 'de_DE.UTF-8' });
    context.after(() => made.close());
    const { ms, failure } = await made.call(0);
    assert.ok(ms >= 100 && ms < 10_000 && failure === undefined, `${ms} ${failure}`);
  });

  test('get their arguments as they are, and an empty stdin', async (context) => {
    const made = programs(context, '[ "$1" = "a  b" ] && [ "$2" = "*" ] && [ -z "$(cat)" ]', 'a  b', '*');
    assert.equal((await made.call(0)).failure, undefined);
  });

  test('that fail say with what, and the words of the first one are kept', async (context) => {
    const file = new Scratch(context).path('runs');
    const made = programs(context, 'echo x >> "$1"; runs=$(wc -l < "$1"); echo broken $runs >&2; [ $runs = 1 ] || exit 3', file);
    assert.equal((await made.call(0)).failure, undefined);
    assert.equal(made.complaint(), '');
    for (let run = 2; run < 5; run++) assert.equal((await made.call(0)).failure, 'exit code 3');
    assert.equal(made.complaint(), 'broken 2');
  });

  test('tell the CPU time of what has ended', needsProc, async (context) => {
    const made = programs(context, 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done');
    await made.call(0);
    assert.ok(made.cpuMs() >= 10, String(made.cpuMs()));
  });

  test('end when they are closed in the middle', needsProc, async (context) => {
    const made = programs(context, 'sleep 1000');
    const call = made.call(0);
    const pid = made.pidOf(0) ?? 0;
    await until('it runs', () => (treeMemory(pid, false)?.processes ?? 0) > 0);
    await made.close();
    assert.equal((await call).failure, 'interrupted');
    assert.ok(!isAlive(pid));
  });
});

test('a tree has the memory and the time of all below its root', needsProc, () => {
  const memory = treeMemory(process.pid);
  assert.ok(memory && memory.processes >= 1 && memory.bytes > 2 ** 20);
  assert.ok(treeCpuMs(process.pid) > 0);
  assert.equal(treeMemory(2 ** 22 + 1), undefined);
});
