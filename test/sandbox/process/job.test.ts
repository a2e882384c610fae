import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { type JobRunning, probeTier, startJob, type Tier } from '../../../sandbox/process/job.ts';
import { probeLimits } from '../../../sandbox/process/limits.ts';
import type { ProcessTask } from '../../../src/model/task.ts';
import { commandOf } from '../../processes.ts';
import { Scratch } from '../../scratch.ts';
import { carriersOf, fixture, isAlive, newRunId, python, recorder, taskOf, until } from './harness.ts';

const { memory } = probeLimits();
const found = probeTier();
const bare: Tier = { ...found, pidNamespace: false, parentDeathSignal: false, noNewPrivileges: false };
const withoutNamespace: Tier = { ...found, pidNamespace: false };

/** Each as far as it can be had here. */
const tiers: readonly { readonly name: string; readonly tier: Tier; readonly skip: string | false }[] = [
  { name: 'without a launch chain', tier: bare, skip: false },
  { name: 'behind setpriv', tier: withoutNamespace, skip: !found.parentDeathSignal && 'no setpriv' },
  { name: 'in a pid namespace', tier: found, skip: !found.pidNamespace && 'no pid namespace can be made here' },
];

const scratch = new Scratch();
const env = { PATH: '/usr/bin:/bin' };

for (const { name, tier, skip } of tiers) {
  const start = (task: ProcessTask, sink = recorder(), stdin?: string): JobRunning =>
    startJob(task, sink, { tier, ...(stdin !== undefined && { stdin: Buffer.from(stdin) }) });
  const outputOf = async (file: string, args: readonly string[] = [], more: Partial<ProcessTask> = {}): Promise<string> => {
    const sink = recorder();
    await start(taskOf(file, args, { env, ...more }), sink).exited;
    return sink.stdoutText() + sink.stderrText();
  };

  describe(`a job ${name}`, { skip }, () => {
    test('brings stdout and stderr to the sink, its stdin to the program, and its exit code back', async () => {
      const sink = recorder();
      const run = start(taskOf('/bin/sh', ['-c', 'cat; echo err >&2; exit 3']), sink, 'in\0put');
      const { reason, exitCode, usage } = await run.exited;
      assert.deepEqual([reason, exitCode], ['exit', 3]);
      assert.ok((usage?.startMs ?? 0) > 0);
      assert.equal(sink.stdoutText(), 'in\0put');
      assert.equal(sink.stderrText(), 'err\n');
    });

    test('tells the most memory that it had, where a cgroup held it', {
      skip: memory !== 'cgroup' && 'no cgroup of memory',
    }, async () => {
      const limits = { memoryBytes: 256 * 2 ** 20 };
      const { exitCode, usage } = await start(taskOf(python, [fixture('allocates.py'), '40'], { env, limits })).exited;
      assert.equal(exitCode, 0);
      const peak = usage?.maxRssBytes ?? 0;
      assert.ok(peak > 40 * 2 ** 20 && peak < limits.memoryBytes, `${peak} bytes`);
      assert.equal((await start(taskOf('/bin/true', [], { env })).exited).usage?.maxRssBytes, undefined);
    });

    test('has an empty stdin by default', async () => {
      assert.equal(await outputOf('/bin/cat'), '');
    });

    test('can open its standard descriptors by name', async () => {
      const sink = recorder();
      const script = 'cat /dev/stdin; echo out > /dev/stdout; echo err > /dev/stderr';
      assert.equal((await start(taskOf('/bin/sh', ['-c', script]), sink, 'in\n').exited).exitCode, 0);
      assert.equal(sink.stdoutText(), 'in\nout\n');
      assert.equal(sink.stderrText(), 'err\n');
    });

    test('brings all of a large output', async () => {
      const sink = recorder();
      await start(taskOf('/usr/bin/head', ['-c', String(20 * 2 ** 20), '/dev/zero']), sink).exited;
      assert.equal(sink.bytes(), 20 * 2 ** 20);
    });

    test('does not mind a program that leaves its input unread', async () => {
      const run = start(taskOf('/bin/true'), recorder(), 'x'.repeat(10 * 2 ** 20));
      assert.equal((await run.exited).exitCode, 0);
    });

    test('tells the signal that ended its program, and adds no word to its stderr', async () => {
      const sink = recorder();
      const { reason, exitCode, signal } = await start(taskOf('/bin/sh', ['-c', 'kill -SEGV $$']), sink).exited;
      assert.deepEqual([reason, exitCode, signal], ['signal', 139, 'SIGSEGV']);
      assert.equal(sink.stderrText(), '');
    });

    test('gives the environment of the task and the id of the run, and nothing else', async () => {
      process.env['OF_OURS'] = 'secret';
      const task = taskOf('/usr/bin/env', [], { env: { PATH: '/usr/bin:/bin', GIVEN: 'a\nb', EMPTY: '' } });
      const sink = recorder();
      await start(task, sink).exited;
      const lines = ['PATH=/usr/bin:/bin', 'GIVEN=a\nb', 'EMPTY=', `PRISN_RUN_ID=${task.runId}`];
      assert.deepEqual(
        sink
          .stdoutText()
          .trimEnd()
          .split(/\n(?=[A-Z_]+=)/)
          .toSorted(),
        lines.toSorted(),
      );
    });

    test('leaves variables alone that a shell would set', async () => {
      const given = { PATH: '/usr/bin:/bin', PWD: '/nowhere', SHLVL: '7', BASH_ENV: scratch.file('env', 'echo no') };
      const task = taskOf(python, ['-c', 'import os; print(sorted(os.environ))'], { env: given });
      const sink = recorder();
      await start(task, sink).exited;
      for (const variable of Object.keys(given)) assert.ok(sink.stdoutText().includes(`'${variable}'`), variable);
      assert.equal(sink.stderrText(), '');
    });

    test('leads a session and a group of its own, with its own directory and user', async () => {
      const script = 'import os; p = os.getpid(); print(os.getsid(0) == p, os.getpgrp() == p, p != 1, os.getcwd())';
      assert.equal(await outputOf(python, ['-c', script], { cwd: scratch.root }), `True True True ${scratch.root}\n`);
      const identity = ['-E', '^(Uid|Gid|Groups|CapEff|SigIgn|SigBlk):', '/proc/self/status'];
      const ours = spawnSync('/bin/grep', identity, { encoding: 'utf8' }).stdout;
      assert.equal(await outputOf('/bin/grep', identity), ours);
    });

    test('passes arguments on as they are', async () => {
      const args = ['a b', '--flag', '', '$HOME', 'ü\n', '-c'];
      assert.equal(await outputOf('/bin/sh', ['-c', 'IFS="|"; printf %s "$*"', 'program', ...args]), args.join('|'));
    });

    test('ends with the program, and takes what it left in the background with it', async () => {
      const task = taskOf(python, [fixture('double-forks.py'), '--leave']);
      assert.equal((await start(task).exited).exitCode, 0);
      assert.deepEqual(carriersOf(task.runId), []);
    });

    test('ends as canceled when it is stopped, whole, and the first cause wins', async () => {
      const sink = recorder();
      const task = taskOf(python, [fixture('double-forks.py')], { limits: { timeoutMs: 60_000 } });
      const run = start(task, sink);
      await until('it ready', () => sink.stdoutText().includes('ready'));
      run.stop();
      run.stop();
      assert.equal((await run.exited).reason, 'canceled');
      assert.deepEqual(carriersOf(task.runId), []);
    });

    test('is asked to leave by SIGTERM first', async () => {
      const sink = recorder();
      const run = start(taskOf('/bin/sh', ['-c', 'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done']), sink);
      await until('it up', () => sink.stdoutText().includes('up'));
      run.stop();
      assert.equal((await run.exited).reason, 'canceled');
      assert.equal(sink.stdoutText(), 'up\nbye\n');
    });

    test('is killed when it does not leave', async () => {
      const sink = recorder();
      const task = taskOf(fixture('ignores-sigterm.sh'));
      const run = start(task, sink);
      await until('it ready', () => sink.stdoutText().includes('ready'));
      run.stop();
      assert.equal((await run.exited).reason, 'canceled');
      assert.deepEqual(carriersOf(task.runId), []);
    });

    test('that is stopped at once is gone at once', async () => {
      const task = taskOf('/bin/sleep', ['1000']);
      const run = start(task);
      run.stop();
      assert.equal((await run.exited).reason, 'canceled');
      assert.deepEqual(carriersOf(task.runId), []);
    });

    test('ends at its timeout', async () => {
      const task = taskOf('/bin/sleep', ['1000'], { limits: { timeoutMs: 200 } });
      assert.equal((await start(task).exited).reason, 'timeout');
      assert.deepEqual(carriersOf(task.runId), []);
    });

    test('says which process it is', async () => {
      const run = start(taskOf('/bin/sleep', ['1000']));
      const process = await run.process;
      assert.ok(process && isAlive(process.pid));
      assert.match(process.boot, /^[0-9a-f-]{36}$/);
      run.stop();
      await run.exited;
      assert.ok(!isAlive(process.pid));
    });

    const refusals: readonly (readonly [what: string, task: () => ProcessTask, exitCode: number, message: RegExp])[] = [
      ['a program that does not exist', () => taskOf('/no/such/program'), 127, /\/no\/such\/program does not exist/],
      ['a program that may not be executed', () => taskOf(scratch.file('plain', 'text')), 126, /may not be executed/],
      ['a folder', () => taskOf(scratch.folder('folder')), 126, /may not be executed/],
      ['a script without its interpreter', () => taskOf(scratch.file('lost', '#!/no/interpreter\n', 0o755)), 127, /first line/],
      ['a directory that does not exist', () => taskOf('/bin/true', [], { cwd: '/no/such/folder' }), 126, /working directory/],
      ['an argument with a NUL byte', () => taskOf('/bin/true', ['a\0b']), 126, /NUL byte/],
      ['an argument of 200 kB', () => taskOf('/bin/true', ['x'.repeat(200 * 1024)]), 126, /larger than the system allows/],
    ];
    for (const [what, task, exitCode, message] of refusals) {
      test(`that has ${what} has ended as invalid`, async () => {
        const sink = recorder();
        const run = start(task(), sink);
        run.stop();
        const outcome = await run.exited;
        assert.deepEqual([outcome.reason, outcome.exitCode], ['invalid', exitCode]);
        assert.match(outcome.message ?? '', message);
        assert.equal(run.process, undefined);
        assert.equal(sink.stdoutText() + sink.stderrText(), '');
      });
    }
  });
}

describe('behind the launch chain', { skip: !found.parentDeathSignal && 'no setpriv' }, () => {
  for (const { name, tier, skip } of tiers.slice(1)) {
    test(`a job ${name} has no descriptor of ours`, { skip }, async () => {
      // As libraries open files: without O_CLOEXEC. Node has no way to, but a child gets what is passed on.
      const file = scratch.file('ours', 'secret');
      const fd = openSync(file, 'r');
      const script = 'import os; print(sorted(int(n) for n in os.listdir("/proc/self/fd"))[:-1])';
      const child = spawn(process.execPath, [fixture('run-jobs.ts'), JSON.stringify(tier), newRunId(), python, '-c', script], {
        stdio: ['ignore', 'pipe', 'inherit', ...Array<'ignore'>(17).fill('ignore'), fd],
      });
      closeSync(fd);
      let output = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
      await new Promise((resolve) => child.once('close', resolve));
      assert.equal(output, '[0, 1, 2]\n');
    });

    test(`a job ${name} can gain no privileges`, { skip }, async () => {
      const sink = recorder();
      await startJob(taskOf('/bin/grep', ['NoNewPrivs', '/proc/self/status']), sink, { tier }).exited;
      assert.match(sink.stdoutText(), /\t1$/m);
    });
  }
});

test('a job ends with its program, though a process that escaped holds its output, and loses no word', async () => {
  const sink = recorder();
  const started = performance.now();
  await startJob(taskOf(python, [fixture('escapes-with-stdout.py')]), sink, { tier: bare }).exited;
  assert.equal(sink.stdoutText(), 'last words');
  // The escaped process lives five seconds.
  assert.ok(performance.now() - started < 4500);
});

describe('in a pid namespace', { skip: !found.pidNamespace && 'none can be made here' }, () => {
  test('a program sees its own processes and may signal its whole group', async () => {
    const sink = recorder();
    const script = `
import os, signal, subprocess
signal.signal(signal.SIGHUP, lambda *_: None)
child = subprocess.Popen(["sleep", "1000"])
os.kill(0, signal.SIGHUP)
print(child.wait(), [n for n in os.listdir("/proc") if n.isdigit()] == ["1", str(os.getpid())])`;
    const { reason } = await startJob(taskOf(python, ['-c', script]), sink, { tier: found }).exited;
    assert.deepEqual([reason, sink.stdoutText()], ['exit', '-1 True\n']);
  });

  test('what sheds parent, session and environment at once ends with the program', async () => {
    const mark = `${newRunId()}-escaped`;
    const started = scratch.path(mark);
    const script = `${escape(mark, `: > ${started}`)}; while [ ! -e ${started} ]; do sleep 0.01; done; exit 5`;
    assert.equal((await startJob(taskOf('/bin/sh', ['-c', script]), recorder(), { tier: found }).exited).exitCode, 5);
    assert.deepEqual(withWord(mark), []);
  });

  test('a limit of processes is the program’s alone', async (t) => {
    const sink = recorder();
    const task = taskOf('/bin/sh', ['-c', ': & wait; echo two'], { limits: { pids: 2 } });
    const outcome = await startJob(task, sink, { tier: found }).exited;
    if (outcome.errorCode === 'unsupported') return t.skip('no pids cgroup');
    assert.equal(sink.stdoutText(), 'two\n');
  });

  test('the processor time of a program is told', async () => {
    const script = 'import time\nwhile time.process_time() < 0.2: pass';
    const { usage } = await startJob(taskOf(python, ['-c', script]), recorder(), { tier: found }).exited;
    assert.ok((usage?.cpuMs ?? 0) >= 190 && (usage?.cpuMs ?? 0) < 2000, String(usage?.cpuMs));
  });
});

describe('when the process that started a job is killed', () => {
  for (const { name, tier, skip } of tiers) {
    test(`a job ${name} leaves nothing that can be found`, { skip }, async (t) => {
      const { child, runId, says } = startApart(t, tier, [python, fixture('double-forks.py')]);
      await says(/ready/);
      assert.notDeepEqual(carriersOf(runId), []);
      child.kill('SIGKILL');
      await until('nothing left', () => carriersOf(runId).length === 0);
    });
  }

  const skip = !found.pidNamespace && 'no pid namespace can be made here';
  test('a job in a pid namespace leaves nothing at all', { skip }, async (t) => {
    const mark = `${newRunId()}-escaped`;
    const { child, says } = startApart(t, found, ['/bin/sh', '-c', `${escape(mark, 'echo ready')}; exec sleep 1000`]);
    await says(/ready/);
    assert.equal(withWord(mark).length, 1);
    child.kill('SIGKILL');
    await until('it gone', () => withWord(mark).length === 0);
  });
});

/** A command of sh: a process that has left parent, session, group and environment, and ignores what it can. */
function escape(mark: string, first: string): string {
  return `setsid -f env -i /bin/sh -c 'trap "" TERM HUP INT; ${first}; while :; do sleep 0.05; done' ${mark}`;
}

/** Living processes with this word in their command line. */
function withWord(word: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && isAlive(pid) && commandOf(pid).split(' ').includes(word));
}

/** A job whose starter is a process of its own; what is left of both is ended with the test. */
function startApart(
  t: TestContext,
  tier: Tier,
  command: readonly string[],
): { child: ChildProcess; runId: string; says: (pattern: RegExp) => Promise<void> } {
  const runId = newRunId();
  const child = spawn(process.execPath, [fixture('run-jobs.ts'), JSON.stringify(tier), runId, ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => {
    child.kill('SIGKILL');
    for (const pid of carriersOf(runId)) process.kill(pid, 'SIGKILL');
  });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  return { child, runId, says: (pattern) => until(`output ${pattern}`, () => pattern.test(output)) };
}
