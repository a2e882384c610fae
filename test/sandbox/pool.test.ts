/** What the contract suite cannot show: that a program which breaks its host breaks no more than that. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { IsolatePool } from '../../sandbox/isolate/pool.ts';
import { rounds } from '../full.ts';
import { childrenOf, needsProc, readProc } from '../processes.ts';
import { type Ended, record, type Recording, scriptTask } from './recording.ts';

const megabyte = 2 ** 20;
const pools: IsolatePool[] = [];
after(() => Promise.all(pools.map((pool) => pool.close())));

function newPool(maxHostBytes = 700 * megabyte): IsolatePool {
  const pool = new IsolatePool({ threads: 2, maxHostBytes });
  pools.push(pool);
  return pool;
}

function begin(pool: IsolatePool, code: string, timeoutMs = 20_000): Recording {
  return record((sink) => pool.start(scriptTask(code, { limits: { timeoutMs } }), sink));
}

function run(pool: IsolatePool, code: string, timeoutMs?: number): Promise<Ended> {
  return begin(pool, code, timeoutMs).ended;
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
    const stuck = await run(pool, 'const a = []; a.length = 2 ** 32 - 1; a.indexOf(1)', 300);
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
    assert.match(stdout.slice(-100), /\[prisn: output beyond 10 MB was dropped\]\n$/);
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
    await batch(200);
    // Of all hosts, as the pool renews its own on the way.
    const resident = (): number => hosts().reduce((sum, pid) => sum + residentKb(pid), 0);
    const before = resident();
    await batch(rounds(400, 20_000));
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
