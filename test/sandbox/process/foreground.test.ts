import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runForeground } from '../../../sandbox/process/foreground.ts';
import { childrenOf, fixture, foreground, isAlive, python, stateOf, taskOf, until } from './harness.ts';

describe('a foreground run', () => {
  test('gives the program the arguments, environment, folder and descriptors of the caller', async (t) => {
    const code =
      'import os,sys; print(sys.argv[1:], os.environ["odd-name"], sys.stdin.read()); print("err", file=sys.stderr); sys.exit(7)';
    const run = foreground(t, {}, python, ['-c', code, '--help', '', 'a b'], { env: { 'odd-name': 'v' } });
    run.child.stdin?.end('input');
    const { code: exitCode, outcome } = await run.ended;
    assert.equal(run.output(), "['--help', '', 'a b'] v input\n");
    assert.equal(run.errors(), 'err\n');
    assert.equal(exitCode, 7);
    assert.deepEqual(outcome, { reason: 'exit', exitCode: 7 });
  });

  test('starts the program in the tick of the call', async () => {
    const run = runForeground(taskOf('/bin/sleep', ['0.2']));
    assert.ok(childrenOf(process.pid).some(({ command }) => command.startsWith('/bin/sleep')));
    await run;
  });

  test('tells a death by signal as the shells do', async (t) => {
    const { code, outcome } = await foreground(t, {}, '/bin/sh', ['-c', 'kill -SEGV $$']).ended;
    assert.equal(code, 139);
    assert.deepEqual(outcome, { reason: 'signal', exitCode: 139, signal: 'SIGSEGV' });
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGWINCH', 'SIGUSR1'] as const) {
    test(`passes ${signal} on, once`, async (t) => {
      const run = foreground(t, {}, python, [fixture('counts-signals.py')]);
      await run.says(/ready \d+\n/);
      await handlesSignals(run.child.pid);
      run.child.kill(signal);
      await run.says(new RegExp(`${signal} 1\n`));
      run.child.kill('SIGUSR2');
      assert.equal((await run.ended).code, 0);
      assert.match(run.output(), new RegExp(`^ready \\d+\n${signal} 1\nSIGUSR2 1\n$`));
    });
  }

  test('stops with SIGTSTP and goes on with SIGCONT, together with its program', async (t) => {
    const run = foreground(t, {}, python, [fixture('counts-signals.py')]);
    const program = Number((await run.says(/ready (\d+)\n/))[1]);
    const prisn = run.child.pid ?? 0;
    await handlesSignals(prisn);
    run.child.kill('SIGTSTP');
    await until('both stopped', () => stateOf(program) === 'T' && stateOf(prisn) === 'T');
    run.child.kill('SIGCONT');
    await until('both going on', () => stateOf(program) !== 'T' && stateOf(prisn) !== 'T');
    run.child.kill('SIGUSR2');
    assert.equal((await run.ended).code, 0);
  });

  test('leaves the background children of a program that ends by itself alone', async (t) => {
    const run = foreground(t, {}, fixture('leaves-a-child.sh'));
    const background = Number((await run.says(/ready (\d+) /))[1]);
    assert.equal((await run.ended).code, 0);
    // The guard, were it to act, needs the start of a process; its own end shows that it does not.
    await until('the guard gone', () => guards(run.runId) === 0);
    assert.ok(isAlive(background));
  });

  test('takes the whole tree with it when a signal ended the program', async (t) => {
    const run = foreground(t, {}, python, [fixture('double-forks.py')]);
    const [, program, daemon] = (await run.says(/ready (\d+) (\d+)\n/)).map(Number);
    await handlesSignals(run.child.pid);
    run.child.kill('SIGTERM');
    assert.deepEqual((await run.ended).outcome, { reason: 'signal', exitCode: 143, signal: 'SIGTERM' });
    assert.ok(!isAlive(program ?? 0) && !isAlive(daemon ?? 0));
  });

  test('takes the tree with it also when the program answers the signal with an exit code', async (t) => {
    const run = foreground(t, {}, '/bin/sh', [
      '-c',
      'trap "exit 3" TERM; setsid sleep 1000 & echo "ready $!"; while :; do sleep 0.05; done',
    ]);
    const background = Number((await run.says(/ready (\d+)/))[1]);
    await handlesSignals(run.child.pid);
    run.child.kill('SIGTERM');
    assert.equal((await run.ended).code, 3);
    assert.ok(!isAlive(background));
  });

  test('leaves neither a process nor a zombie of its own behind', async () => {
    const before = childrenOf(process.pid).map(({ pid }) => pid);
    await runForeground(taskOf('/bin/sleep', ['0.1']));
    assert.deepEqual(
      childrenOf(process.pid).filter(({ pid }) => !before.includes(pid)),
      [],
    );
  });

  test('marks a run inside a run with both ids', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'prisn-test-'));
    const task = taskOf('/bin/sh', ['-c', 'echo "$PRISN_RUN_ID $PRISN_RUN_PARENTS" > ids'], {
      cwd: folder,
      env: { PRISN_RUN_ID: 'middle', PRISN_RUN_PARENTS: 'outer' },
    });
    await runForeground(task);
    assert.equal(readFileSync(join(folder, 'ids'), 'utf8'), `${task.runId} middle,outer\n`);
    rmSync(folder, { recursive: true });
  });
});

describe('a program that cannot be started is an outcome that says what to do', () => {
  const folder = mkdtempSync(join(tmpdir(), 'prisn-test-'));
  const file = (name: string, content: string, mode = 0o755): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };
  const cases = [
    ['a missing file', taskOf('/no/such/program'), 127, /does not exist; install it/],
    ['a missing interpreter', taskOf(file('no-interpreter', '#!/no/such/interpreter\n')), 127, /first line \(#!\)/],
    ['a file that is not executable', taskOf(file('plain', 'x', 0o644)), 126, /chmod \+x/],
    ['a folder', taskOf(folder), 126, /may not be executed/],
    ['a missing working directory', taskOf('/bin/true', [], { cwd: join(folder, 'gone') }), 126, /--workdir/],
    ['a NUL in an argument', taskOf('/bin/true', ['a\0b']), 126, /NUL/],
    ['a NUL in the environment', taskOf('/bin/true', [], { env: { A: 'a\0b' } }), 126, /NUL/],
    ['an argument of 200 KB', taskOf('/bin/true', ['x'.repeat(200_000)]), 126, /larger than the system allows/],
  ] as const;
  for (const [what, task, exitCode, message] of cases) {
    test(what, async () => {
      const outcome = await runForeground(task);
      assert.equal(outcome.reason, 'invalid');
      assert.equal(outcome.exitCode, exitCode);
      assert.match(outcome.message ?? '', message);
    });
  }
  test.after(() => rmSync(folder, { recursive: true }));
});

/** Waits until a run handles signals: the last that it listens for is SIGUSR2, number 12. */
async function handlesSignals(pid = 0): Promise<void> {
  const caught = () => BigInt(`0x${/SigCgt:\s*(\w+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]}`);
  await until('signals handled', () => (caught() & (1n << 11n)) !== 0n);
}

/** Living guards of a run: they have its id among their arguments. */
function guards(runId: string): number {
  return [...childrenOf(1), ...childrenOf(process.pid)].filter(
    ({ command }) => command.includes('prisn-guard') && command.includes(runId),
  ).length;
}
