/**
 * A server that runs for long stays as it is: memory, descriptors, processes and what is stored do not grow with the number
 * of executions.
 *
 * The work comes in rounds. Two numbers are compared: the least after the first rounds, in which everything is made that stays
 * (hosts, fork servers, code, the store's caches), and the least after the last ones. The least, since a heap swings by tens of
 * megabytes between two collections and none of it is a leak; and each after a rest, in which what ends late has ended.
 */
import assert from 'node:assert/strict';
import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { full, rounds } from './full.ts';
import { needs } from './machine.ts';
import { descriptorsOf, isAlive, needsProc, pssOf, treeOf } from './processes.ts';
import { Server } from './server.ts';

const count = rounds(1500, 100_000);
const clients = 16;
const turns = 15;
/** Turns at the beginning and at the end of which the least is taken. */
const looks = 4;
const retention = 500;

/**
 * What may come on top from the first looks to the last. 100,000 executions that left 500 bytes each would be 50 MB; the short
 * form sees what leaves 60 kB each, such as an isolate, a log or a buffer that is not given back.
 */
const moreBytes = 50 * 2 ** 20;
const moreDescriptors = 10;
const moreProcesses = 2;
/** Of an execution with its log and indexes, and what LevelDB has not compacted yet. */
const storedBytes = 32 * 2 ** 20;

interface Footprint {
  readonly bytes: number;
  readonly descriptors: number;
  readonly processes: number;
}

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
  return { bytes: sum(pssOf), descriptors: sum(descriptorsOf), processes: tree.length };
}

function least(footprints: readonly Footprint[]): Footprint {
  const of = (key: keyof Footprint): number => Math.min(...footprints.map((one) => one[key]));
  return { bytes: of('bytes'), descriptors: of('descriptors'), processes: of('processes') };
}

function tell({ bytes, descriptors, processes }: Footprint): string {
  return `${Math.round(bytes / 2 ** 20)} MB, ${descriptors} descriptors, ${processes} processes`;
}

/** What is stored, once retention has come by. */
async function untilPruned(server: Server, context: TestContext): Promise<number> {
  for (const deadline = Date.now() + 150_000; ; await pause(1000)) {
    const { body } = await server.request('GET', '/api/v1/executions?limit=1');
    const { total } = body as { total: number };
    if (total <= retention) break;
    if (Date.now() > deadline) assert.fail(`${total} executions are kept, and ${retention} may be`);
  }
  const folder = join(server.home, 'data');
  const bytes = globSync('**', { cwd: folder }).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  context.diagnostic(`stored: ${Math.round(bytes / 1024)} kB`);
  return bytes;
}

const needed = needsProc.skip === false ? needs('python3') : needsProc;

test(`${count} executions leave nothing behind`, { ...needed, timeout: 3_600_000 }, async (context) => {
  const server = await Server.start(context, { flags: ['--retention-count', String(retention), '--log-level', 'warn'] });
  for (const [name, body] of Object.entries(deployments))
    assert.equal((await server.request('PUT', `/api/v1/deployments/${name}`, body)).status, 201);
  const seen: Footprint[] = [];
  for (let turn = 0; turn < turns; turn++) {
    await work(server, Math.floor((count * turn) / turns), Math.floor((count * (turn + 1)) / turns));
    await pause(full ? 3000 : 150);
    seen.push(footprint(server));
  }
  // The first turn makes what stays.
  const [before, after] = [least(seen.slice(1, 1 + looks)), least(seen.slice(-looks))];
  context.diagnostic(`${tell(before)} at first; ${tell(after)} at the end`);
  const bounds: readonly (readonly [keyof Footprint, number])[] = [
    ['bytes', moreBytes],
    ['descriptors', moreDescriptors],
    ['processes', moreProcesses],
  ];
  for (const [what, more] of bounds)
    assert.ok(after[what] <= before[what] + more, `${what} grow: ${before[what]} at first, ${after[what]} at the end`);
  if (full) assert.ok((await untilPruned(server, context)) < storedBytes);
});
