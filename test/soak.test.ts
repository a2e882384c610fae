/**
 * A server that runs for long stays as it is: memory, descriptors, processes and what is stored do not grow with the number
 * of executions.
 *
 * The work comes in turns, each with a rest in which what ends late has ended. The least of the last turns is compared with the
 * most of the first ones, since what is no leak goes up and down: isolate hosts grow until they are replaced. The daemon, which
 * never is, has a small heap (its live part takes 24 MB), so that V8 cannot leave its garbage lie, and one that outgrows it ends.
 */
import assert from 'node:assert/strict';
import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { full, rounds } from './full.ts';
import { needs } from './machine.ts';
import { descriptorsOf, isAlive, needsProc, pssOf, treeOf } from './processes.ts';
import { root } from './prisn.ts';
import { Server } from './server.ts';

const count = rounds(1500, 100_000);
const clients = 16;
const turns = 15;
/** Turns at the beginning and at the end that are compared. The very first makes what stays: hosts, code, the store's caches. */
const looks = 4;
const retention = 500;

const smallHeap = ['--max-old-space-size=64', '--max-semi-space-size=4'];
const command = [process.execPath, ...smallHeap, '--', join(root, 'dist/prisn.cjs')] as const;

/** Of the server: the daemon, and all that is below it. */
interface Footprint {
  readonly daemonMb: number;
  readonly childrenMb: number;
  readonly descriptors: number;
  readonly processes: number;
}

/**
 * What may come on top. Between the first and the last turns compared lie 60,000 executions, so the long form sees what leaves
 * 500 bytes each; the short one what leaves 40 kB each, or one descriptor in sixty.
 */
const most: Footprint = { daemonMb: 30, childrenMb: 40, descriptors: 10, processes: 2 };
/** Of 500 executions with their logs and indexes, and what LevelDB has not compacted yet. */
const storedMb = 32;

/** One in so many is of this kind; the first that fits. */
const kinds: readonly { readonly every: number; readonly run: (server: Server, i: number) => Promise<void> }[] = [
  { every: 60, run: (server, i) => execution(server, 'Completed', { deployment_id: 'python', args: [String(i)] }) },
  { every: 40, run: (server) => execution(server, 'Failed', { source: 'process.exit(3)', runtime: 'javascript' }) },
  { every: 25, run: (server) => execution(server, 'Failed', { deployment_id: 'throws' }) },
  { every: 7, run: called },
  { every: 3, run: (server, i) => execution(server, 'Completed', { source: `console.log(${i})`, runtime: 'javascript' }) },
  { every: 1, run: (server, i) => execution(server, 'Completed', { deployment_id: 'job', input: { i } }) },
];

const deployments = {
  job: {
    source: "export default ({ i }) => { console.log('run', i); return { i, text: 'x'.repeat(200) }; };",
    runtime: 'javascript',
  },
  throws: { source: "export default () => { throw new Error('as it should'); };", runtime: 'javascript' },
  answers: { source: 'export default { fetch: (request) => new Response(request.url) };', runtime: 'javascript' },
  python: { source: 'import sys\nprint(sys.argv[1])\n', runtime: 'python3' },
};

async function execution(server: Server, ends: string, body: object): Promise<void> {
  const { status, body: shown } = await server.request('POST', '/api/v1/executions', { ...body, wait: true });
  assert.equal(status, 200);
  assert.equal((shown as { status: string }).status, ends);
}

async function called(server: Server, i: number): Promise<void> {
  const { status, text } = await server.request('GET', `/fn/answers/${i}`);
  assert.equal(status, 200);
  assert.match(text, new RegExp(`/${i}$`));
}

async function work(server: Server, from: number, to: number): Promise<void> {
  let next = from;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (next < to) {
        const i = next++;
        await kinds.find(({ every }) => i % every === 0)?.run(server, i);
      }
    }),
  );
}

function footprint(server: Server): Footprint {
  const tree = treeOf(server.pid).filter(isAlive);
  const sum = (of: (pid: number) => number): number => tree.reduce((total, pid) => total + of(pid), 0);
  const daemonMb = pssOf(server.pid) / 2 ** 20;
  return { daemonMb, childrenMb: sum(pssOf) / 2 ** 20 - daemonMb, descriptors: sum(descriptorsOf), processes: tree.length };
}

/** What is stored, once retention has come by. */
async function storedAfterRetention(server: Server): Promise<number> {
  for (const deadline = Date.now() + 150_000; ; await pause(1000)) {
    const { body } = await server.request('GET', '/api/v1/executions?limit=1');
    const { total } = body as { total: number };
    if (total <= retention) break;
    if (Date.now() > deadline) assert.fail(`${total} executions are kept, and ${retention} may be`);
  }
  const folder = join(server.home, 'data');
  return globSync('**', { cwd: folder }).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0) / 2 ** 20;
}

const needed = needsProc.skip === false ? needs('python3') : needsProc;

test(`${count} executions leave nothing behind`, { ...needed, timeout: 3_600_000 }, async (context) => {
  const server = await Server.start(context, {
    command,
    flags: ['--retention-count', String(retention), '--log-level', 'warn'],
  });
  for (const [name, body] of Object.entries(deployments))
    assert.equal((await server.request('PUT', `/api/v1/deployments/${name}`, body)).status, 201);
  const seen: Footprint[] = [];
  for (let turn = 0; turn < turns; turn++) {
    await work(server, Math.floor((count * turn) / turns), Math.floor((count * (turn + 1)) / turns));
    await pause(full ? 3000 : 150);
    seen.push(footprint(server));
  }
  const [first, last] = [seen.slice(1, 1 + looks), seen.slice(-looks)];
  for (const what of Object.keys(most) as (keyof Footprint)[]) {
    const before = Math.max(...first.map((one) => one[what]));
    const after = Math.min(...last.map((one) => one[what]));
    context.diagnostic(`${what}: ${seen.map((one) => Math.round(one[what])).join(' ')}`);
    assert.ok(after <= before + most[what], `${what}: at most ${before} at first, and never below ${after} at the end`);
  }
  if (full) assert.ok((await storedAfterRetention(server)) < storedMb);
});
