import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PrisnError } from '../../src/base/error.ts';
import { Followers } from '../../src/engine/followers.ts';
import type { LogChunk } from '../../src/model/output-text.ts';
import { aDeployment, anExecution, Running } from './harness.ts';

const path = `/api/v1/executions/${anExecution.id}/logs`;
const ofDeployment = '/api/v1/deployments/backup/logs';
const at = Date.parse('2030-01-31T08:00:00.123Z');

function out(text: string | Uint8Array, fields: Partial<LogChunk> = {}): LogChunk {
  return { stream: 'stdout', time: at, bytes: typeof text === 'string' ? Buffer.from(text) : text, missed: 0, ...fields };
}

async function* sequence(...chunks: LogChunk[]): AsyncGenerator<LogChunk> {
  yield* chunks;
}

const both = () => sequence(out('one\n'), out('oops\n', { stream: 'stderr' }), out('two\n'));
const logs = async () => both();

test('the output of an execution is JSON unless another form is asked for', async (t) => {
  const running = await Running.start(t, { executor: { logs } });
  const plain = await running.ask(path);
  assert.deepEqual(plain.json, { stdout: 'one\ntwo\n', stderr: 'oops\n' });
  const lines = await running.ask(path, { headers: { accept: 'application/x-ndjson' } });
  assert.equal(lines.headers['content-type'], 'application/x-ndjson; charset=utf-8');
  assert.deepEqual(
    lines.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [
      { time: '2030-01-31T08:00:00.123Z', stream: 'stdout', text: 'one\n' },
      { time: '2030-01-31T08:00:00.123Z', stream: 'stderr', text: 'oops\n' },
      { time: '2030-01-31T08:00:00.123Z', stream: 'stdout', text: 'two\n' },
    ],
  );
  const text = await running.ask(path, { headers: { accept: 'text/plain' } });
  assert.equal(text.text, 'one\noops\ntwo\n');
  const events = await running.ask(path, { headers: { accept: 'text/event-stream' } });
  assert.match(events.text, /^event: output\ndata: \{"time":"2030-01-31T08:00:00.123Z","stream":"stdout","text":"one\\n"\}\n\n/);
  assert.match(events.text, /\n\nevent: end\ndata: \{\}\n\n$/);
});

test('of several forms the client gets the one that it likes best', async (t) => {
  const running = await Running.start(t, { executor: { logs } });
  for (const [accept, type] of [
    ['*/*', 'application/json'],
    ['text/html, */*;q=0.1', 'application/json'],
    ['application/json;q=0.5, text/plain', 'text/plain'],
    ['text/plain;q=0, application/x-ndjson;q=0.2', 'application/x-ndjson'],
    ['TEXT/PLAIN', 'text/plain'],
  ] as const) {
    const { headers } = await running.ask(path, { headers: { accept } });
    assert.equal(headers['content-type'], `${type}; charset=utf-8`, accept);
  }
});

test('characters are whole across chunks, and bytes that are none are marked', async (t) => {
  const [head, tail] = [Buffer.from('é').subarray(0, 1), Buffer.from('é').subarray(1)];
  const chunks = () => sequence(out(head), out('x', { stream: 'stderr' }), out(tail), out(Uint8Array.of(0xff)), out(head));
  const running = await Running.start(t, { executor: { logs: async () => chunks() } });
  assert.deepEqual((await running.ask(path)).json, { stdout: 'é\ufffd\ufffd', stderr: 'x' });
});

test('output that is missing is marked, in every form', async (t) => {
  const running = await Running.start(t, { executor: { logs: async () => sequence(out('a\n'), out('z\n', { missed: 500 })) } });
  const mark = 'a\n[prisn: 500 bytes of output left out]\nz\n';
  assert.equal((await running.ask(path)).json.stdout, mark);
  assert.equal((await running.ask(path, { headers: { accept: 'text/plain' } })).text, mark);
  const lines = await running.ask(path, { headers: { accept: 'application/x-ndjson' } });
  assert.deepEqual(JSON.parse(lines.text.trimEnd().split('\n')[1] ?? ''), {
    time: '2030-01-31T08:00:00.123Z',
    stream: 'stdout',
    text: 'z\n',
    missed: 500,
  });
});

test('the query reaches the log', async (t) => {
  const asked: object[] = [];
  const running = await Running.start(t, { executor: { logs: async (_id, query) => (asked.push(query), both()) } });
  await running.ask(`${path}?tail=0&stream=stderr&since=2030-01-31T08:00:00Z`);
  assert.deepEqual(asked, [{ tail: 0, stream: 'stderr', since: Date.parse('2030-01-31T08:00:00Z') }]);
  assert.match((await running.ask(`${path}?tail=-1`)).json.message, /^tail: -1 is out of range/);
});

/** A log that is written while it is read. */
class LiveLog {
  readonly #chunks: LogChunk[] = [];
  #wake = Promise.withResolvers<void>();
  #isOver = false;
  left = Promise.withResolvers<void>();

  write(text: string): void {
    this.#chunks.push(out(text));
    this.#wake.resolve();
  }

  end(): void {
    this.#isOver = true;
    this.#wake.resolve();
  }

  async *read(follow: AbortSignal | undefined): AsyncGenerator<LogChunk> {
    const wake = (): void => this.#wake.resolve();
    follow?.addEventListener('abort', wake);
    try {
      for (;;) {
        yield* this.#chunks.splice(0);
        if (this.#isOver || follow?.aborted !== false) return;
        await this.#wake.promise;
        this.#wake = Promise.withResolvers();
      }
    } finally {
      follow?.removeEventListener('abort', wake);
      this.left.resolve();
    }
  }
}

test('a follower has the head at once, each piece as it comes, and the end with the execution', async (t) => {
  const log = new LiveLog();
  const running = await Running.start(t, { executor: { logs: async (_id, { follow }) => log.read(follow) } });
  const response = await fetch(`http://127.0.0.1:${running.port}${path}?follow=true`, {
    headers: { accept: 'application/x-ndjson' },
  });
  const reader = response.body?.getReader() ?? assert.fail();
  const next = async () => Buffer.from((await reader.read()).value ?? []).toString();
  log.write('one');
  assert.match(await next(), /"text":"one"/);
  log.write('two');
  assert.match(await next(), /"text":"two"/);
  log.end();
  assert.equal((await reader.read()).done, true);
});

test('a follower that asks for JSON gets text, since JSON would never be whole', async (t) => {
  const running = await Running.start(t, { executor: { logs } });
  const { headers, text } = await running.ask(`${path}?follow`, { headers: { accept: 'application/json' } });
  assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
  assert.equal(text, 'one\noops\ntwo\n');
});

test('a client that leaves ends its reading', async (t) => {
  const log = new LiveLog();
  const running = await Running.start(t, { executor: { logs: async (_id, { follow }) => log.read(follow) } });
  await running.raw(`GET ${path}?follow=1 HTTP/1.1\r\nHost: localhost:${running.port}\r\n\r\n`, 'HTTP/1.1 200');
  await log.left.promise;
});

test('a client that does not read holds its reading up, and nobody else', async (t) => {
  let read = 0;
  const begun = Promise.withResolvers<void>();
  async function* endless(): AsyncGenerator<LogChunk> {
    for (;;) {
      yield out(Buffer.alloc(2 ** 20, 'x'));
      read++;
      begun.resolve();
    }
  }
  const running = await Running.start(t, { executor: { logs: async () => endless() } });
  const response = await fetch(`http://127.0.0.1:${running.port}${path}`, { headers: { accept: 'text/plain' } });
  await begun.promise;
  let last = -1;
  while (read !== last) {
    last = read;
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
  }
  assert.ok(read < 64, `${read} MB`);
  assert.equal((await running.ask('/health')).status, 200);
  await response.body?.cancel();
});

test('a log that fails in the middle cuts the connection and is told in the server’s log', async (t) => {
  async function* broken(): AsyncGenerator<LogChunk> {
    yield out('one');
    throw new Error('the disk is gone');
  }
  const running = await Running.start(t, { executor: { logs: async () => broken() } });
  await assert.rejects(running.ask(path, { headers: { accept: 'text/plain' } }), { code: 'ECONNRESET' });
  assert.equal(running.logged.filter(({ level }) => level === 'warn').length, 1);
});

test('a deployment shows the output of its last execution', async (t) => {
  const read: string[] = [];
  const running = await Running.start(t, {
    deployments: { get: async () => aDeployment },
    executor: {
      list: async (filter, page) => {
        assert.deepEqual([filter, page], [{ deploymentId: aDeployment.id }, { limit: 1 }]);
        return { items: [anExecution], total: 2 };
      },
      logs: async (id) => (read.push(id), both()),
    },
  });
  const { headers, text } = await running.ask(`${ofDeployment}?tail=5`);
  assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
  assert.equal(text, 'one\noops\ntwo\n');
  assert.deepEqual(read, [anExecution.id]);
  assert.deepEqual((await running.ask(ofDeployment, { headers: { accept: 'application/json' } })).json, {
    stdout: 'one\ntwo\n',
    stderr: 'oops\n',
  });
});

test('a deployment that was never run has no output', async (t) => {
  const running = await Running.start(t, {
    deployments: { get: async () => aDeployment },
    executor: { list: async () => ({ items: [], total: 0 }) },
  });
  const { status, text } = await running.ask(ofDeployment);
  assert.deepEqual([status, text], [200, '']);
});

test('who follows a deployment sees its executions one after the other, each by name', async (t) => {
  const followers = new Followers();
  const read: [id: string, tail: number | undefined][] = [];
  const running = await Running.start(t, {
    deployments: { get: async () => aDeployment },
    executor: {
      executionsOf: (id, signal) => followers.follow(id, async () => 'exec-2', signal),
      logs: async (id, { tail }) => {
        read.push([id, tail]);
        if (id === 'exec-3') throw new PrisnError('not_found', 'it is not kept any more');
        return sequence(out(`of ${id}\n`));
      },
    },
  });
  const add = (id: string) => followers.accepted(aDeployment.id, id);
  const response = await fetch(`http://127.0.0.1:${running.port}${ofDeployment}?follow=true&tail=3`, {
    headers: { accept: 'application/x-ndjson' },
  });
  const reader = response.body?.getReader() ?? assert.fail();
  let seen = '';
  const until = async (text: string): Promise<void> => {
    while (!seen.includes(text)) seen += Buffer.from((await reader.read()).value ?? assert.fail('ended')).toString();
  };
  await until('"execution":"exec-2"');
  add('exec-3');
  add('exec-4');
  await until('"execution":"exec-4"');
  assert.deepEqual(read, [
    ['exec-2', 3],
    ['exec-3', undefined],
    ['exec-4', undefined],
  ]);
  followers.end(aDeployment.id);
  assert.equal((await reader.read()).done, true, 'it ends with the deployment');
});

test('the end of the server ends those who follow a deployment', async (t) => {
  const running = await Running.start(t, {
    deployments: { get: async () => aDeployment },
    executor: { executionsOf: (id, signal) => new Followers().follow(id, async () => undefined, signal) },
  });
  const response = await fetch(`http://127.0.0.1:${running.port}${ofDeployment}?follow=true`);
  const [text] = await Promise.all([response.text(), running.api.close(60_000)]);
  assert.equal(text, '');
});

test('what is not there is told before anything is sent', async (t) => {
  const running = await Running.start(t, {
    executor: {
      logs: async () => {
        throw new PrisnError('not_found', 'there is no execution exec-1');
      },
    },
  });
  const { status, json } = await running.ask(`${path}?follow=true`, { headers: { accept: 'text/event-stream' } });
  assert.deepEqual([status, json.code], [404, 'not_found']);
});
