import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer, json } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { parseAddress } from '../../src/client/address.ts';
import { Client } from '../../src/client/client.ts';
import { Scratch } from '../scratch.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

async function listening(
  t: TestContext,
  answer: Answer,
  where: { path: string } | { port: number } = { port: 0 },
): Promise<Server> {
  const server = createServer((request, response) => void answer(request, response)).listen({ ...where, host: '127.0.0.1' });
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

async function clientOf(t: TestContext, answer: Answer): Promise<Client> {
  const { port } = (await listening(t, answer)).address() as AddressInfo;
  return closing(t, new Client(parseAddress(`127.0.0.1:${port}`, '--server')));
}

function closing(t: TestContext, client: Client): Client {
  t.after(() => client.close());
  return client;
}

function reply(response: ServerResponse, status: number, body?: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

const refusal = { error: 'Not Found', code: 'not_found', message: 'there is no deployment of that name' };

test('an operation goes by its method and path, with parameters, query and JSON body', async (t) => {
  const seen: unknown[] = [];
  const client = await clientOf(t, async (request, response) => {
    seen.push([request.method, request.url, request.headers['content-type'], await json(request).catch(() => undefined)]);
    reply(response, 200, { id: 'dep-1' });
  });
  await client.call('patchDeployment', {
    params: { name: 'a b/c' },
    query: { namespace: 'x' },
    body: { retries: 3, runtime: undefined },
  });
  await client.call('listExecutions', { query: { limit: 5, status: undefined } });
  assert.deepEqual(seen, [
    ['PATCH', '/api/v1/deployments/a%20b%2Fc?namespace=x', 'application/json', { retries: 3 }],
    ['GET', '/api/v1/executions?limit=5', undefined, undefined],
  ]);
});

test('a name that a URL would lose never leaves', async (t) => {
  const client = await clientOf(t, () => assert.fail());
  for (const name of ['', '.', '..'])
    await assert.rejects(client.call('deleteDeployment', { params: { name } }), { code: 'usage' }, name);
});

test('an answer without a body is undefined, and the status can be asked for', async (t) => {
  const client = await clientOf(t, (request, response) =>
    reply(response, request.method === 'DELETE' ? 204 : 201, request.method === 'DELETE' ? undefined : {}),
  );
  assert.equal(await client.call('deleteSecret', { params: { name: 'a' } }), undefined);
  assert.equal((await client.exchange('putSecret', { params: { name: 'a' }, body: { value: 'b' } })).status, 201);
});

test('a refusal is an error with the code, the message and the time of the server', async (t) => {
  const answers = [
    [404, refusal],
    [503, { error: 'Service Unavailable', code: 'busy', message: 'the queue is full' }],
    [418, { error: 'I am a teapot', code: 'of_a_later_version', message: 'something new' }],
  ] as const;
  let count = 0;
  const client = await clientOf(t, (_, response) => {
    const [status, body] = answers[count++] ?? answers[0];
    reply(response, status, body, { 'retry-after': '7' });
  });
  await assert.rejects(client.call('listNodes'), { code: 'not_found', message: refusal.message });
  await assert.rejects(client.call('listNodes'), { code: 'busy', retryAfterS: 7 });
  await assert.rejects(client.call('listNodes'), { code: 'internal', message: 'something new' });
});

test('another program that answers there is told from a server of prisn', async (t) => {
  const client = await clientOf(t, (request, response) => {
    response.statusCode = request.url?.includes('nodes') ? 404 : 200;
    response.end('<html>');
  });
  const message = /^what answers at http:\/\/127\.0\.0\.1:\d+ does not speak as a prisn server does/;
  await assert.rejects(client.call('listNodes'), { code: 'unreachable', message });
  await assert.rejects(client.call('listRuntimes'), { code: 'unreachable', message });
});

test('where nothing listens, the address and what to do are told', async (t) => {
  const server = await listening(t, () => {});
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const client = closing(t, new Client(parseAddress(`localhost:${port}`, '--server')));
  await assert.rejects(client.call('listNodes'), {
    code: 'unreachable',
    message: new RegExp(`^no prisn server answers at http://localhost:${port}: .*--server or PRISN_SERVER names it$`),
  });
  const missing = closing(t, new Client({ kind: 'socket', path: new Scratch(t).path('none.sock') }));
  await assert.rejects(missing.call('listNodes'), { code: 'unreachable', message: /unix:.*none\.sock: there is no such socket/ });
});

test('a connection that breaks in the middle of an answer is an error, for a stream too', async (t) => {
  const client = await clientOf(t, (_, response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('{"items"', () => response.destroy());
  });
  await assert.rejects(client.call('listNodes'), { code: 'unreachable' });
  await assert.rejects(buffer(Readable.from(client.stream('backup'))), { code: 'unreachable' });
});

test('a kept connection that the server has closed meanwhile costs nothing where asking again changes nothing', async (t) => {
  const sockets: IncomingMessage['socket'][] = [];
  const client = await clientOf(t, (request, response) => {
    const isStale = sockets.includes(request.socket);
    sockets.push(request.socket);
    if (isStale) request.socket.resetAndDestroy();
    else reply(response, 200, { items: [] });
  });
  for (let i = 0; i < 3; i++) await client.call('listNodes');
  assert.equal(new Set(sockets).size, 3);
  await assert.rejects(client.call('createExecution', { body: { deployment_id: 'a' } }), { code: 'unreachable' });
});

test('it speaks over a unix socket', async (t) => {
  const path = new Scratch(t).path('prisn.sock');
  await listening(t, (request, response) => reply(response, 200, { host: request.headers.host }), { path });
  assert.deepEqual(await closing(t, new Client({ kind: 'socket', path })).call('listNodes'), { host: 'localhost' });
});

test('a prefix of the address stands before every path', async (t) => {
  const { port } = (await listening(t, ({ url }, response) => reply(response, 200, { url }))).address() as AddressInfo;
  const client = closing(t, new Client(parseAddress(`http://127.0.0.1:${port}/prisn/`, '--server')));
  assert.deepEqual(await client.call('listNodes'), { url: '/prisn/api/v1/nodes' });
});

test('bytes go up as they come', async (t) => {
  const client = await clientOf(t, async (request, response) => {
    const bytes = (await buffer(request)).length;
    reply(response, 201, { id: String(request.headers['content-type']), bytes });
  });
  const upload = Readable.from([Buffer.alloc(70_000), Buffer.alloc(30_000)]);
  assert.deepEqual(await client.call('uploadBundle', { upload }), { id: 'application/gzip', bytes: 100_000 });
});

test('an upload whose source fails is no complete one', async (t) => {
  let whole = 0;
  const client = await clientOf(t, (request, response) => {
    request.resume().on('end', () => whole++);
    request.on('close', () => response.destroy());
  });
  const upload = Readable.from(
    (async function* () {
      yield Buffer.alloc(10);
      throw new Error('the file changed');
    })(),
  );
  await assert.rejects(client.call('uploadBundle', { upload }), /the file changed/);
  assert.equal(whole, 0);
});

test('a refusal in the middle of an upload is what is told', async (t) => {
  const client = await clientOf(t, (request, response) => {
    request.once('data', () =>
      reply(response, 413, { error: '', code: 'too_large', message: 'too much' }, { connection: 'close' }),
    );
  });
  const upload = Readable.from(
    (async function* () {
      for (let i = 0; i < 64; i++) yield Buffer.alloc(65_536);
    })(),
  );
  await assert.rejects(client.call('uploadBundle', { upload }), { code: 'too_large' });
});

test('a server that does not answer in time is unreachable', async (t) => {
  const client = await clientOf(t, () => undefined);
  for (const call of [client.call('listNodes', {}, AbortSignal.timeout(20)), client.page('/ready', AbortSignal.timeout(20))])
    await assert.rejects(call, { code: 'unreachable', message: /does not answer in time/ });
});

test('an aborted call ends with the reason of its signal, and a stream that is left closes its connection', async (t) => {
  const closed = Promise.withResolvers<void>();
  const client = await clientOf(t, (request, response) => {
    if (request.url?.includes('logs')) {
      response.write('line\n');
      response.once('close', closed.resolve);
    }
  });
  const reason = new Error('no longer wanted');
  const stop = new AbortController();
  const call = client.call('listNodes', {}, stop.signal);
  stop.abort(reason);
  await assert.rejects(call, reason);
  for await (const chunk of client.stream('executionLogs', { params: { id: 'exec-1' }, query: { follow: true } })) {
    assert.equal(chunk.toString(), 'line\n');
    break;
  }
  await closed.promise;
});

test('JSON text in a body goes up as it is', async (t) => {
  let got = '';
  const client = await clientOf(t, async (request, response) => {
    got = (await buffer(request)).toString();
    reply(response, 202, { id: 'exec-1' });
  });
  const texts = { input: '{"id":12345678901234567890,"x":1.0}' };
  await client.call('createExecution', { body: { deployment_id: 'a' }, texts });
  assert.equal(got, `{"deployment_id":"a","input":${texts.input}}`);
});

test('where nobody listens any more, the next address is asked for, once', async (t) => {
  const there = await clientOf(t, (_, response) => reply(response, 200, { items: [] }));
  const gone = { kind: 'socket', path: new Scratch(t).path('gone.sock') } as const;
  let asked = 0;
  const client = closing(
    t,
    new Client(gone, undefined, async () => {
      asked++;
      return there.address;
    }),
  );
  assert.deepEqual(await client.call('listNodes'), { items: [] });
  assert.deepEqual(client.address, there.address);
  const lost = closing(t, new Client(gone, undefined, async () => (asked++, gone)));
  await assert.rejects(lost.call('listNodes'), { code: 'unreachable', message: /there is no such socket/ });
  assert.equal(asked, 2);
});
