import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { findPlace } from '../../../sandbox/process/cgroup.ts';
import { probeLimits } from '../../../sandbox/process/limits.ts';
import { carriersOf, childrenOf, fixture, foreground, isAlive, python, stateOf, until } from './harness.ts';

const mb = 2 ** 20;
const support = probeLimits();
const needs = (controller: 'memory' | 'cpu' | 'pids') => {
  const place = findPlace(controller);
  return typeof place === 'string' ? { skip: `no ${controller} cgroup: ${place}` } : {};
};

describe('a timeout', () => {
  test('ends a program that ignores SIGTERM, with 124', async (t) => {
    const run = foreground(t, { timeoutMs: 400 }, fixture('ignores-sigterm.sh'));
    const { code, outcome } = await run.ended;
    assert.equal(code, 124);
    assert.equal(outcome?.reason, 'timeout');
    assert.match(outcome?.message ?? '', /longer than 400ms .* --timeout/);
  });

  test('is told also of a program that catches SIGTERM and leaves with 0', async (t) => {
    const { code, outcome } = await foreground(t, { timeoutMs: 500 }, python, [fixture('exits-0-on-sigterm.py')]).ended;
    assert.equal(code, 124);
    assert.equal(outcome?.reason, 'timeout');
  });

  test('ends a stopped program, and all that left the tree', async (t) => {
    const run = foreground(t, { timeoutMs: 1000 }, python, [fixture('double-forks.py')]);
    const [, program = 0, daemon = 0] = (await run.says(/ready (\d+) (\d+)\n/)).map(Number);
    process.kill(program, 'SIGSTOP');
    await until('it stopped', () => stateOf(program) === 'T');
    assert.equal((await run.ended).code, 124);
    assert.ok(!isAlive(program) && !isAlive(daemon));
    assert.deepEqual(carriersOf(run.runId), []);
  });

  test('does not touch a program that ends in time', async (t) => {
    assert.deepEqual((await foreground(t, { timeoutMs: 60_000 }, '/bin/sh', ['-c', 'exit 4']).ended).outcome, {
      reason: 'exit',
      exitCode: 4,
    });
  });
});

describe('a limit of memory', { skip: support.memory === 'none' && 'neither a cgroup nor /proc' }, () => {
  test('ends a program that needs more, with 137', async (t) => {
    const run = foreground(t, { memoryBytes: 64 * mb }, python, [fixture('allocates.py'), '400']);
    const { code, outcome } = await run.ended;
    assert.equal(code, 137);
    assert.equal(outcome?.reason, 'memory');
    assert.match(outcome?.message ?? '', /more than 64mb .* --memory/);
    assert.equal(run.output(), '');
  });

  test('leaves one alone that needs less', async (t) => {
    const run = foreground(t, { memoryBytes: 256 * mb }, python, [fixture('allocates.py'), '40']);
    assert.equal((await run.ended).code, 0);
    assert.equal(run.output(), 'done\n');
  });

  test('counts the whole tree', async (t) => {
    const run = foreground(t, { memoryBytes: 128 * mb }, python, [fixture('allocates.py'), '60', '4']);
    assert.equal((await run.ended).outcome?.reason, 'memory');
    assert.deepEqual(carriersOf(run.runId), []);
  });
});

describe('limits by a cgroup', () => {
  test('pids stop a fork bomb, which the timeout then ends whole', needs('pids'), async (t) => {
    const run = foreground(t, { pids: 30, timeoutMs: 1500 }, python, [fixture('fork-bomb.py')]);
    await run.says(/ready/);
    await until('the limit reached', () => carriersOf(run.runId).length >= 30);
    assert.equal(carriersOf(run.runId).length, 30);
    assert.equal((await run.ended).code, 124);
    assert.deepEqual(carriersOf(run.runId), []);
  });

  test('cpu slows a program down to its share', needs('cpu'), async (t) => {
    const code =
      'import time,os\nt=time.monotonic()\nwhile time.process_time() < 0.2: pass\nprint((time.monotonic()-t) / time.process_time())';
    const run = foreground(t, { cpu: 0.2 }, python, ['-c', code]);
    assert.equal((await run.ended).code, 0);
    // With a fifth of a core it takes five times as long; that it takes twice cannot be by chance of a busy machine's favour.
    assert.ok(Number(run.output()) > 2, run.output());
  });

  test('the cgroup is gone after the run, with the background children of the program', needs('pids'), async (t) => {
    const run = foreground(t, { pids: 50 }, fixture('leaves-a-child.sh'));
    const background = Number((await run.says(/ready (\d+) /))[1]);
    assert.equal((await run.ended).code, 0);
    assert.ok(!isAlive(background));
    assert.deepEqual(cgroupsOf(run.runId), []);
  });

  test('the cgroup holds what shed every other link, and is gone after a kill -9 of prisn', needs('memory'), async (t) => {
    const run = foreground(t, { memoryBytes: 256 * mb }, '/bin/sh', [
      '-c',
      'env -i setsid sh -c \'(echo "ready $$"; exec sleep 1000) & exit\'; sleep 1000',
    ]);
    await run.says(/ready/);
    await until('a guard', () => childrenOf(run.child.pid ?? 0).some(({ command }) => command.includes('prisn-guard')));
    assert.equal(cgroupsOf(run.runId).length, 1);
    run.child.kill('SIGKILL');
    await until('the cgroup gone', () => cgroupsOf(run.runId).length === 0);
  });
});

/** The same program in a mount namespace where no cgroup shows. */
const withoutCgroups = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', 'sh'];

describe('where no cgroup can be made', { skip: process.getuid?.() !== 0 && 'hiding them needs root' }, () => {
  test('a watchdog holds the memory of the whole tree', async (t) => {
    const run = foreground(t, { memoryBytes: 128 * mb }, python, [fixture('allocates.py'), '60', '4'], { via: withoutCgroups });
    assert.equal((await run.ended).outcome?.reason, 'memory');
    assert.deepEqual(carriersOf(run.runId), []);
  });

  test('the watchdog counts memory that forks share once', async (t) => {
    const code =
      'import os,time\nx=b"x"*(60<<20)\nif os.fork() and os.fork() and os.fork(): time.sleep(0.3); os._exit(5)\ntime.sleep(1000)';
    const run = foreground(t, { memoryBytes: 128 * mb }, python, ['-c', code], { via: withoutCgroups });
    assert.equal((await run.ended).code, 5);
  });

  for (const limits of [{ pids: 10 }, { cpu: 0.5 }]) {
    const [name = ''] = Object.keys(limits);
    test(`--${name} is refused before anything starts, with what is missing`, async (t) => {
      const run = foreground(t, limits, '/bin/echo', ['started'], { via: withoutCgroups });
      const { code, outcome } = await run.ended;
      assert.equal(code, 125);
      assert.equal(outcome?.errorCode, 'unsupported');
      assert.match(outcome?.message ?? '', new RegExp(`--${name} cannot be enforced here: .*cgroup`));
      assert.equal(run.output(), '');
    });
  }
});

test('what can be limited is told, with a reason for the rest', () => {
  const { memory, cpu, pids, detail } = support;
  const missing = [memory !== 'cgroup' && 'memory', !cpu && 'cpu', !pids && 'pids'].filter(Boolean);
  assert.deepEqual(
    detail.map((line) => line.split(':')[0]),
    missing,
  );
});

/** Directories of a run's cgroups that exist. */
function cgroupsOf(runId: string): string[] {
  return (['memory', 'cpu', 'pids'] as const)
    .map((controller) => findPlace(controller))
    .flatMap((place) => (typeof place === 'string' ? [] : [place.parent]))
    .filter((parent, index, all) => all.indexOf(parent) === index && existsSync(parent))
    .flatMap((parent) => readdirSync(parent).filter((name) => name.endsWith(runId)));
}
