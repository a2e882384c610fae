/** The life of a server, as its owner sees it. Restoring is in `daemon-backup.test.ts`. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { ShownExecution } from '../src/api/contract/schemas.ts';
import { prisn } from './prisn.ts';
import { carriersOf, childrenOf, isAlive, membersOf, needsProc, until } from './processes.ts';
import { Scratch } from './scratch.ts';
import { Server } from './server.ts';

const finished = { wait: true };

async function submit(server: Server, runtime: string, source: string, fields: object = {}): Promise<ShownExecution> {
  const { body, text, status } = await server.request('POST', '/api/v1/executions', { runtime, source, ...fields });
  assert.ok(status === 200 || status === 202, text);
  return body as ShownExecution;
}

async function statusOf(server: Server, id: string): Promise<ShownExecution> {
  return (await server.request('GET', `/api/v1/executions/${id}`)).body as ShownExecution;
}

async function untilPrinted(server: Server, id: string): Promise<void> {
  const reply = await fetch(`${server.url}/api/v1/executions/${id}/logs?follow=true`, { headers: { accept: 'text/plain' } });
  for await (const _ of reply.body ?? []) return;
}

const waitsForFile = (file: string): string => `echo running\nwhile [ ! -e ${file} ]; do sleep 0.05; done\necho done`;

test('a second server on a data directory is refused and names the first, also after the lock files were deleted', async (t) => {
  const server = await Server.start(t);
  const data = join(server.home, 'data');
  for (const file of ['holder.json', 'store/level/LOCK', undefined]) {
    const other = new Scratch(t).root;
    const { code, stderr } = await prisn(['server', '--addr', 'off', '--data-dir', data], { env: { PRISN_HOME: other } });
    assert.equal(code, 6, stderr);
    assert.match(
      stderr,
      /is in use by another prisn daemon: (?:process \d+ since .*, socket .*\/prisn\.sock|another process); stop it/,
    );
    if (existsSync(join(data, 'holder.json'))) assert.match(stderr, new RegExp(`process ${server.pid} `));
    if (file !== undefined) rmSync(join(data, file));
  }
  assert.equal((await submit(server, 'bash', 'true', finished)).status, 'Completed');
});

test('a server that loses its lock stops', needsProc, async (t) => {
  const server = await Server.start(t);
  const keeper = childrenOf(server.pid).find(({ command }) => command.startsWith('flock'));
  if (!keeper) return t.skip('no flock(1)');
  process.kill(keeper.pid, 'SIGKILL');
  const [code] = (await once(server.child, 'exit')) as [number];
  assert.equal(code, 1);
  assert.match(server.output, /the lock of the data directory was lost/);
});

test('after a kill another one starts on the same files, and keeps what was accepted', async (t) => {
  const first = await Server.start(t);
  const done = await submit(first, 'bash', 'echo kept', finished);
  const running = await submit(first, 'bash', waitsForFile('/nowhere'));
  await untilPrinted(first, running.id);
  await first.kill();
  const second = await Server.start(t, { home: first.home });
  assert.equal((await statusOf(second, done.id)).stdout, 'kept\n');
  const { status, reason } = await statusOf(second, running.id);
  assert.deepEqual([status, reason], ['Failed', 'interrupted']);
  assert.deepEqual(carriersOf('PRISN_EXECUTION_ID', running.id), []);
});

test('the first signal lets what runs end and refuses what is new, and who waits hears of the end', async (t) => {
  const server = await Server.start(t);
  const go = join(server.home, 'go');
  const job = await submit(server, 'bash', waitsForFile(go));
  await untilPrinted(server, job.id);
  const waiting = server.request('GET', `/api/v1/executions/${job.id}?wait=60s`);
  server.child.kill('SIGTERM');
  await until('it drains', () => server.output.includes('stopping, once what runs has ended'));
  const ready = await server.request('GET', '/ready');
  assert.deepEqual([ready.status, (ready.body as { reasons: string[] }).reasons], [503, ['draining']]);
  assert.equal((await server.request('POST', '/api/v1/executions', { runtime: 'bash', source: 'true' })).status, 503);
  assert.ok(isAlive(server.pid));
  await server.prisn(['run', '--runtime', 'bash', new Scratch(t).file('go.sh', `touch ${go}`)], { env: { PRISN_DAEMON: 'off' } });
  const { status, stdout } = (await waiting).body as ShownExecution;
  assert.deepEqual([status, stdout], ['Completed', 'running\ndone\n']);
  if (server.child.exitCode === null) await once(server.child, 'exit');
  assert.equal(server.child.exitCode, 0);
  assert.ok(!existsSync(join(server.home, 'daemon.json')));
  assert.ok(!existsSync(join(server.home, 'prisn.sock')));
});

test('the first signal lets a run of the command line in its isolates end, and /nodes tells of it', async (t) => {
  const server = await Server.start(t);
  const program = new Scratch(t).file('slow.mjs', "console.log('begun'); setTimeout(() => console.log('done'), 3000);");
  const running = server.prisn(['run', program], { env: { PRISN_SOCKET: join(server.home, 'prisn.sock') } });
  const foregroundRuns = async () => {
    const { items } = (await server.request('GET', '/api/v1/nodes')).body as { items: { foreground_runs: number }[] };
    return items[0]?.foreground_runs;
  };
  while ((await foregroundRuns()) !== 1) await setTimeout(20);
  server.child.kill('SIGTERM');
  const { code, stdout, stderr } = await running;
  assert.deepEqual([code, stdout, stderr], [0, 'begun\ndone\n', '']);
  if (server.child.exitCode === null) await once(server.child, 'exit');
  assert.equal(server.child.exitCode, 0);
});

test('a second signal ends it at once, with all that runs', async (t) => {
  const server = await Server.start(t);
  const job = await submit(server, 'bash', waitsForFile('/nowhere'));
  await untilPrinted(server, job.id);
  server.child.kill('SIGTERM');
  await until('it drains', () => server.output.includes('stopping'));
  server.child.kill('SIGINT');
  const [code] = (await once(server.child, 'exit')) as [number];
  assert.equal(code, 130);
  await until('the job is gone', () => carriersOf('PRISN_EXECUTION_ID', job.id).length === 0);
});

test('at the deadline what still runs ends as interrupted, be it an isolate that nothing stops', async (t) => {
  const server = await Server.start(t, { flags: ['--drain', '200ms'] });
  const jobs = await Promise.all([
    submit(server, 'bash', 'trap "" TERM\necho running\nsleep 60'),
    submit(server, 'javascript', 'console.log("running"); for (;;) [].concat.apply([], new Array(1e5)).indexOf(1);'),
    submit(server, 'javascript', 'console.log("running"); const a = []; a.length = 2 ** 32 - 1; a.indexOf(1);'),
  ]);
  for (const { id } of jobs) await untilPrinted(server, id);
  assert.equal(await server.stop(), 0);
  const next = await Server.start(t, { home: server.home });
  for (const { id } of jobs) {
    const { status, reason } = await statusOf(next, id);
    assert.deepEqual([status, reason], ['Failed', 'interrupted']);
  }
});

test('it lives on when nobody reads its output any more', async (t) => {
  const server = await Server.start(t, { flags: ['--log-level', 'debug'] });
  server.child.stdout?.destroy();
  server.child.stderr?.destroy();
  for (let i = 0; i < 3; i++) {
    await server.request('GET', '/api/v1/executions/exec-none');
    assert.equal((await submit(server, 'bash', 'echo still here', finished)).stdout, 'still here\n');
  }
  assert.equal(await server.stop(), 0);
});

test('what it keeps is its owner’s alone, and the master key stays with it', async (t) => {
  const key = Buffer.alloc(32, 7).toString('base64');
  const server = await Server.start(t, { env: { PRISN_MASTER_KEY: key } });
  assert.ok(!existsSync(join(server.home, 'data/key')));
  await server.request('POST', '/api/v1/secrets', { name: 'a', value: 'hidden-value' });
  const secrets = [{ name: 'a', env: 'A' }];
  const { stdout } = await submit(server, 'bash', 'env; echo "${#A}"', { ...finished, secrets });
  assert.match(stdout ?? '', /^12$/m);
  assert.doesNotMatch(stdout ?? '', /MASTER_KEY|hidden-value/);
  await server.stop();
  const next = await Server.start(t, { home: server.home, env: { PRISN_MASTER_KEY: key } });
  assert.match((await submit(next, 'bash', 'echo "${#A}"', { ...finished, secrets })).stdout ?? '', /^12$/m);
});

test('a start that fails leaves nothing behind', needsProc, async (t) => {
  const scratch = new Scratch(t);
  const flags = ['--addr', '127.0.0.1:0', '--socket', scratch.folder('is-a-folder')];
  const { code, stderr, pid } = await prisn(['server', ...flags], { env: { PRISN_HOME: scratch.path('home') } });
  assert.equal(code, 2);
  assert.match(stderr, /is-a-folder is there and no socket/);
  assert.deepEqual(membersOf(pid), []);
  assert.ok(!existsSync(scratch.path('home/daemon.json')));
  assert.ok(!existsSync(scratch.path('home/data/holder.json')));
});

test('its log names what it did, one JSON object a line', async (t) => {
  const server = await Server.start(t);
  await server.stop();
  const lines = server.output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    [`prisn ${version()} is ready`, 'stopping', 'stopped'],
  );
  assert.ok(lines.every(({ time }) => !Number.isNaN(Date.parse(String(time)))));
  assert.ok(!readdirSync(server.home).includes('daemon.log'));
});

function version(): string {
  return (JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as { version: string }).version;
}
