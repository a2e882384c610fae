/**
 * One suite for all that starts a task, isolates, spawned and forked processes: its output, its end and its stop mean the same.
 *
 * Each case says what the program does in the words of each language; the sandbox that runs it is the only difference.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { ForkHabits } from '../../runtimes/python3/fork-habits.ts';
import { forkKey, forkServerPath } from '../../runtimes/python3/fork-key.ts';
import { IsolatePool } from '../../sandbox/isolate/pool.ts';
import { startForkedJob } from '../../sandbox/process/fork-job.ts';
import { ForkServers } from '../../sandbox/process/fork-servers.ts';
import type { ForkRequest } from '../../src/model/fork.ts';
import { probeTier, startJob } from '../../sandbox/process/job.ts';
import { probeLimits } from '../../sandbox/process/limits.ts';
import type { Running, Sink } from '../../sandbox/sandbox.ts';
import type { Limits } from '../../src/model/task.ts';
import { until } from '../processes.ts';
import { Scratch } from '../scratch.ts';
import { python } from './process/harness.ts';
import { type Ended, record, type Recording, scriptTask } from './recording.ts';

interface Case {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly limits?: Limits;
  readonly js: string;
  readonly sh: string;
  readonly py: string;
}

type Start = (program: Case, sink: Sink) => Running;

const cwd = import.meta.dirname;
// Before the pool has its host, which must not see it either.
process.env['OF_OURS'] = 'secret';
const pool = new IsolatePool({ threads: 2, maxHostBytes: 600 * 2 ** 20 });
after(() => pool.close());

const scratch = new Scratch();
const forks = new ForkServers({
  script: forkServerPath,
  keyOf: forkKey,
  habits: new ForkHabits(scratch.path('habits.json')),
  tier: probeTier,
  maxServers: 1,
  idleMs: 60_000,
  maxBytes: 2 ** 30,
  log: () => {},
});
after(() => forks.close());
const request: ForkRequest = { domain: 'test', interpreter: python, env: {} };

let runs = 0;

const sandboxes: Readonly<Record<string, Start>> = {
  isolate: ({ args = [], env = {}, limits = {}, js }, sink) => pool.start(scriptTask(js, { args, env, cwd, limits }), sink),
  process: ({ args = [], env = {}, limits = {}, sh }, sink) =>
    startJob(
      {
        file: '/bin/sh',
        args: ['-c', sh, 'program', ...args],
        env: { PATH: '/usr/bin:/bin', ...env },
        cwd,
        limits,
        runId: `test-contract-${process.pid}-${++runs}`,
      },
      sink,
      { tier: probeTier() },
    ),
  fork: ({ args = [], env = {}, limits = {}, py }, sink) => {
    const runId = `test-contract-${process.pid}-${++runs}`;
    const task = { file: python, args: [scratch.file(`${runId}.py`, py), ...args], env, cwd, limits, runId };
    const found = forks.serverFor(request);
    if ('why' in found) throw new Error(found.why);
    const onSpawn = (why: string): never => assert.fail(`it is spawned: ${why}`);
    return startForkedJob(task, sink, { tier: probeTier(), server: found.server, onSpawn });
  },
};

for (const [name, start] of Object.entries(sandboxes)) {
  const begin = (program: Case): Recording => record((sink) => start(program, sink));
  const run = (program: Case): Promise<Ended> => begin(program).ended;

  describe(`a task in the ${name} sandbox`, { skip: name === 'fork' && !existsSync(python) && 'no python3' }, () => {
    before(async () => {
      if (name === 'fork') await until('a fork server', () => 'server' in forks.serverFor(request), 30_000);
    });

    test('ends with exit code 0 and what it wrote, each stream for itself', async () => {
      const ended = await run({
        js: "console.log('out'); console.error('err');",
        sh: 'echo out; echo err >&2',
        py: 'import sys; print("out"); print("err", file=sys.stderr)',
      });
      assert.deepEqual([ended.reason, ended.exitCode, ended.stdout, ended.stderr], ['exit', 0, 'out\n', 'err\n']);
    });

    test('gets its arguments as they are', async () => {
      const args = ['a b', '--flag', '', '$HOME', 'ü\n'];
      const ended = await run({
        args,
        js: 'process.stdout.write(process.argv.slice(2).join("|"))',
        sh: 'IFS="|"; printf %s "$*"',
        py: 'import sys; sys.stdout.write("|".join(sys.argv[1:]))',
      });
      assert.equal(ended.stdout, args.join('|'));
    });

    test('gets its environment, and nothing of ours', async () => {
      const ended = await run({
        env: { GIVEN: 'value' },
        js: 'console.log(process.env.GIVEN, process.env.OF_OURS ?? "none")',
        sh: 'echo "$GIVEN" "${OF_OURS-none}"',
        py: 'import os; print(os.environ["GIVEN"], os.environ.get("OF_OURS", "none"))',
      });
      assert.equal(ended.stdout, 'value none\n');
    });

    test('runs in its directory', async () => {
      const ended = await run({ js: 'console.log(process.cwd())', sh: 'pwd', py: 'import os; print(os.getcwd())' });
      assert.equal(ended.stdout, `${cwd}\n`);
    });

    test('ends with the exit code that it chose', async () => {
      const ended = await run({ js: 'process.exit(7)', sh: 'exit 7', py: 'raise SystemExit(7)' });
      assert.deepEqual([ended.reason, ended.exitCode], ['exit', 7]);
    });

    test('keeps output that has no newline, and all of it', async () => {
      const ended = await run({
        js: "process.stdout.write('x'.repeat(200_000))",
        sh: 'head -c 200000 /dev/zero | tr "\\0" x',
        py: 'import sys; sys.stdout.write("x" * 200_000)',
      });
      assert.equal(ended.stdout, 'x'.repeat(200_000));
    });

    test('is ended when its time is over, with what it wrote before', async () => {
      const ended = await run({
        limits: { timeoutMs: 400 },
        js: "console.log('before'); for (;;);",
        sh: 'echo before; while :; do :; done',
        py: 'print("before", flush=True)\nwhile True: pass',
      });
      assert.deepEqual([ended.reason, ended.exitCode, ended.stdout], ['timeout', 124, 'before\n']);
      assert.equal(ended.message, 'the program ran longer than 400ms and was ended; give it more with --timeout');
    });

    test('is ended when its time is over while it only waits', async () => {
      const ended = await run({
        limits: { timeoutMs: 300 },
        js: 'setTimeout(() => {}, 60_000)',
        sh: 'sleep 60',
        py: 'import time; time.sleep(60)',
      });
      assert.equal(ended.reason, 'timeout');
    });

    const unlimited = name !== 'isolate' && probeLimits().memory === 'none' && 'neither a cgroup nor /proc';
    test('is ended when it uses more memory than it may', { skip: unlimited }, async () => {
      const ended = await run({
        limits: { memoryBytes: 64 * 2 ** 20, timeoutMs: 60_000 },
        js: 'const all = []; for (let i = 0; ; i++) all.push({ i, text: `number ${i}` });',
        sh: 'x=0123456789abcdef; while [ ${#x} -lt 200000000 ]; do x=$x$x; done; sleep 60',
        py: 'x = [bytearray(2 ** 20) for _ in range(300)]; import time; time.sleep(60)',
      });
      assert.deepEqual([ended.reason, ended.exitCode], ['memory', 137]);
      assert.equal(ended.message, 'the program needed more than 64mb of memory and was ended; give it more with --memory');
    });

    test('is ended by stop, once', async () => {
      const { stop, ended, nextOutput } = begin({
        js: "console.log('up'); setInterval(() => {}, 1000)",
        sh: 'echo up; while :; do sleep 1; done',
        py: 'import time\nprint("up", flush=True)\nwhile True: time.sleep(1)',
      });
      await nextOutput();
      stop();
      stop();
      assert.equal((await ended).reason, 'canceled');
    });

    test('that has ended is not changed by stop, nor is another', async () => {
      const { stop, ended } = begin({ js: 'process.exit(3)', sh: 'exit 3', py: 'raise SystemExit(3)' });
      assert.equal((await ended).exitCode, 3);
      const other = begin({
        js: "setTimeout(() => console.log('done'), 50)",
        sh: 'sleep 0.05; echo done',
        py: 'import time; time.sleep(0.05); print("done")',
      });
      stop();
      assert.equal((await other.ended).stdout, 'done\n');
    });

    test('runs beside others and is not mixed up with them', async () => {
      const ended = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          run({
            args: [String(index)],
            js: 'setTimeout(() => console.log(process.argv[2]), 10)',
            sh: 'echo "$1"',
            py: 'import sys; print(sys.argv[1])',
          }),
        ),
      );
      assert.deepEqual(
        ended.map(({ stdout }) => stdout),
        Array.from({ length: 12 }, (_, index) => `${index}\n`),
      );
    });
  });
}
