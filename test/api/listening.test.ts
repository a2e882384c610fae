import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, linkSync, mkdirSync, statSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { dirname } from 'node:path';
import { test, type TestContext } from 'node:test';
import { PrisnError } from '../../src/base/error.ts';
import { createApi, type Api } from '../../src/api/server.ts';
import { Scratch } from '../scratch.ts';
import { anExecution, askAt, partsOf, Running, type Fakes } from './harness.ts';

async function open(t: TestContext, fakes: Fakes = {}): Promise<Api> {
  const api = await createApi(partsOf(fakes), { bodyLimit: 1024, bundleLimit: 1024, publicHosts: [] });
  t.after(() => api.close(0));
  return api;
}

function refusedWith(code: string, message: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof PrisnError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

test('the socket and its folder are their owner’s alone, and gone after the end', async (t) => {
  const path = new Scratch(t).path('home/run/prisn.sock');
  const api = await open(t);
  await api.listenSocket(path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
  assert.equal((await askAt({ socketPath: path }, '/health', { headers: { host: 'anything' } })).status, 200);
  await api.close(0);
  assert.equal(existsSync(path), false);
});

test('who asks on the socket is its owner, on TCP the machine', async (t) => {
  const path = new Scratch(t).path('prisn.sock');
  const doors: string[] = [];
  const api = await createApi(
    partsOf({ executor: { cancel: async () => anExecution } }),
    { bodyLimit: 1024, bundleLimit: 1024, publicHosts: [] },
    (door) => (doors.push(door), { id: door, role: door === 'socket' ? 'admin' : 'viewer' }),
  );
  t.after(() => api.close(0));
  await api.listenSocket(path);
  const tcp = await api.listenTcp('localhost', 0);
  const cancel = `/api/v1/executions/${anExecution.id}/cancel`;
  assert.equal((await askAt({ socketPath: path }, cancel, { method: 'POST' })).status, 200);
  assert.equal((await askAt(tcp, cancel, { method: 'POST' })).status, 403);
  assert.deepEqual(doors, ['socket', 'tcp']);
});

test('a stale socket is replaced, one on which a server answers is not', async (t) => {
  const path = new Scratch(t).path('prisn.sock');
  const stale = createServer().listen(path);
  await once(stale, 'listening');
  const other = await open(t);
  await assert.rejects(other.listenSocket(path), refusedWith('conflict', /answers/));
  // Closing would remove it: the link keeps what a killed server leaves.
  linkSync(path, `${path}.kept`);
  await new Promise((resolve) => stale.close(resolve));
  linkSync(`${path}.kept`, path);
  const api = await open(t);
  await api.listenSocket(path);
  assert.equal((await askAt({ socketPath: path }, '/health')).status, 200);
});

test('a file in the place of the socket stays, and is named', async (t) => {
  const path = new Scratch(t).file('prisn.sock', 'precious');
  await assert.rejects((await open(t)).listenSocket(path), refusedWith('usage', /is there and no socket/));
  assert.equal(statSync(path).size, 8);
});

test('a path that the system cannot take, or where others may put their own, is refused', async (t) => {
  const scratch = new Scratch(t);
  const api = await open(t);
  await assert.rejects(api.listenSocket(scratch.path('x'.repeat(120))), refusedWith('usage', /longer than/));
  const shared = scratch.path('shared');
  mkdirSync(shared);
  chmodSync(shared, 0o777);
  await assert.rejects(api.listenSocket(`${shared}/prisn.sock`), refusedWith('usage', /others may replace files/));
});

test('only addresses of the loopback interface are listened on', async (t) => {
  const api = await open(t);
  for (const host of ['0.0.0.0', '::', '192.168.1.1', 'example.com', '127.0.0.1.example.com', '127.0.0.256', ''])
    await assert.rejects(api.listenTcp(host, 0), refusedWith('usage', /can be reached from other machines/));
});

test('a port that is taken is told with the address', async (t) => {
  const running = await Running.start(t);
  await assert.rejects((await open(t)).listenTcp('127.0.0.1', running.port), refusedWith('conflict', /taken by another program/));
});

test('a foreground run gets the connection after its upgrade, on the socket alone', async (t) => {
  const path = new Scratch(t).path('prisn.sock');
  const served: string[] = [];
  const api = await open(t, {
    runs: {
      serve: (socket, head) => {
        served.push(head.toString());
        socket.pipe(socket);
      },
    },
  });
  await api.listenSocket(path);
  const { port } = await api.listenTcp('127.0.0.1', 0);
  const ask = (version: string, protocol = 'prisn-run', target = '/run') =>
    `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: ${protocol}\r\nX-Prisn-Version: ${version}\r\n\r\n`;
  const socket = connect(path);
  t.after(() => socket.destroy());
  socket.setEncoding('latin1').write(`${ask('1.2.3')}early`);
  const seen = await readUntil(socket, 'early', () => socket.write('early'));
  assert.match(seen, /^HTTP\/1\.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: prisn-run\r\n\r\n/);
  assert.deepEqual(served, ['early']);

  const refusedAs = async (request: string) => (await text(connect(path).end(request))).split('\r\n\r\n')[1] ?? '';
  assert.equal(JSON.parse(await refusedAs(ask('1.2.4'))).code, 'conflict');
  assert.equal(JSON.parse(await refusedAs(ask('1.2.3', 'prisn-run', '/other'))).code, 'not_found');
  const overTcp = await text(connect(port, '127.0.0.1').end(ask('1.2.3').replace('Host: x', `Host: localhost:${port}`)));
  assert.match(overTcp, /^HTTP\/1\.1 403 /);
  assert.equal(served.length, 1);
});

test('an offer of another protocol on the socket is left alone', async (t) => {
  const path = new Scratch(t).path('prisn.sock');
  const api = await open(t);
  await api.listenSocket(path);
  for (const upgrade of ['h2c', 'websocket']) {
    const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade, 'http2-settings': 'AAMAAABkAAQCAAAAAAIAAAAA' };
    assert.equal((await askAt({ socketPath: path }, '/health', { headers })).status, 200);
  }
});

test('a refused upgrade is closed also for a client that does not hang up', { timeout: 10_000 }, async (t) => {
  const path = new Scratch(t).path('prisn.sock');
  const api = await open(t);
  await api.listenSocket(path);
  const socket = connect({ path, allowHalfOpen: true });
  t.after(() => socket.destroy());
  socket.resume().write('GET /run HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: prisn-run\r\n\r\n');
  await once(socket, 'end');
  while (api.inFlight > 0) await new Promise(setImmediate);
});

async function readUntil(socket: Socket, wanted: string, onHead: () => void): Promise<string> {
  let seen = '';
  for await (const chunk of socket) {
    if (seen === '') onHead();
    seen += String(chunk);
    if (seen.includes(wanted)) return seen;
  }
  return seen;
}
