import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { FunctionResponse } from '../../src/engine/functions.ts';
import type { FunctionRequest } from '../../src/model/task.ts';
import { Running } from './harness.ts';

async function* bytesOf(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

function answering(answer: Partial<FunctionResponse>): FunctionResponse {
  return { status: 200, headers: [], body: bytesOf(), executionId: 'exec-1', cancel: () => {}, ...answer };
}

test('a function gets the request as it was sent, less what is about the connection', async (t) => {
  const calls: [namespace: string, name: string, request: FunctionRequest][] = [];
  const running = await Running.start(t, {
    functions: { call: async (...call) => (calls.push([call[0], call[1], call[2]]), answering({})) },
  });
  await running.ask('/ns/team/fn/hello/a%2Fb/?q=1&q=2', {
    method: 'PUT',
    headers: { 'Content-Type': 'garbage', 'X-One': '1', Connection: 'close, X-Hop', 'X-Hop': 'x', TE: 'trailers' },
    body: '{not json',
  });
  const [[namespace, name, request] = assert.fail()] = calls;
  assert.deepEqual([namespace, name], ['team', 'hello']);
  assert.equal(request.method, 'PUT');
  assert.equal(request.url, `http://127.0.0.1:${running.port}/ns/team/fn/hello/a%2Fb/?q=1&q=2`);
  assert.equal(Buffer.from(request.body).toString(), '{not json');
  assert.deepEqual(Object.fromEntries(request.headers), {
    'content-type': 'garbage',
    'x-one': '1',
    host: `127.0.0.1:${running.port}`,
    'content-length': '9',
  });
});

test('every method reaches a function', async (t) => {
  const methods: string[] = [];
  const running = await Running.start(t, {
    functions: { call: async (_namespace, _name, { method }) => (methods.push(method), answering({ body: bytesOf('x') })) },
  });
  const all = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY'];
  for (const method of all) assert.equal((await running.ask('/fn/hello', { method })).status, 200, method);
  assert.deepEqual(methods, all);
});

test('its answer is the answer: status, header fields in their number, body', async (t) => {
  const running = await Running.start(t, {
    functions: {
      call: async () =>
        answering({
          status: 418,
          headers: [
            ['Content-Type', 'text/teapot'],
            ['Set-Cookie', 'a=1'],
            ['Set-Cookie', 'b=2'],
            ['Connection', 'upgrade'],
            ['Transfer-Encoding', 'gzip'],
            ['X-Request-Id', 'its own'],
          ],
          body: bytesOf('short ', 'and stout'),
        }),
    },
  });
  const { status, headers, text } = await running.ask('/fn/tea', { headers: { 'x-request-id': 'mine' } });
  assert.deepEqual([status, text], [418, 'short and stout']);
  assert.equal(headers['content-type'], 'text/teapot');
  assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2']);
  assert.equal(headers['transfer-encoding'], 'chunked');
  assert.equal(headers['x-request-id'], 'mine');
  assert.equal(headers['x-prisn-execution-id'], 'exec-1');
});

test('the body goes out while the function still writes', async (t) => {
  const gate = Promise.withResolvers<void>();
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('first');
    await gate.promise;
    yield Buffer.from('second');
  }
  const running = await Running.start(t, { functions: { call: async () => answering({ body: body() }) } });
  const seen = await running.raw(`GET /fn/slow HTTP/1.1\r\nHost: localhost:${running.port}\r\n\r\n`, 'first');
  assert.doesNotMatch(seen, /second/);
  gate.resolve();
});

test('a client that leaves ends the call, before and after the head of its answer', async (t) => {
  const signals: AbortSignal[] = [];
  const ended = Promise.withResolvers<void>();
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        yield Buffer.alloc(65_536);
        await new Promise(setImmediate);
      }
    } finally {
      ended.resolve();
    }
  }
  const running = await Running.start(t, {
    functions: {
      call: async (_namespace, name, _request, client) => {
        signals.push(client?.signal ?? assert.fail());
        if (name === 'endless') return answering({ body: endless() });
        await once(client?.signal ?? assert.fail(), 'abort');
        throw new Error('canceled');
      },
    },
  });
  const before = connect(running.port, '127.0.0.1');
  before.write(`GET /fn/silent HTTP/1.1\r\nHost: localhost:${running.port}\r\n\r\n`);
  while (signals.length < 1) await new Promise(setImmediate);
  before.destroy();
  if (!signals[0]?.aborted) await once(signals[0] ?? assert.fail(), 'abort');

  await running.raw(`GET /fn/endless HTTP/1.1\r\nHost: localhost:${running.port}\r\n\r\n`, 'HTTP');
  await ended.promise;
  if (!signals[1]?.aborted) await once(signals[1] ?? assert.fail(), 'abort');
});

test('a body that fails in the middle cuts the connection, so that nobody takes it for whole', async (t) => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half');
    throw new Error('crashed');
  }
  const running = await Running.start(t, { functions: { call: async () => answering({ body: broken() }) } });
  await assert.rejects(running.ask('/fn/broken'), { code: 'ECONNRESET' });
});

test('a body that is not as long as it promised cuts the connection', async (t) => {
  const running = await Running.start(t, {
    functions: {
      call: async (_namespace, name) =>
        answering({ headers: [['content-length', name === 'long' ? '2' : '20']], body: bytesOf('12345') }),
    },
  });
  await assert.rejects(running.ask('/fn/short'));
  const long = await running.raw(`GET /fn/long HTTP/1.1\r\nHost: localhost:${running.port}\r\n\r\n`);
  assert.doesNotMatch(long, /12345/);
});

for (const [title, answer] of [
  ['a status that HTTP does not know', { status: 99 }],
  ['an informational status', { status: 101 }],
  ['a name that is none', { headers: [['a b', 'c']] }],
  [
    'a line end in a value',
    {
      headers: [
        ['x-good', '1'],
        ['x-bad', 'a\r\nset-cookie: b'],
      ],
    },
  ],
] as const)
  test(`an answer with ${title} becomes a 502`, async (t) => {
    let canceled = 0;
    const running = await Running.start(t, {
      functions: { call: async () => answering({ ...answer, cancel: () => canceled++ }) },
    });
    const { status, headers, json } = await running.ask('/fn/odd');
    assert.equal(status, 502);
    assert.match(json.message, /^the function answered with/);
    assert.equal(headers['x-good'], undefined);
    assert.equal(canceled, 1);
  });

test('a HEAD and a 204 have no body, whatever the function writes', async (t) => {
  const running = await Running.start(t, {
    functions: {
      call: async (_namespace, name) =>
        answering({ status: name === 'none' ? 204 : 200, headers: [['content-length', '5']], body: bytesOf('12345') }),
    },
  });
  const head = await running.ask('/fn/some', { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers['content-length'], head.text], [200, '5', '']);
  assert.deepEqual((await running.ask('/fn/none')).status, 204);
});

test('a request for a function is limited as every other', async (t) => {
  const running = await Running.start(t, {}, { bodyLimit: 1000 });
  const { status, json } = await running.ask('/fn/hello', { method: 'POST', body: 'x'.repeat(1001) });
  assert.equal(status, 413);
  assert.match(json.message, /body_limit/);
});

test('a public host reaches functions from any page, and a preflight is theirs to answer', async (t) => {
  const methods: string[] = [];
  const running = await Running.start(
    t,
    { functions: { call: async (_namespace, _name, { method }) => (methods.push(method), answering({})) } },
    { publicHosts: ['hooks.example.com'] },
  );
  const headers = { host: 'hooks.example.com', origin: 'https://shop.example', 'sec-fetch-site': 'cross-site' };
  assert.equal((await running.ask('/fn/hello', { method: 'OPTIONS', headers })).status, 200);
  assert.equal((await running.ask('/fn/hello', { method: 'POST', headers })).status, 200);
  assert.equal((await running.ask('/api/v1/executions', { headers })).status, 403);
  assert.deepEqual(methods, ['OPTIONS', 'POST']);
});

test('a page that a function serves beside the API has no origin, whatever the function says; under a public host it has', async (t) => {
  const own: [string, string][] = [
    ['content-type', 'text/html'],
    ['content-security-policy', "default-src 'self'"],
  ];
  const running = await Running.start(
    t,
    { functions: { call: async () => answering({ headers: own, body: bytesOf('<script>') }) } },
    { publicHosts: ['fn.localhost'] },
  );
  const beside = await running.ask('/fn/page');
  assert.equal(beside.headers['content-security-policy'], "default-src 'self', sandbox allow-scripts allow-forms allow-popups");
  const { headers } = await running.ask('/fn/page', { headers: { host: `fn.localhost:${running.port}` } });
  assert.equal(headers['content-security-policy'], "default-src 'self'");
  // What such a page asks for.
  const refused = await running.ask('/api/v1/executions', { method: 'POST', headers: { origin: 'null' }, body: '{}' });
  assert.equal(refused.status, 403);
  const { status, json } = await running.ask('/fn/page', { headers: { 'sec-fetch-site': 'cross-site' } });
  assert.equal(status, 403);
  assert.match(json.message, /public_host, such as fn\.localhost/);
});

test('only who comes by the name of a public host may be anybody', async (t) => {
  const seen: unknown[] = [];
  const call: Parameters<typeof Running.start>[1] = {
    functions: { call: async (...[, , , client]) => (seen.push(client?.isPublic), answering({})) },
  };
  const running = await Running.start(t, call, { publicHosts: ['hooks.example.com'] });
  await running.ask('/fn/hello', { headers: { host: 'Hooks.Example.com:443' } });
  await running.ask('/fn/hello');
  assert.deepEqual(seen, [true, false]);
});

test('back-pressure reaches the function: what nobody reads is not written', async (t) => {
  let written = 0;
  const begun = Promise.withResolvers<void>();
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      yield Buffer.alloc(2 ** 20);
      written++;
      begun.resolve();
    }
  }
  const running = await Running.start(t, { functions: { call: async () => answering({ body: endless() }) } });
  const request = httpRequest({ host: '127.0.0.1', port: running.port, path: '/fn/endless', agent: false });
  t.after(() => request.destroy());
  const [response] = await once(request.end(), 'response');
  response.pause();
  await begun.promise;
  // A stalled write stays stalled: the count settles below what the kernel can hold.
  let last = -1;
  while (written !== last) {
    last = written;
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
  }
  assert.ok(written < 64, `${written} MB`);
});
