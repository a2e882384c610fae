/** The daemon's side of fork servers: when there is one, and what becomes of runs whose server does what none should. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { childrenOf, isAlive, python, recorder, until } from './harness.ts';
import { forksOf } from './fork-harness.ts';
import type { ForkRequest } from '../../../src/model/fork.ts';

const request = (env: Readonly<Record<string, string>> = {}, domain = 'test'): ForkRequest => ({
  domain,
  interpreter: python,
  env,
});

/** Stand-ins that live. */
const servers = (): number[] =>
  childrenOf(process.pid)
    .filter(({ pid, command }) => isAlive(pid) && command.includes('stand-in-forkserver'))
    .map(({ pid }) => pid);

const untilNone = (): Promise<void> => until('no server left', () => servers().length === 0);

describe('fork servers', { skip: process.platform !== 'linux' && 'Linux only' }, () => {
  test('start behind the second of two recorded runs, and behind the first of the foreground', async (t) => {
    const { servers: forks } = forksOf(t);
    const first = forks.serverFor(request());
    assert.match('why' in first ? first.why : '', /first of its kind/);
    assert.equal(forks.stats().servers, 0);
    const second = forks.serverFor(request());
    assert.match('why' in second ? second.why : '', /one is started/);
    assert.equal(forks.stats().servers, 1);
    assert.match(JSON.stringify(forks.ticket(request())), /one is started/);
    assert.equal(forks.stats().servers, 2);
    await until('a ticket', () => 'ticket' in forks.ticket(request()));
    const { socket, ticket } = forks.ticket(request()) as { socket: string; ticket: string };
    assert.equal(socket, '@test');
    assert.match(ticket, /^[0-9a-f]{32}$/);
  });

  test('are of one domain and of one set of variables each', async (t) => {
    const { servers: forks } = forksOf(t);
    const serverFor = async (env: Record<string, string>, domain: string): Promise<unknown> => {
      await until('a server', () => 'server' in forks.serverFor(request(env, domain)));
      return (forks.serverFor(request(env, domain)) as { server: unknown }).server;
    };
    const first = await serverFor({}, 'test');
    assert.equal(await serverFor({ UNRELATED: 'x' }, 'test'), first);
    assert.notEqual(await serverFor({}, 'other'), first);
    assert.notEqual(await serverFor({ LC_TEST_OTHER: 'x' }, 'test'), first);
    assert.equal(forks.stats().servers, 3);
  });

  test('are never more than the most, and give way to nobody while they are busy', async (t) => {
    const { servers: forks, warm, start } = forksOf(t, { maxServers: 1 });
    await warm();
    const run = start('import time; time.sleep(1000)');
    await run.process;
    forks.serverFor(request({}, 'other'));
    assert.match(JSON.stringify(forks.serverFor(request({}, 'other'))), /all 1 fork servers are in use/);
    assert.equal(forks.stats().servers, 1);
    run.stop();
    assert.equal((await run.exited).reason, 'canceled');
  });

  test('are none where they are switched off', (t) => {
    const { servers: forks } = forksOf(t, { maxServers: 0 });
    forks.serverFor(request());
    assert.match(JSON.stringify(forks.serverFor(request())), /switched off/);
    assert.equal(forks.stats().declined, 2);
  });

  test('end when they are idle, and not while they run something', async (t) => {
    const { servers: forks, warm, start } = forksOf(t, { idleMs: 150 });
    await warm();
    const sink = recorder();
    const run = start('import sys; print("up", flush=True); sys.stdin.read()\nimport time; time.sleep(0.6)', {}, sink);
    assert.equal((await run.exited).exitCode, 0);
    assert.equal(forks.stats().servers, 1);
    await until('none', () => forks.stats().servers === 0);
    assert.equal(forks.stats().lost, 0);
  });

  test('end while they are idle when all together have too much memory, and none starts', async (t) => {
    const { servers: forks, warm } = forksOf(t, { maxBytes: 2 ** 20, idleMs: 20 });
    await warm().catch(() => {});
    await until('none', () => forks.stats().servers === 0);
    assert.equal(forks.stats().lost, 0);
  });

  test('do not start when the machine is short of memory', (t) => {
    const { servers: forks } = forksOf(t, { leastAvailableBytes: Number.MAX_SAFE_INTEGER });
    forks.serverFor(request());
    assert.match(JSON.stringify(forks.serverFor(request())), /no memory/);
    assert.equal(forks.stats().servers, 0);
  });

  test('import ahead what is learned from runs, by a successor', async (t) => {
    const { servers: forks, habits, warm, start } = forksOf(t);
    await warm();
    await start('pass').exited;
    await until('something learned', () => habits.learned.includes('decimal'));
    const before = servers();
    habits.wanted = ['json', 'decimal'];
    await start('pass').exited;
    await until('a successor, though nobody asks for it', () => servers().length === 1 && before.every((pid) => !isAlive(pid)));
    // Its runs import what it has already, and there is no further one.
    await start('pass').exited;
    forks.serverFor(request());
    assert.equal(forks.stats().servers, 1);
  });

  test('are renewed after so many runs, and the old one ends when its last run has', async (t) => {
    const { servers: forks, warm, start } = forksOf(t, { maxRuns: 2 });
    await warm();
    const long = start('import time; time.sleep(1000)');
    await long.process;
    await start('pass').exited;
    await start('pass').exited;
    const { servers: before } = forks.stats();
    assert.equal(before, 2, 'a successor');
    await until('a run by the successor', () => forks.stats().runs === 1 && servers().length === 2);
    long.stop();
    assert.equal((await long.exited).reason, 'canceled');
    await until('the old one gone', () => forks.stats().servers === 1);
    assert.equal(forks.stats().lost, 0);
  });

  test('that ran often are there before they are asked for', async (t) => {
    const { servers: forks, habits } = forksOf(t);
    habits.kinds = [{ way: 'recorded', domain: 'test', interpreter: python, env: { LC_TEST_TRICK: '', LC_TEST_OTHER: '' } }];
    forks.startAhead();
    assert.equal(forks.stats().servers, 1);
    await until('it ready', () => 'server' in forks.serverFor(request()));
  });

  test('leave nothing when they are closed, nor what they run', async (t) => {
    const { servers: forks, warm, start } = forksOf(t);
    await warm();
    const run = start('import time; time.sleep(1000)');
    const monitor = await run.process;
    await forks.close();
    await run.exited;
    await untilNone();
    assert.ok(monitor && !isAlive(monitor.pid));
  });

  test('are not what a script makes of an interpreter', (t) => {
    const { servers: forks } = forksOf(t);
    const wrapped = { ...request(), interpreter: '/usr/bin/ldd' };
    forks.serverFor(wrapped);
    assert.match(JSON.stringify(forks.serverFor(wrapped)), /is a script/);
  });
});

describe('a fork server that', { skip: process.platform !== 'linux' && 'Linux only' }, () => {
  const tricks: readonly (readonly [what: string, trick: string, why: RegExp])[] = [
    ['dies', 'dies', /exit code 3/],
    ['leaves an order unanswered', 'hangs', /unanswered/],
  ];
  for (const [what, trick, why] of tricks)
    test(`${what} is replaced, and the run is spawned`, async (t) => {
      const env = { LC_TEST_TRICK: trick };
      const { servers: forks, warm, start, log } = forksOf(t);
      await warm(env);
      const sink = recorder();
      const run = start('print("ran")', { env }, sink);
      assert.equal((await run.exited).exitCode, 0);
      assert.equal(sink.stdoutText(), 'ran\n');
      assert.match(run.spawned.join(), why);
      await until('it gone', () => forks.stats().lost === 1);
      assert.match(log.join('\n'), why);
      assert.match(JSON.stringify(forks.serverFor(request(env))), /its last fork server failed/);
      await warm(env);
    });

  for (const [what, trick, complaint] of [
    ['writes what none writes', 'garbles', /none writes: nonsense/],
    ['names a run that it does not have', 'invents', /no such run: another/],
    ['never ends its line', 'never-ends-its-line', /none writes: xxx/],
    ['tells of a start twice', 'repeats', /for the second time/],
  ] as const)
    test(`${what} is complained of, and keeps its runs`, async (t) => {
      const env = { LC_TEST_TRICK: trick };
      const { servers: forks, warm, start, log } = forksOf(t);
      await warm(env);
      const sink = recorder();
      const run = start('import sys; print(sys.stdin.read())', { env }, sink, 'in');
      assert.equal((await run.exited).exitCode, 0);
      assert.deepEqual([sink.stdoutText(), run.spawned], ['in\n', []]);
      assert.match(log.join('\n'), complaint);
      assert.deepEqual([forks.stats().servers, forks.stats().lost], [1, 0]);
    });

  test('refuses a run that has begun does not have it spawned', async (t) => {
    const env = { LC_TEST_TRICK: 'takes-it-back' };
    const { warm, start } = forksOf(t);
    await warm(env);
    const sink = recorder();
    const run = start('print("ran")', { env }, sink);
    assert.equal((await run.exited).reason, 'crashed');
    assert.deepEqual([sink.stdoutText(), run.spawned], ['ran\n', []]);
  });

  test('leaves a ticket unanswered is ended', async (t) => {
    const { servers: forks, log } = forksOf(t);
    await until('a ticket', () => 'ticket' in forks.ticket(request()));
    t.mock.timers.enable({ apis: ['setTimeout'] });
    forks.ticket(request());
    t.mock.timers.tick(6000);
    t.mock.timers.reset();
    await until('it gone', () => forks.stats().lost === 1);
    assert.match(log.join('\n'), /left a ticket unanswered/);
  });

  test('refuses a run has it spawned', async (t) => {
    const env = { LC_TEST_TRICK: 'refuses' };
    const { servers: forks, warm, start } = forksOf(t);
    await warm(env);
    const sink = recorder();
    const run = start('import sys; print(sys.stdin.read())', { env }, sink, 'input');
    assert.equal((await run.exited).exitCode, 0);
    assert.equal(sink.stdoutText(), 'input\n');
    assert.deepEqual(run.spawned, ['it is a folder']);
    assert.equal(forks.stats().lost, 0);
  });

  test('is not fit any more takes no more runs, and another takes its place', async (t) => {
    const env = { LC_TEST_TRICK: 'grows-stale' };
    const { servers: forks, warm, start } = forksOf(t);
    await warm(env);
    const run = start('pass', { env });
    assert.equal((await run.exited).exitCode, 0);
    assert.deepEqual(run.spawned, ['a package was replaced']);
    await until('it gone', () => forks.stats().servers === 0);
    assert.equal(forks.stats().lost, 0);
    await warm(env);
  });

  test('is not fit says why', async (t) => {
    const { servers: forks, log } = forksOf(t);
    const env = { LC_TEST_TRICK: 'unfit' };
    for (let i = 0; i < 2; i++) forks.serverFor(request(env));
    await until('it gone', () => forks.stats().lost === 1);
    assert.match(log.join('\n'), /too old/);
    assert.match(JSON.stringify(forks.serverFor(request(env))), /its last fork server failed: it is too old/);
  });

  test('does not tell of the end of a run that is stopped is replaced', async (t) => {
    const env = { LC_TEST_TRICK: 'forgets-an-end' };
    const { servers: forks, warm, start, log } = forksOf(t);
    await warm(env);
    const run = start('import time; time.sleep(1000)', { env });
    await run.process;
    run.stop();
    assert.equal((await run.exited).reason, 'canceled');
    await until('it gone', () => forks.stats().lost === 1);
    assert.match(log.join('\n'), /did not tell of an end/);
  });

  test('is killed takes its runs with it, which end as crashed', async (t) => {
    const { servers: forks, warm, start } = forksOf(t);
    await warm();
    const run = start('import time; time.sleep(1000)');
    await run.process;
    for (const pid of servers()) process.kill(pid, 'SIGKILL');
    const { reason, message } = await run.exited;
    assert.equal(reason, 'crashed');
    assert.match(message ?? '', /fork server/);
    assert.equal(forks.stats().lost, 1);
    assert.ok(!isAlive((await run.process)?.pid ?? 0));
  });

  test('does not exist has every run spawned', async (t) => {
    const { servers: forks, log } = forksOf(t);
    const missing = { ...request(), interpreter: '/no/such/python' };
    for (let i = 0; i < 2; i++) forks.serverFor(missing);
    await until('it lost', () => forks.stats().lost === 1);
    assert.notEqual(log.join(), '');
  });
});
