/** Many at once, hostile ones among them: none is lost, none runs twice, and the server answers all the while. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { rounds } from './full.ts';
import { needs } from './machine.ts';
import { prisn } from './prisn.ts';
import { Scratch } from './scratch.ts';
import { Server } from './server.ts';

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly reason?: string;
  readonly stdout?: string;
  readonly attempt: number;
}

/** Programs that attack their host, and how each may end. */
const hostile = [
  { source: 'for(;;);', runtime: 'javascript', timeout: '300ms', ends: ['timeout'] },
  { source: 'await new Promise(() => setInterval(() => {}, 1000))', runtime: 'javascript', timeout: '300ms', ends: ['timeout'] },
  {
    source: 'const a = []; for (;;) a.push(new Array(1e5).fill(a.length))',
    runtime: 'javascript',
    timeout: '5s',
    ends: ['memory'],
  },
  { source: "'x'.padEnd(2 ** 29 - 30).split('')", runtime: 'javascript', timeout: '5s', ends: ['crashed', 'memory', 'timeout'] },
  {
    source: 'throw new Proxy({}, { get() { for (;;); } })',
    runtime: 'javascript',
    timeout: '300ms',
    ends: ['timeout', 'crashed', 'exit'],
  },
  { source: 'sleep 30', runtime: 'bash', timeout: '300ms', ends: ['timeout'] },
  { source: 'kill -9 $$', runtime: 'bash', timeout: '5s', ends: ['signal'] },
] as const;

/** Asks for /health until it is stopped. @returns what the slowest answer took, ms */
function watchHealth(server: Server): () => Promise<number> {
  let running = true;
  let slowest = 0;
  const loop = (async () => {
    while (running) {
      const startedAt = performance.now();
      const { status } = await server.request('GET', '/health');
      assert.equal(status, 200);
      slowest = Math.max(slowest, performance.now() - startedAt);
      await pause(25);
    }
  })();
  return async () => {
    running = false;
    await loop;
    return slowest;
  };
}

async function total(server: Server, status: string): Promise<number> {
  const { body } = await server.request('GET', `/api/v1/executions?status=${status}&limit=1`);
  return (body as { total: number }).total;
}

async function untilAllHaveEnded(server: Server, context: TestContext): Promise<void> {
  for (let last = -1, seenAt = Date.now(); ; await pause(100)) {
    const left = (await total(server, 'Pending')) + (await total(server, 'Running'));
    if (left === 0) return;
    if (left !== last) [last, seenAt] = [left, Date.now()];
    if (Date.now() - seenAt > 60_000) {
      context.diagnostic(server.output.slice(-2000));
      assert.fail(`${left} executions make no progress`);
    }
  }
}

describe('a server under load', () => {
  test('runs hundreds of queued executions once each, hostile ones among them', { timeout: 1_200_000 }, async (context) => {
    const server = await Server.start(context, { flags: ['--queue', '20000'] });
    const scratch = new Scratch(context);
    const count = rounds(400, 10_000);
    const healthy = watchHealth(server);
    const expected = new Map<string, { readonly ends?: readonly string[]; readonly text: string }>();
    const log = scratch.path('runs');
    await Promise.all(
      Array.from({ length: 16 }, async (_, client) => {
        for (let i = client; i < count; i += 16) {
          const attack = i % 40 === 7 ? hostile[Math.floor(i / 40) % hostile.length] : undefined;
          const text = `run ${i}`;
          const friendly =
            i % 20 === 3
              ? { source: `echo ${text}; echo ${i} >> ${log}`, runtime: 'bash' }
              : { source: `console.log('${text}')`, runtime: 'javascript' };
          const { ends, ...body } = attack ?? { ...friendly, ends: undefined };
          const { status, body: made } = await server.request('POST', '/api/v1/executions', body);
          assert.equal(status, 202);
          expected.set((made as Shown).id, { ...(ends && { ends }), text });
        }
      }),
    );
    await untilAllHaveEnded(server, context);
    context.diagnostic(`the slowest answer of /health took ${Math.round(await healthy())} ms`);
    assert.equal((await total(server, 'Completed')) + (await total(server, 'Failed')), count);
    const wrong: unknown[] = [];
    for (const [id, { ends, text }] of expected) {
      const { body } = await server.request('GET', `/api/v1/executions/${id}`);
      const { status, reason, stdout } = body as Shown;
      const isRight = ends
        ? status === 'Failed' && ends.includes(reason ?? '')
        : status === 'Completed' && stdout === `${text}\n`;
      if (!isRight) wrong.push(body);
    }
    assert.deepEqual(wrong, []);
    const runs = scratch.log('runs');
    assert.equal(new Set(runs).size, runs.length, 'none ran twice');
    assert.equal(runs.length, Array.from({ length: count }).filter((_, i) => i % 20 === 3 && i % 40 !== 7).length);
  });

  test('takes a hundred deploys at once', async (context) => {
    const server = await Server.start(context);
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        server.request('PUT', `/api/v1/deployments/job-${i % 10}`, { source: `console.log(${i})`, runtime: 'javascript' }),
      ),
    );
    const statuses = replies.map(({ status }) => status);
    assert.ok(
      statuses.every((status) => [200, 201, 409].includes(status)),
      String(statuses),
    );
    assert.equal(statuses.filter((status) => status === 201).length, 10);
    const { body } = await server.request('GET', '/api/v1/deployments');
    assert.equal((body as { total: number }).total, 10);
    for (let i = 0; i < 10; i++) {
      const { status, body: run } = await server.request('POST', '/api/v1/executions', { deployment_id: `job-${i}`, wait: true });
      assert.equal(status, 200);
      assert.match((run as Shown).stdout ?? '', new RegExp(`^\\d*${i}\n$`));
    }
  });

  test('serves forty runs of the CLI at once', needs('python3'), async (context) => {
    const server = await Server.start(context);
    const scratch = new Scratch(context);
    const js = scratch.file('hello.js', 'console.log("hello from js")\n');
    const python = scratch.file('hello.py', 'print("hello from python")\n');
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) => prisn(['run', i % 2 ? js : python], { env: { PRISN_HOME: server.home } })),
    );
    for (const [i, { code, stdout, stderr }] of results.entries())
      assert.deepEqual(
        { code, stdout, stderr },
        { code: 0, stdout: i % 2 ? 'hello from js\n' : 'hello from python\n', stderr: '' },
      );
  });

  test('makes one run of a hundred requests with the same Idempotency-Key', async (context) => {
    const server = await Server.start(context);
    const scratch = new Scratch(context);
    const body = { source: `echo one >> ${scratch.path('runs')}`, runtime: 'bash' };
    const replies = await Promise.all(
      Array.from({ length: 100 }, () =>
        server.request('POST', '/api/v1/executions?wait=30s', body, { 'idempotency-key': 'the-same' }),
      ),
    );
    assert.equal(new Set(replies.map(({ body: run }) => (run as Shown).id)).size, 1);
    assert.deepEqual(scratch.log('runs'), ['one']);
    const other = await server.request('POST', '/api/v1/executions', { ...body, args: ['x'] }, { 'idempotency-key': 'the-same' });
    assert.equal(other.status, 409);
  });
});
