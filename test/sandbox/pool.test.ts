/** What the contract suite cannot show: that a program which breaks its host breaks no more than that. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { IsolatePoolOptions } from '../../sandbox/isolate/pool.ts';
import { rounds } from '../full.ts';
import { childrenOf, needsProc, readProc, until } from '../processes.ts';
import { IsolatePool } from './built-pool.ts';
import { type Ended, record, type Recording, scriptTask } from './recording.ts';

const megabyte = 2 ** 20;
const pools: IsolatePool[] = [];
after(() => Promise.all(pools.map((pool) => pool.close())));

function newPool(maxHostBytes = 700 * megabyte, more: Partial<IsolatePoolOptions> = {}): IsolatePool {
  const pool = new IsolatePool({ threads: 2, maxHostBytes, ...more });
  pools.push(pool);
  return pool;
}

interface How {
  readonly domain?: string;
  readonly timeoutMs?: number;
  /** By which its runs are told apart. */
  readonly id?: string;
  readonly paced?: boolean;
  readonly keepsOutput?: boolean;
}

function begin(pool: IsolatePool, code: string, how: How = {}): Recording {
  const { domain, timeoutMs = 20_000, id, paced = false, keepsOutput = false } = how;
  const env = id === undefined ? {} : { PRISN_EXECUTION_ID: id };
  const task = scriptTask(code, { env, paced, limits: { timeoutMs } });
  return record((sink) => pool.start(task, { ...sink, keepsOutput }, domain));
}

function run(pool: IsolatePool, code: string, how?: How): Promise<Ended> {
  return begin(pool, code, how).ended;
}

/** Isolate hosts of this process, by pid. */
function hosts(): number[] {
  return childrenOf(process.pid)
    .filter(({ command }) => command.includes('isolate/host.'))
    .map(({ pid }) => pid);
}

/** Resident memory, in kB. */
function residentKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, 'status'))?.[1]);
}

describe('an isolate host', () => {
  test('that a program crashes takes its programs along, and the next one gets a new host', async () => {
    const pool = newPool();
    const bystander = run(pool, 'setTimeout(() => {}, 10_000)');
    const culprit = await run(pool, "'x'.padEnd(2 ** 29 - 30).split('')");
    assert.ok(culprit.reason === 'crashed' || culprit.reason === 'memory', culprit.reason);
    assert.equal((await bystander).reason, 'crashed');
    assert.equal((await run(pool, 'console.log("again")')).stdout, 'again\n');
  });

  test('whose thread does not come back is killed soon after the timeout', needsProc, async () => {
    const pool = newPool();
    await run(pool, '1');
    const before = hosts();
    const stuck = await run(pool, 'const a = []; a.length = 2 ** 32 - 1; a.indexOf(1)', { timeoutMs: 300 });
    assert.equal(stuck.reason, 'timeout');
    assert.notDeepEqual(hosts(), before);
    assert.equal((await run(pool, 'console.log("again")')).stdout, 'again\n');
  });

  test('is killed when memory that V8 does not count passes its cap', needsProc, async () => {
    const pool = newPool(300 * megabyte);
    const code =
      'const all = []; for (;;) { const m = new WebAssembly.Memory({ initial: 256 }); new Uint8Array(m.buffer).fill(1); all.push(m); }';
    assert.equal((await run(pool, code)).reason, 'memory');
    assert.equal((await run(pool, 'console.log("again")')).stdout, 'again\n');
  });

  test('runs a quick program beside sixteen endless ones', async () => {
    const pool = newPool();
    const endless = Array.from({ length: 16 }, () => begin(pool, 'for (;;);'));
    const quick = await Promise.race([run(pool, 'console.log("quick")'), ...endless.map(({ ended }) => ended)]);
    assert.equal(quick.stdout, 'quick\n');
    for (const { stop } of endless) stop();
    const reasons = await Promise.all(endless.map(async ({ ended }) => (await ended).reason));
    assert.deepEqual(new Set(reasons), new Set(['canceled']));
  });

  test('keeps output within its bound, with a mark', async () => {
    const { stdout, reason } = await run(newPool(), "for (let i = 0; i < 40; i++) console.log('x'.repeat(2 ** 20))");
    assert.equal(reason, 'exit');
    assert.ok(stdout.length < 11 * megabyte, String(stdout.length));
    assert.match(stdout.slice(-100), /\[prisn: output beyond 10mb was dropped\]\n$/);
  });

  test('shows a program nothing of the environment or the files of its process', async () => {
    process.env['PRISN_TEST_SECRET'] = 'secret';
    const { stdout } = await run(
      newPool(),
      'console.log(JSON.stringify(process.env), typeof require, Object.keys(globalThis).join())',
    );
    assert.doesNotMatch(stdout, /secret|require/);
    assert.match(stdout, /^\{\} undefined /);
    assert.doesNotMatch(readProc(hosts().at(-1) ?? 0, 'environ'), /secret/);
  });

  test('gives memory back over many programs', needsProc, async () => {
    const pool = newPool();
    const batch = async (count: number): Promise<void> => {
      for (let done = 0; done < count; done += 20) {
        const outcomes = await Promise.all(Array.from({ length: 20 }, () => run(pool, 'console.log([1, { a: 2 }])')));
        assert.ok(outcomes.every(({ stdout }) => stdout === '[ 1, { a: 2 } ]\n'));
      }
    };
    await batch(rounds(400, 1000));
    // Of all hosts, as the pool renews its own on the way.
    const resident = (): number => hosts().reduce((sum, pid) => sum + residentKb(pid), 0);
    const before = resident();
    await batch(rounds(1000, 20_000));
    assert.ok(resident() < before + 150 * 1024, `${before} → ${resident()}`);
  });

  test('is gone when the pool is closed, and what ran there is interrupted', needsProc, async () => {
    const pool = newPool();
    const running = run(pool, 'setTimeout(() => {}, 10_000)');
    await run(pool, '1');
    await pool.close();
    assert.equal((await running).reason, 'interrupted');
    await Promise.all(pools.map((each) => each.close()));
    assert.deepEqual(hosts(), []);
  });
});

const crash = "'x'.padEnd(2 ** 29 - 30).split('')";
const hog =
  'const all = []; for (;;) { const m = new WebAssembly.Memory({ initial: 256 }); new Uint8Array(m.buffer).fill(1); all.push(m); }';
const stuck = 'const a = []; a.length = 2 ** 32 - 1; a.indexOf(1)';
const waits = "console.log('up'); setTimeout(() => {}, 15_000)";

describe('a program whose host is lost', () => {
  test('to one that held on to its thread hears of it by name, and may be run again', async () => {
    const pool = newPool();
    const neighbour = begin(pool, waits);
    await neighbour.nextOutput();
    const culprit = await run(pool, stuck, { timeoutMs: 300, id: 'exec-stuck' });
    assert.deepEqual([culprit.reason, culprit.blameless], ['timeout', undefined]);
    const { reason, message, blameless } = await neighbour.ended;
    assert.deepEqual([reason, blameless], ['crashed', true]);
    assert.match(message ?? '', /because of \/program\.js \(exec-stuck\)/);
  });

  test('has a short while to end, in which the next program gets another host', async () => {
    const pool = newPool();
    // The timeout below counts from here on, the neighbour's wait from the start of its host.
    await run(pool, '1');
    const neighbour = run(pool, "setTimeout(() => console.log('done'), 1000)");
    await run(pool, stuck, { timeoutMs: 300 });
    assert.equal((await run(pool, 'console.log("again")')).stdout, 'again\n');
    const { reason, stdout } = await neighbour;
    assert.deepEqual([reason, stdout], ['exit', 'done\n']);
  });

  test('is not blameless after an effect: a fetch, or output that somebody reads at once', async () => {
    const pool = newPool();
    const fetching = begin(pool, `fetch('http://127.0.0.1:9/').catch(() => console.log('fetched')); ${waits.slice(19)}`);
    const paced = begin(pool, waits, { paced: true });
    const kept = begin(pool, waits, { paced: true, keepsOutput: true });
    await Promise.all([fetching, paced, kept].map((each) => each.nextOutput()));
    await run(pool, stuck, { timeoutMs: 300 });
    for (const { ended } of [fetching, paced]) {
      const { reason, blameless } = await ended;
      assert.deepEqual([reason, blameless], ['crashed', undefined]);
    }
    assert.equal((await kept.ended).blameless, true);
  });

  for (const [how, code, reasons] of [
    ['a crash', crash, ['crashed', 'memory']],
    ['its memory', hog, ['memory']],
  ] as const)
    test(`to ${how} among several is a suspect; run again, alone, the one who did it is known`, async () => {
      const pool = newPool(300 * megabyte);
      const neighbours = ['a', 'b'].map((id) => begin(pool, "setTimeout(() => console.log('ran'), 700)", { id }));
      const culprit = await run(pool, code, { id: 'culprit' });
      const first = await Promise.all(neighbours.map(({ ended }) => ended));
      assert.deepEqual(
        new Set([culprit, ...first].map(({ reason, blameless }) => `${reason} ${blameless}`)),
        new Set(['crashed true']),
      );
      assert.match(culprit.message ?? '', /one of the programs .*\(a\).*\(b\).*\(culprit\)/);

      const again = [
        run(pool, code, { id: 'culprit' }),
        ...['a', 'b'].map((id) => run(pool, "setTimeout(() => console.log('ran'), 700)", { id })),
      ];
      const [guilty, ...innocent] = await Promise.all(again);
      assert.ok(reasons.some((reason) => reason === guilty?.reason));
      assert.equal(guilty?.blameless, undefined);
      assert.deepEqual(
        innocent.map(({ stdout }) => stdout),
        ['ran\n', 'ran\n'],
      );
      assert.equal(pool.stats().restarts, 2);
    });
});

describe('a trust domain', () => {
  test('shares its host with no other', needsProc, async () => {
    const pool = newPool();
    await Promise.all([run(pool, '1', { domain: 'a' }), run(pool, '1', { domain: 'b' }), run(pool, '1', { domain: 'a' })]);
    assert.deepEqual(pool.stats(), { hosts: 2, threads: 4, running: 0, restarts: 0 });
    const other = begin(pool, waits, { domain: 'b' });
    await other.nextOutput();
    assert.equal(pool.stats().running, 1);
    await run(pool, crash, { domain: 'a' });
    assert.equal(pool.stats().running, 1);
    other.stop();
    assert.equal((await other.ended).reason, 'canceled');
  });

  test('gets the spare host, and a new one is made ready', needsProc, async () => {
    const before = hosts().length;
    const pool = newPool(undefined, { spare: true });
    await pool.warm();
    const [spare] = hosts().slice(before);
    assert.deepEqual(pool.stats(), { hosts: 1, threads: 2, running: 0, restarts: 0 });
    await run(pool, '1', { domain: 'a' });
    await pool.warm();
    assert.equal(pool.stats().hosts, 2);
    process.kill(spare as number, 'SIGKILL');
    await run(pool, waits, { domain: 'a' });
    assert.equal((await run(pool, 'console.log("again")', { domain: 'a' })).stdout, 'again\n');
  });

  test('that is idle for long loses its host, and the last one takes the spare one along', needsProc, async () => {
    const pool = newPool(undefined, { spare: true, idleMs: 400 });
    await pool.warm();
    const busy = begin(pool, waits, { domain: 'busy' });
    await busy.nextOutput();
    await run(pool, '1', { domain: 'idle' });
    await pool.warm();
    assert.equal(pool.stats().hosts, 3);
    await until('the idle host gone', () => pool.stats().hosts === 2);
    assert.equal(pool.stats().running, 1);
    busy.stop();
    await busy.ended;
    await until('all hosts gone', () => pool.stats().hosts === 0);
    assert.equal((await run(pool, 'console.log("again")')).stdout, 'again\n');
    await pool.warm();
    // The one that ran is idle again, and may have left by now.
    assert.ok(pool.stats().hosts > 0);
  });

  test('that has grown a lot has the spare host when it is quiet, and nothing else does', needsProc, async () => {
    const others = new Set(hosts());
    const pool = newPool(undefined, { spare: true, quietMs: 100 });
    const fills = 'const all = []; for (let i = 0; i < 1_500_000; i++) all.push({ i, next: i + 1 });';
    await run(pool, '1', { domain: 'small' });
    const filling = begin(pool, `${fills} console.log('full'); setTimeout(() => console.log(all.length), 60_000);`, {
      domain: 'grown',
    });
    await filling.nextOutput();
    await pool.warm();
    const [small, grown, spare] = hosts().filter((pid) => !others.has(pid));
    // It is looked at while it runs, and has to be looked at again.
    await delay(400);
    filling.stop();
    await filling.ended;
    await until('a host gone', () => pool.stats().hosts === 2);
    assert.ok(!hosts().includes(grown as number));
    assert.ok(hosts().includes(small as number));
    assert.equal((await run(pool, 'console.log("again")', { domain: 'grown' })).stdout, 'again\n');
    assert.ok(hosts().includes(spare as number));
    assert.equal(pool.stats().restarts, 0);
    // Its next spare host would be taken for one of the tests that follow.
    await pool.close();
  });

  test('makes the host leave that has been idle longest, where more are idle than are kept', needsProc, async () => {
    const others = new Set(hosts());
    const pool = newPool(undefined, { maxIdleHosts: 2 });
    const busy = begin(pool, waits, { domain: 'busy' });
    await busy.nextOutput();
    const newHost = (): number => {
      const pid = hosts().find((each) => !others.has(each)) ?? Number.NaN;
      others.add(pid);
      return pid;
    };
    const kept = [newHost()];
    for (const domain of ['a', 'b', 'c', 'd']) {
      await run(pool, '1', { domain });
      kept.push(newHost());
    }
    await run(pool, '1', { domain: 'c' });
    await until('two idle hosts', () => pool.stats().hosts === 3);
    const [ofBusy, , , ofC, ofD] = kept;
    assert.deepEqual(
      hosts()
        .filter((pid) => kept.includes(pid))
        .toSorted((x, y) => x - y),
      [ofBusy, ofC, ofD].map(Number).toSorted((x, y) => x - y),
    );
    busy.stop();
    await busy.ended;
  });
});
