/**
 * One suite, two sandboxes: whatever starts a task, its output, its end and its stop mean the same.
 *
 * Each case says what the program does in the words of both languages; the sandbox that runs it is the only difference.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { IsolatePool } from '../../sandbox/isolate/pool.ts';
import { startProcess } from '../../sandbox/process/spawn.ts';
import type { Running, Sink } from '../../sandbox/sandbox.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { Limits } from '../../src/model/task.ts';

interface Case {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly limits?: Limits;
  readonly js: string;
  readonly sh: string;
}

type Start = (program: Case, sink: Sink) => Running;

interface Ended extends Outcome {
  readonly stdout: string;
  readonly stderr: string;
}

const cwd = import.meta.dirname;
const pool = new IsolatePool({ threads: 2, maxHostBytes: 600 * 2 ** 20 });
after(() => pool.close());

const sandboxes: Readonly<Record<string, Start>> = {
  isolate: ({ args = [], env = {}, limits = {}, js }, sink) => {
    const entry = '/program.js';
    const program = { entry, modules: { [entry]: { format: 'script' as const, code: js, imports: {} } } };
    return pool.start({ program, args, env, cwd, limits }, sink);
  },
  process: ({ args = [], env = {}, limits = {}, sh }, sink) =>
    startProcess(
      {
        file: '/bin/sh',
        args: ['-c', sh, 'program', ...args],
        env: { PATH: '/usr/bin:/bin', ...env },
        cwd,
        limits,
        runId: `test-${Math.random()}`,
      },
      sink,
    ),
};

function begin(start: Start, program: Case): { running: Running; ended: Promise<Ended>; firstOutput: Promise<void> } {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const first = Promise.withResolvers<void>();
  const running = start(program, {
    stdout: (chunk) => {
      out.push(Buffer.from(chunk));
      first.resolve();
    },
    stderr: (chunk) => void err.push(Buffer.from(chunk)),
  });
  const ended = running.exited.then((outcome) => ({
    ...outcome,
    stdout: Buffer.concat(out).toString(),
    stderr: Buffer.concat(err).toString(),
  }));
  return { running, ended, firstOutput: first.promise };
}

for (const [name, start] of Object.entries(sandboxes)) {
  const run = (program: Case): Promise<Ended> => begin(start, program).ended;

  describe(`a task in the ${name} sandbox`, () => {
    test('ends with exit code 0 and what it wrote, each stream for itself', async () => {
      const ended = await run({ js: "console.log('out'); console.error('err');", sh: 'echo out; echo err >&2' });
      assert.deepEqual([ended.reason, ended.exitCode, ended.stdout, ended.stderr], ['exit', 0, 'out\n', 'err\n']);
    });

    test('gets its arguments as they are', async () => {
      const args = ['a b', '--flag', '', '$HOME', 'ü\n'];
      const ended = await run({
        args,
        js: 'process.stdout.write(process.argv.slice(2).join("|"))',
        sh: 'IFS="|"; printf %s "$*"',
      });
      assert.equal(ended.stdout, args.join('|'));
    });

    test('gets its environment, and nothing of ours', async () => {
      process.env['OF_OURS'] = 'secret';
      const ended = await run({
        env: { GIVEN: 'value' },
        js: 'console.log(process.env.GIVEN, process.env.OF_OURS ?? "none")',
        sh: 'echo "$GIVEN" "${OF_OURS-none}"',
      });
      assert.equal(ended.stdout, 'value none\n');
    });

    test('runs in its directory', async () => {
      const ended = await run({ js: 'console.log(process.cwd())', sh: 'pwd' });
      assert.equal(ended.stdout, `${cwd}\n`);
    });

    test('ends with the exit code that it chose', async () => {
      const ended = await run({ js: 'process.exit(7)', sh: 'exit 7' });
      assert.deepEqual([ended.reason, ended.exitCode], ['exit', 7]);
    });

    test('keeps output that has no newline, and all of it', async () => {
      const ended = await run({ js: "process.stdout.write('x'.repeat(200_000))", sh: 'head -c 200000 /dev/zero | tr "\\0" x' });
      assert.equal(ended.stdout, 'x'.repeat(200_000));
    });

    test('is ended when its time is over, with what it wrote before', async () => {
      const ended = await run({
        limits: { timeoutMs: 400 },
        js: "console.log('before'); for (;;);",
        sh: 'echo before; while :; do :; done',
      });
      assert.deepEqual([ended.reason, ended.exitCode, ended.stdout], ['timeout', 124, 'before\n']);
      assert.match(ended.message ?? '', /400ms/);
    });

    test('is ended when its time is over while it only waits', async () => {
      const ended = await run({ limits: { timeoutMs: 300 }, js: 'setTimeout(() => {}, 60_000)', sh: 'sleep 60' });
      assert.equal(ended.reason, 'timeout');
    });

    test('is ended when it uses more memory than it may', async () => {
      const ended = await run({
        limits: { memoryBytes: 64 * 2 ** 20, timeoutMs: 60_000 },
        js: 'const all = []; for (let i = 0; ; i++) all.push({ i, text: `number ${i}` });',
        sh: 'python3 -c "x = []\nwhile True: x.append(bytearray(1 << 20))"',
      });
      assert.deepEqual([ended.reason, ended.exitCode], ['memory', 137]);
      assert.match(ended.message ?? '', /64mb/);
    });

    test('is ended by stop, once', async () => {
      const { running, ended, firstOutput } = begin(start, {
        js: "console.log('up'); setInterval(() => {}, 1000)",
        sh: 'echo up; while :; do sleep 1; done',
      });
      await firstOutput;
      running.stop();
      running.stop();
      assert.equal((await ended).reason, 'canceled');
    });

    test('that has ended is not changed by stop', async () => {
      const { running, ended } = begin(start, { js: 'process.exit(3)', sh: 'exit 3' });
      assert.equal((await ended).exitCode, 3);
      running.stop();
      assert.equal((await running.exited).exitCode, 3);
    });

    test('runs beside others and is not mixed up with them', async () => {
      const ended = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          run({ args: [String(index)], js: 'setTimeout(() => console.log(process.argv[2]), 10)', sh: 'echo "$1"' }),
        ),
      );
      assert.deepEqual(
        ended.map(({ stdout }) => stdout),
        Array.from({ length: 12 }, (_, index) => `${index}\n`),
      );
    });
  });
}
