import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import type { BenchResult } from '../../src/cli/bench-result.ts';
import { readDocument, tableBelow } from '../documents.ts';
import { needs } from '../machine.ts';
import { prisn, type Result, startPrisn } from '../prisn.ts';
import { isAlive, membersOf, needsProc, until } from '../processes.ts';
import { Scratch } from '../scratch.ts';
import { Server } from '../server.ts';

const scratch = new Scratch();
const hello = scratch.file('hello.sh', 'echo hello\n');

/** Few calls, and no time lost before them. */
const brief = ['--requests', '2', '--warm-up', '0'];
const briefJson = [...brief, '-o', 'json'];

/** As many rounds as a comparison takes. */
const compared = ['--requests', '5', '--warm-up', '0'];

function resultOf({ stdout }: Pick<Result, 'stdout'>): BenchResult {
  return JSON.parse(stdout) as BenchResult;
}

describe('prisn bench run', needs('bash'), () => {
  test('measures so many runs, and prints nothing else', async () => {
    const result = await prisn(['bench', 'run', ...briefJson, hello, 'one']);
    assert.deepEqual([result.code, result.stderr], [0, '']);
    const { prisn_bench, kind, load, target, control, memory } = resultOf(result);
    assert.deepEqual([prisn_bench, kind, load], [1, 'run', { loop: 'closed', concurrency: 1 }]);
    assert.deepEqual([target.name, target.calls, target.failed], [`${hello} one`, 2, 0]);
    assert.ok((target.latency_ms?.min ?? 0) > 1 && control.calls > 0 && target.per_s > 0);
    assert.equal(
      target.rounds.reduce((sum, { calls }) => sum + calls, 0),
      2,
    );
    assert.ok(process.platform !== 'linux' || (memory && memory.bytes > 0 && (target.cpu_ms ?? 0) > 0));
  });

  test('shows a table and a chart without -o', async () => {
    // It lasts, so that its memory is seen.
    const { stdout, code } = await prisn(['bench', 'run', ...brief, scratch.file('waits.sh', 'sleep 0.3\n')]);
    assert.equal(code, 0);
    assert.match(stdout, /^run \S+ without a server, 1 at once, [\d.]+ s\n/);
    assert.match(stdout, /CALLS +A SECOND +MEAN +P50 +P90 +P95 +P99 +P99\.9 +MAX\n\S+ +2 /);
    assert.match(stdout, /\d ms … [\d.]+ ms +\d+ +#+\n/);
    assert.match(stdout, /memory \d+ MB in \d+ process/);
  });

  test('tells how a program fails, and fails when it always does', async () => {
    const failing = scratch.file('fails.sh', 'echo out of luck >&2; exit 3\n');
    const result = await prisn(['bench', 'run', ...briefJson, failing]);
    const { target } = resultOf(result);
    assert.deepEqual([result.code, target.calls, target.failed, target.failures], [1, 0, 2, { 'exit code 3': 2 }]);
    assert.equal(target.latency_ms, null);
    const { stdout, code } = await prisn(['bench', 'run', ...brief, failing]);
    assert.equal(code, 1);
    assert.match(stdout, /2 of 2 failed \(\S+\): 2 × exit code 3\nthe first of them said:\n {2}out of luck\n\n/);
  });

  test('tells how its baseline fails as well', async () => {
    const failing = scratch.file('baseline-fails.sh', 'echo bad day >&2; exit 4\n');
    const words = ['--requests', '2', '--warm-up', '0', '--baseline', `sh ${failing}`, hello];
    const { stdout, code } = await prisn(['bench', 'run', ...words]);
    assert.equal(code, 0);
    assert.match(stdout, /2 of 2 failed \(sh \S+\): 2 × exit code 4\nthe first of them said:\n {2}bad day\n\n/);
  });

  test('passes when some runs do, and counts the others', async () => {
    const counter = scratch.path('counter');
    const flaky = scratch.file('flaky.sh', `echo x >> ${counter}; [ $(( $(wc -l < ${counter}) % 2 )) = 0 ]\n`);
    const result = await prisn(['bench', 'run', ...briefJson, flaky]);
    const { target } = resultOf(result);
    assert.deepEqual([result.code, target.calls, target.failed], [0, 1, 1]);
  });

  test('takes turns with a baseline, and compares', async () => {
    const result = await prisn(['bench', 'run', ...compared, '-o', 'json', '--baseline', `sh ${hello}`, hello]);
    const { baseline, comparisons } = resultOf(result);
    assert.deepEqual([baseline?.name, baseline?.calls], [`sh ${hello}`, 5]);
    const [comparison] = comparisons;
    assert.deepEqual([comparison?.with, comparison?.how], [`sh ${hello}`, 'in turns']);
    const p50 = comparison?.figures.find(({ name }) => name === 'p50_ms');
    assert.ok(p50 && p50.change > 0 && p50.after > p50.before);
  });

  test('hands options after -- to prisn run', async () => {
    const script = scratch.file('level.sh', '[ "$LEVEL" = high ]\n');
    assert.equal((await prisn(['bench', 'run', ...briefJson, '--', '-e', 'LEVEL=high', script])).code, 0);
    assert.equal((await prisn(['bench', 'run', ...briefJson, script])).code, 1);
  });

  test('says that an option after the file is the program’s', async () => {
    const { stderr } = await prisn(['bench', 'run', ...briefJson, hello, '--duration', '1s']);
    assert.match(stderr, /^prisn: --duration stands after the file, so it goes to the program;/);
  });

  test('ends what runs at an interruption', needsProc, async () => {
    const pidFile = scratch.path('pid');
    const endless = scratch.file('endless.sh', `echo $$ > ${pidFile}; exec sleep 1000\n`);
    const child = startPrisn(['bench', 'run', ...briefJson, endless]);
    const closed = new Promise((resolve) => child.once('close', resolve));
    const pidOf = (): number => Number(scratch.log('pid')[0] ?? 0);
    await until('the program runs', () => isAlive(pidOf()));
    child.kill('SIGINT');
    assert.equal(await closed, 130);
    await until('it is gone', () => !isAlive(pidOf()));
  });

  test('an interruption in the warm-up says that nothing was measured', async () => {
    const counted = scratch.file('counted.sh', `echo x >> ${scratch.path('warm')}\n`);
    const child = startPrisn(['bench', 'run', '--warm-up', '10m', counted]);
    const said = [text(child.stdout as Readable), text(child.stderr as Readable)];
    const closed = new Promise((resolve) => child.once('close', resolve));
    await until('the warm-up goes on', () => scratch.log('warm').length > 2);
    child.kill('SIGINT');
    assert.equal(await closed, 130);
    assert.deepEqual(await Promise.all(said), ['', 'prisn: interrupted in the warm-up, before anything was measured\n']);
  });

  for (const [words, code, says] of [
    [[scratch.path('missing.py')], 126, /missing\.py cannot be measured, it ends with exit code 126: .*missing\.py/],
    [['-'], 2, /needs a file/],
    [['--', '--detach', hello], 2, /--detach has none; see prisn bench trigger/],
    [
      ['--baseline', 'no-such-program', hello],
      126,
      /^prisn: --baseline: no-such-program cannot be measured, it is not on the PATH\n$/,
    ],
    [['--baseline', './no-such-file', hello], 126, /no-such-file cannot be measured, it is no program that can be executed\n$/],
    [['--baseline', "'", hello], 2, /a quote in ''' is not closed/],
  ] as const)
    test(`refuses ${words.join(' ').replace(scratch.root, '')}`, async () => {
      const result = await prisn(['bench', 'run', ...briefJson, ...words]);
      assert.equal(result.code, code);
      assert.match(result.stderr, says);
      assert.equal(result.stdout, '');
    });
});

describe('prisn bench compares', needs('bash'), () => {
  test('with what was saved, in words and as JSON', async () => {
    const file = scratch.path('before.json');
    assert.equal((await prisn(['bench', 'run', ...compared, '--save', file, hello])).code, 0);
    const slow = scratch.file('slow.sh', 'sleep 0.2\n');
    const result = await prisn(['bench', 'run', ...compared, '-o', 'json', '--compare', file, slow]);
    const [comparison] = resultOf(result).comparisons;
    assert.deepEqual([comparison?.with, comparison?.how], [file, 'apart']);
    const p50 = comparison?.figures.find(({ name }) => name === 'p50_ms');
    assert.ok(p50 && p50.after > p50.before && p50.change > 1);
    const { stdout } = await prisn(['bench', 'run', ...compared, '--compare', file, slow]);
    assert.match(stdout, /compared with \S+before\.json, measured earlier; the machine itself: [+-]?\d/);
    assert.match(stdout, /p50 +[\d.]+ ms +[\d.]+ ms +\+\d+ %/);
  });

  const like = (changes: object): string => {
    const { machine } = JSON.parse(readFileSync(scratch.path('own.json'), 'utf8')) as BenchResult;
    const round = { rounds: [] };
    const load = { loop: 'closed', concurrency: 1 };
    const whole = { prisn_bench: 1, kind: 'run', load, machine, target: round, control: round, ...changes };
    return scratch.file('like.json', JSON.stringify(whole));
  };

  test('only with its like', async () => {
    assert.equal((await prisn(['bench', 'run', ...briefJson, '--save', scratch.path('own.json'), hello])).code, 0);
    for (const [file, says] of [
      [scratch.path('nowhere.json'), /nowhere\.json' does not exist/],
      [scratch.file('text', 'not JSON'), /is no result of prisn bench/],
      [scratch.file('other.json', '{"a": 1}'), /is no result of prisn bench/],
      [scratch.file('null.json', 'null'), /is no result of prisn bench/],
      [() => like({ prisn_bench: 7 }), /is of version 7, and this prisn reads version 1/],
      [() => like({ kind: 'fn' }), /is of prisn bench fn, and this is prisn bench run/],
      [() => like({ load: { loop: 'closed', concurrency: 8 } }), /with 8 at once, and this is 1 at once/],
      [() => like({ machine: { host: 'elsewhere', cpu: 'x', cores: 64 } }), /on another machine \(elsewhere, 64 × x\)/],
    ] as const) {
      const { code, stderr } = await prisn([
        'bench',
        'run',
        ...brief,
        '--compare',
        typeof file === 'string' ? file : file(),
        hello,
      ]);
      assert.equal(code, 2);
      assert.match(stderr, says);
    }
  });
});

describe('prisn bench refuses', () => {
  for (const [words, says] of [
    [['--rate', '0'], /--rate: '0' is not a number a second/],
    [['--rate', '-5'], /--rate/],
    [['--concurrency', '0'], /--concurrency: '0' is not a whole number from 1/],
    [['--duration', '5'], /--duration: '5' is not a duration/],
    [['--warm-up', 'long'], /--warm-up: 'long' is not a duration/],
    [['--requests', '0'], /--requests: '0' is not a whole number/],
    [['--requests', '5', '--duration', '5s'], /cannot be used with option/],
    [['--save', '/no/such/folder/x.json'], /there is no folder \/no\/such\/folder/],
    [['--timeout', '0s'], /--timeout/],
  ] as const)
    test(words.join(' '), async () => {
      const { code, stderr, stdout } = await prisn(['bench', 'fn', ...words, 'greet'], { env: { PRISN_DAEMON: 'off' } });
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, says);
    });
});

describe('prisn bench trigger and fn', () => {
  let home: Server;
  const ends: (() => Promise<void> | void)[] = [];
  after(async () => {
    for (const end of ends.toReversed()) await end();
  });
  before(async () => {
    home = await Server.start({ after: (end) => ends.push(end) });
    const deploy = async (name: string, source: string): Promise<void> => {
      const { status, text } = await home.request('POST', '/api/v1/deployments', { name, runtime: 'javascript', source });
      assert.equal(status, 201, text);
    };
    await deploy('echo', 'export default (input) => input;');
    await deploy('same', 'export default (input) => input;');
    await deploy('breaks', 'export default () => { throw new Error("no luck today"); };');
    await deploy(
      'picky',
      `export default { async fetch(request) {
        const url = new URL(request.url);
        const isRight = url.pathname.endsWith('/a') && url.search === '?b=c' && request.headers.get('x-who') === 'me' && await request.text() === 'data';
        return new Response('', { status: isRight ? 200 : 418 });
      } };`,
    );
  });

  test('run jobs and functions of a server, over its port', async () => {
    const triggered = await home.prisn(['bench', 'trigger', ...briefJson, '--input', '{"a": 1}', 'echo']);
    assert.deepEqual([triggered.code, triggered.stderr], [0, '']);
    const { target, kind, by, memory } = resultOf(triggered);
    assert.deepEqual([kind, target.name, target.calls, by], ['trigger', 'echo', 2, `over ${home.url}`]);
    assert.deepEqual(Object.keys(target.phases_ms), ['queued', 'prepare', 'start', 'run', 'HTTP and record']);
    assert.ok(process.platform !== 'linux' || (memory && memory.processes > 1 && (target.cpu_ms ?? 0) > 0));
    const { body } = await home.request('GET', '/api/v1/executions?limit=1');
    const [execution] = (body as { items: { deployment: string; result: unknown }[] }).items;
    assert.equal(execution?.deployment, 'echo');

    const documented = tableBelow(readDocument('docs/bench.md'), 'The result').rows.map(([name]) => name);
    assert.deepEqual(new Set(documented), new Set([...Object.keys(resultOf(triggered)), 'baseline']));

    const called = await home.prisn(['bench', 'fn', ...briefJson, '--data', 'data', '--header', 'X-Who: me', 'picky', 'a?b=c']);
    const { target: fn } = resultOf(called);
    assert.deepEqual([fn.calls, fn.failed, fn.failures], [2, 0, {}]);
    assert.deepEqual(Object.keys(fn.phases_ms), ['queued', 'prepare', 'start', 'run']);

    const socket = await home.prisn(['bench', 'trigger', ...briefJson, '--server', `unix:${home.home}/prisn.sock`, 'echo']);
    assert.equal(resultOf(socket).by, `over unix:${home.home}/prisn.sock`);

    const turns = resultOf(await home.prisn(['bench', 'trigger', ...briefJson, '--baseline', 'same', 'echo']));
    assert.deepEqual([turns.baseline?.name, turns.baseline?.calls, turns.comparisons[0]?.how], ['same', 2, 'in turns']);

    const rate = ['--rate', '50', '--duration', '400ms', '--warm-up', '0', '-o', 'json'];
    const open = resultOf(await home.prisn(['bench', 'trigger', ...rate, 'echo']));
    assert.deepEqual(open.load, { loop: 'open', rate_per_s: 50, concurrency: 256 });
    assert.equal(open.target.calls + (open.generator.unsent ?? 0), 20);
  });

  test('tell what fails, by its kind', async () => {
    const broken = await home.prisn(['bench', 'trigger', ...brief, 'breaks']);
    assert.equal(broken.code, 1);
    assert.match(broken.stdout, /2 of 2 failed \(breaks\): 2 × Failed: exit 1\n/);
    assert.match(broken.stdout, /no luck today/);
    const { target } = resultOf(await home.prisn(['bench', 'fn', ...briefJson, 'picky']));
    assert.deepEqual(target.failures, { 'HTTP status 418': 2 });
    for (const kind of ['trigger', 'fn']) {
      const { code, stderr } = await home.prisn(['bench', kind, ...brief, 'nothing']);
      assert.equal(code, 3);
      assert.match(stderr, /nothing/);
    }
  });

  test('end at an interruption with what was measured, and leave nothing behind', async () => {
    const words = ['bench', 'trigger', '--warm-up', '0', '--duration', '10m', '--concurrency', '4', '-o', 'json', 'echo'];
    const count = async (): Promise<number> => {
      const { body } = await home.request('GET', '/api/v1/executions?limit=1');
      return (body as { total: number }).total;
    };
    const countBefore = await count();
    const child = startPrisn(words, { env: { PRISN_HOME: home.home } });
    let stdout = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    const closed = new Promise((resolve) => child.once('close', (code) => resolve(code)));
    const { pid = 0 } = child;
    while ((await count()) < countBefore + 20);
    process.kill(pid, 'SIGINT');
    assert.equal(await closed, 130);
    const { interrupted, target } = resultOf({ stdout });
    assert.ok(interrupted && target.calls > 0 && target.failed === 0);
    await until('nothing of it runs', () => membersOf(pid).length === 0);
  });
});
