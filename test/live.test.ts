/** What somebody who watches sees while it happens, and what becomes of a run whose watcher goes away. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { full } from './full.ts';
import { needs } from './machine.ts';
import { startPrisn } from './prisn.ts';
import { Scratch } from './scratch.ts';
import { Server } from './server.ts';

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly reason?: string;
}

/** The next piece of a stream that matches. */
async function until(stream: AsyncIterable<unknown>, wanted: RegExp): Promise<string> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (wanted.test(text)) return text;
  }
  return assert.fail(`it ended without ${wanted}: ${text}`);
}

/** Iterated without being closed by the end of the loop. */
function kept(stream: Readable): AsyncIterable<unknown> {
  return { [Symbol.asyncIterator]: () => stream.iterator({ destroyOnReturn: false }) };
}

async function trigger(server: Server, body: object): Promise<string> {
  const { status, body: made } = await server.request('POST', '/api/v1/executions', body);
  assert.equal(status, 202);
  return (made as Shown).id;
}

function watch(context: TestContext, server: Server, ...words: string[]) {
  const child = startPrisn(words, { env: { PRISN_HOME: server.home } });
  context.after(() => void child.kill('SIGKILL'));
  assert.ok(child.stdout);
  return { child, stdout: child.stdout };
}

describe('live', () => {
  test('logs -f shows a line while its program still runs, and ends with it', needs('python3'), async (context) => {
    const server = await Server.start(context);
    const scratch = new Scratch(context);
    const go = scratch.path('go');
    const id = await trigger(server, {
      source: `import os, time\nprint("first")\nwhile not os.path.exists(${JSON.stringify(go)}): time.sleep(0.005)\nprint("second")`,
      runtime: 'python3',
    });
    const { child, stdout } = watch(context, server, 'logs', '-f', id);
    assert.equal(await until(kept(stdout), /first\n/), 'first\n');
    scratch.file('go');
    const exited = once(child, 'exit');
    assert.equal(await until(stdout, /second\n/), 'second\n');
    assert.deepEqual(await exited, [0, null]);
  });

  test('get -w shows a change while it watches', async (context) => {
    const server = await Server.start(context);
    const { child, stdout } = watch(context, server, 'get', 'executions', '-w', '-o', 'name');
    const first = await trigger(server, { source: 'true', runtime: 'bash' });
    await until(kept(stdout), new RegExp(first));
    const second = await trigger(server, { source: 'true', runtime: 'bash' });
    await until(stdout, new RegExp(second));
    child.kill('SIGINT');
    await once(child, 'exit');
  });

  test('a wait goes on for a minute', { timeout: 150_000 }, async (context) => {
    const seconds = full ? 60 : 7;
    const server = await Server.start(context);
    const { status, body } = await server.request('POST', `/api/v1/executions?wait=${seconds + 30}s`, {
      source: `sleep ${seconds}`,
      runtime: 'bash',
    });
    assert.deepEqual({ status, ended: (body as Shown).status }, { status: 200, ended: 'Completed' });
  });

  test('the end of the client ends its run in the foreground', async (context) => {
    const server = await Server.start(context);
    const scratch = new Scratch(context);
    const file = scratch.file('forever.js', 'console.log("begun"); setInterval(() => {}, 1000);');
    const { child, stdout } = watch(context, server, 'run', file);
    await until(stdout, /begun/);
    const running = async (): Promise<boolean> => {
      const { text } = await server.request('GET', '/metrics');
      return /^prisn_foreground_runs 1$/m.test(text);
    };
    assert.ok(await running());
    child.kill('SIGKILL');
    while (await running()) await pause(10);
  });

  test('a client that stops waiting leaves the execution alone', async (context) => {
    const server = await Server.start(context);
    const scratch = new Scratch(context);
    const gone = new AbortController();
    const mark = scratch.path('done');
    const waiting = fetch(`${server.url}/api/v1/executions?wait=30s`, {
      method: 'POST',
      body: JSON.stringify({ source: `sleep 0.5; echo > ${mark}`, runtime: 'bash' }),
      signal: gone.signal,
    });
    for (;;) {
      const { body } = await server.request('GET', '/api/v1/executions?status=Running');
      if ((body as { total: number }).total === 1) break;
      await pause(10);
    }
    gone.abort();
    await assert.rejects(waiting);
    while (!existsSync(mark)) await pause(10);
  });
});
