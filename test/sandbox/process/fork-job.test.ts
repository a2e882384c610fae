/** Jobs whose programs a real fork server starts: what a spawn does for them it must do as well. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { forkKey, forkServerPath } from '../../../runtimes/python3/fork-key.ts';
import { probeTier, type Tier } from '../../../sandbox/process/job.ts';
import { endLeftover } from '../../../sandbox/process/leftover.ts';
import { probeLimits } from '../../../sandbox/process/limits.ts';
import { readProc } from '../../processes.ts';
import { Scratch } from '../../scratch.ts';
import { forksOf, withoutNamespace } from './fork-harness.ts';
import { fixture, isAlive, newRunId, python, recorder, until } from './harness.ts';

const found = probeTier();
const tiers: readonly { readonly name: string; readonly tier: Tier; readonly skip: string | false }[] = [
  { name: 'without a namespace', tier: withoutNamespace, skip: !existsSync(python) && 'no python3' },
  { name: 'in a pid namespace', tier: found, skip: !found.pidNamespace && 'no pid namespace can be made here' },
];

const scratch = new Scratch();

/** Living processes with this word in an argument or a variable. */
function withWord(word: string): number[] {
  const has = (pid: number): boolean => ['cmdline', 'environ'].some((name) => readProc(pid, name).includes(word));
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && isAlive(pid) && has(pid));
}

for (const { name, tier, skip } of tiers) {
  describe(`a forked job ${name}`, { skip }, () => {
    const forks = forksOf({ after }, { script: forkServerPath, keyOf: forkKey }, tier);
    before(() => forks.warm());

    test('is forked, brings its output, its input and its exit code, and what it used', async () => {
      const sink = recorder();
      const run = forks.start(
        'import sys; print(sys.stdin.read(), end=""); print("err", file=sys.stderr); sys.exit(3)',
        {},
        sink,
        'in\0put',
      );
      const { reason, exitCode, usage } = await run.exited;
      assert.deepEqual([reason, exitCode, run.spawned], ['exit', 3, []]);
      assert.deepEqual([sink.stdoutText(), sink.stderrText()], ['in\0put', 'err\n']);
      assert.ok((usage?.startMs ?? 0) > 0 && (usage?.maxRssBytes ?? 0) > 2 ** 20);
    });

    test('tells its processor time', async () => {
      const { usage } = await forks.start('import time\nwhile time.process_time() < 0.2: pass').exited;
      assert.ok((usage?.cpuMs ?? 0) >= 190 && (usage?.cpuMs ?? 0) < 2000, String(usage?.cpuMs));
    });

    test('brings all of a large output', async () => {
      const sink = recorder();
      await forks.start('import sys; sys.stdout.buffer.write(bytes(20 * 2 ** 20))', {}, sink).exited;
      assert.equal(sink.bytes(), 20 * 2 ** 20);
    });

    test('shows what it prints at once', async () => {
      const sink = recorder();
      const run = forks.start('import time; print("up", flush=True); time.sleep(1000)', {}, sink);
      await until('its line', () => sink.stdoutText() === 'up\n');
      run.stop();
      assert.equal((await run.exited).reason, 'canceled');
    });

    test('can open its standard descriptors by name, and has no others', async () => {
      const sink = recorder();
      const source = `
import os
print(open('/dev/stdin').read(), file=open('/dev/stdout', 'w'))
open('/dev/stderr', 'w').write('err')
print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:-1])`;
      assert.equal((await forks.start(source, {}, sink, 'in').exited).exitCode, 0);
      assert.deepEqual([sink.stdoutText(), sink.stderrText()], ['in\n[0, 1, 2]\n', 'err']);
    });

    test('has an empty stdin by default', async () => {
      const sink = recorder();
      await forks.start('import sys; print(repr(sys.stdin.read()))', {}, sink).exited;
      assert.equal(sink.stdoutText(), "''\n");
    });

    test('has its directory, its variables and the id of its run, and nothing else', async () => {
      const sink = recorder();
      const env = { PATH: '/usr/bin:/bin', SECRET: 'a\nb' };
      const run = forks.start('import os; print(os.getcwd(), dict(os.environ))', { cwd: scratch.root, env }, sink);
      await run.exited;
      const expected = { ...env, PRISN_RUN_ID: run.task.runId };
      const shown = sink.stdoutText().replaceAll("'", '"').replace(`${scratch.root} `, '');
      const { LC_CTYPE: _, ...variables } = JSON.parse(shown) as Record<string, string>;
      assert.deepEqual(variables, expected);
    });

    test('hands its variables to what it starts, and leads a session', async () => {
      const sink = recorder();
      const source = `
import os, subprocess
p = os.getpid()
print(os.getsid(0) == p, os.getpgrp() == p, p != 1, flush=True)
subprocess.run(['/usr/bin/env'])`;
      await forks.start(source, { env: { K: 'v' } }, sink).exited;
      assert.match(sink.stdoutText(), /^True True True\n/);
      assert.match(sink.stdoutText(), /^K=v$/m);
    });

    test('can gain no privileges', { skip: !found.noNewPrivileges && 'no setpriv' }, async () => {
      const sink = recorder();
      await forks.start('print(open("/proc/self/status").read())', {}, sink).exited;
      assert.match(sink.stdoutText(), /^NoNewPrivs:\t1$/m);
    });

    test('tells the signal that ended its program', async () => {
      const sink = recorder();
      const { reason, exitCode, signal } = await forks.start('import os; os.kill(os.getpid(), 11)', {}, sink).exited;
      assert.deepEqual([reason, exitCode, signal, sink.stderrText()], ['signal', 139, 'SIGSEGV', '']);
    });

    test('tells an exit code above 128 from a signal', async () => {
      const { reason, exitCode } = await forks.start('import sys; sys.exit(139)').exited;
      assert.deepEqual([reason, exitCode], ['exit', 139]);
    });

    const doubleForks = readFileSync(fixture('double-forks.py'), 'utf8');
    const mark = (): string => `mark-${newRunId()}`;
    test('ends with the program, and takes what it left in the background with it', async () => {
      const word = mark();
      const source = `
import os, subprocess
subprocess.Popen(['setsid', 'sh', '-c', 'sleep 1000; : ${word}'], env={})
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        subprocess.run(['sh', '-c', 'sleep 1000; : ${word}'])
    os._exit(0)`;
      assert.equal((await forks.start(source).exited).exitCode, 0);
      assert.deepEqual(withWord(word), []);
    });

    test('ends as canceled when it is stopped, whole', async () => {
      const sink = recorder();
      const run = forks.start(doubleForks, {}, sink);
      await until('it ready', () => sink.stdoutText().includes('ready'));
      const monitor = await run.process;
      assert.ok(monitor && isAlive(monitor.pid));
      run.stop();
      run.stop();
      assert.equal((await run.exited).reason, 'canceled');
      assert.deepEqual(withWord(run.task.args[0] ?? ''), []);
      assert.ok(!isAlive(monitor.pid));
    });

    test('is asked to leave by SIGTERM first, and killed when it does not', async () => {
      const polite = `
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'bye\\n'), sys.exit(0)))
print('up', flush=True)
time.sleep(1000)`;
      const rude =
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(1000)";
      for (const [source, output] of [
        [polite, 'up\nbye\n'],
        [rude, 'up\n'],
      ] as const) {
        const sink = recorder();
        const run = forks.start(source, {}, sink);
        await until('it up', () => sink.stdoutText().includes('up'));
        run.stop();
        assert.equal((await run.exited).reason, 'canceled');
        assert.equal(sink.stdoutText(), output);
      }
    });

    test('that is stopped at once is gone at once', async () => {
      const run = forks.start('import time; time.sleep(1000)');
      run.stop();
      assert.equal((await run.exited).reason, 'canceled');
      assert.deepEqual(withWord(run.task.args[0] ?? ''), []);
    });

    test('ends at its timeout', async () => {
      const run = forks.start('import time; time.sleep(1000)', { limits: { timeoutMs: 200 } });
      assert.equal((await run.exited).reason, 'timeout');
    });

    test('ends when it has more memory than it may', {
      skip: probeLimits().memory === 'none' && 'no limit of memory',
    }, async () => {
      const limits = { memoryBytes: 64 * 2 ** 20, timeoutMs: 60_000 };
      const run = forks.start('x = [bytearray(2 ** 20) for _ in range(500)]\nimport time; time.sleep(60)', { limits });
      const { reason, exitCode } = await run.exited;
      assert.deepEqual([reason, exitCode, run.spawned], ['memory', 137, []]);
    });

    test('has a limit of processes that is its own alone', { skip: !probeLimits().pids && 'no pids cgroup' }, async () => {
      const sink = recorder();
      const source = `
import os, time
for _ in range(5):
    try:
        if os.fork() == 0: time.sleep(1000)
        print('one', flush=True)
    except OSError as error:
        print(error.errno)`;
      await forks.start(source, { limits: { pids: 3 } }, sink).exited;
      assert.equal(sink.stdoutText(), 'one\none\n11\n11\n11\n');
    });

    test('that kills its parent ends, and its server lives', async () => {
      const { servers } = forks.servers.stats();
      const run = forks.start('import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(1000)', { limits: { timeoutMs: 5000 } });
      const { reason } = await run.exited;
      // In a namespace its parent is the init, which no signal from inside ends.
      assert.ok(['signal', 'timeout', 'crashed'].includes(reason), reason);
      assert.deepEqual([forks.servers.stats().servers, forks.servers.stats().lost], [servers, 0]);
    });

    test('that nobody watches any more is found by its record, and ended', async () => {
      const sink = recorder();
      const run = forks.start(doubleForks, {}, sink);
      await until('it ready', () => sink.stdoutText().includes('ready'));
      assert.ok((await endLeftover(run.task.runId, await run.process)) >= 2);
      await run.exited;
      assert.deepEqual(withWord(run.task.args[0] ?? ''), []);
    });

    const refused: readonly (readonly [what: string, args: () => readonly string[], more: object, reason: string])[] = [
      ['a directory that does not exist', () => [scratch.file('a.py', 'pass')], { cwd: '/no/such/folder' }, 'invalid'],
      ['an argument with a NUL byte', () => [scratch.file('a.py', 'pass'), 'a\0b'], {}, 'invalid'],
      ['an argument of 200 kB', () => [scratch.file('a.py', 'pass'), 'x'.repeat(200 * 1024)], {}, 'invalid'],
      ['a file that does not exist', () => ['/no/such/file.py'], {}, 'exit'],
      [
        'a folder with a __main__.py',
        () => [scratch.file('app/__main__.py', 'raise SystemExit(5)').replace('/__main__.py', '')],
        {},
        'exit',
      ],
    ];
    for (const [what, args, more, reason] of refused)
      test(`with ${what} is spawned, and ends as that does`, async () => {
        const run = forks.start('pass', { args: args(), ...more });
        assert.equal((await run.exited).reason, reason);
        assert.equal(run.spawned.length, 1);
      });

    test('runs beside others and is not mixed up with them', async () => {
      const sinks = Array.from({ length: 20 }, () => recorder());
      const runs = sinks.map((sink, index) => forks.start(`print(${index})`, {}, sink));
      await Promise.all(runs.map((run) => run.exited));
      assert.deepEqual(
        sinks.map((sink) => sink.stdoutText()),
        sinks.map((_, index) => `${index}\n`),
      );
    });
  });
}

describe('when the process that has the fork server is killed', () => {
  for (const { name, tier, skip } of tiers)
    test(`a forked job ${name} leaves nothing`, { skip }, async (t) => {
      const word = `mark-${newRunId()}`;
      const file = scratch.file(
        `${word}.py`,
        `
import os, subprocess, sys, time
subprocess.Popen(['setsid', 'sh', '-c', 'sleep 1000; : ${word}'], env={})
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(1000)
    os._exit(0)
print('ready', os.getpid(), flush=True)
time.sleep(1000)`,
      );
      const child = spawn(process.execPath, [fixture('run-forked.ts'), JSON.stringify(tier), file, word], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.after(() => child.kill('SIGKILL'));
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
      await until(`it ready: ${output}`, () => output.includes('ready'));
      assert.ok(withWord(word).length > 3, withWord(word).join());
      child.kill('SIGKILL');
      await until('nothing left', () => withWord(word).length === 0);
    });
});
