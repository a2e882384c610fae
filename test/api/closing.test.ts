import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { Listener, httpLimits } from '../../src/api/listener.ts';
import { Scratch } from '../scratch.ts';
import { anExecution, Running } from './harness.ts';

/** A wait that the test ends, or that runs out. */
function held() {
  const begun = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const wait = async (_id: string, _ms: number, signal?: AbortSignal) => {
    begun.resolve();
    await Promise.race([end.promise, once(signal ?? assert.fail(), 'abort')]);
    return { ...anExecution, status: signal?.aborted ? ('Running' as const) : ('Completed' as const) };
  };
  return { begun: begun.promise, end: end.resolve, wait };
}

const waiting = `/api/v1/executions/${anExecution.id}?wait=60s`;

test('a server that ends lets a request in flight end, and takes no more', async (t) => {
  const { begun, end, wait } = held();
  const running = await Running.start(t, { executor: { wait } });
  const idle = new Scratch(t).path('prisn.sock');
  await running.api.listenSocket(idle);
  const answer = running.ask(waiting);
  await begun;
  const closed = running.api.close(60_000);
  assert.equal(running.api.close(0), closed);
  while (existsSync(idle)) await new Promise(setImmediate);
  await assert.rejects(running.ask('/health'), { code: 'ECONNREFUSED' });
  end();
  assert.equal((await answer).json.status, 'Completed');
  await closed;
});

test('at the deadline a wait is answered with what there is', async (t) => {
  const { begun, wait } = held();
  const running = await Running.start(t, { executor: { wait } });
  const answer = running.ask(waiting);
  await begun;
  await Promise.all([running.api.close(1), answer]);
  assert.equal((await answer).json.status, 'Running');
});

test('what does not even end then is cut off', async (t) => {
  const begun = Promise.withResolvers<void>();
  const running = await Running.start(t, { executor: { wait: () => (begun.resolve(), new Promise(() => {})) } });
  const answer = running.ask(waiting);
  await begun.promise;
  await Promise.all([running.api.close(1), assert.rejects(answer, { code: 'ECONNRESET' })]);
});

test('idle connections end at once', async (t) => {
  const running = await Running.start(t);
  const socket = connect(running.port, '127.0.0.1');
  socket.write(`GET /health HTTP/1.1\r\nHost: localhost:${running.port}\r\n\r\n`);
  await once(socket, 'data');
  await Promise.all([once(socket, 'close'), running.api.close(60_000)]);
});

test('a connection that is kept ends with the answer during the end', async (t) => {
  const { begun, end, wait } = held();
  const running = await Running.start(t, { executor: { wait } });
  const socket = connect(running.port, '127.0.0.1');
  let seen = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (seen += chunk));
  socket.write(`GET ${waiting} HTTP/1.1\r\nHost: localhost:${running.port}\r\n\r\n`);
  await begun;
  const closed = running.api.close(60_000);
  end();
  await Promise.all([once(socket, 'close'), closed]);
  assert.match(seen, /\r\nconnection: close\r\n/i);
});

test('a thousand clients that leave before their answer leave nothing behind', async (t) => {
  const running = await Running.start(t, {
    executor: {
      wait: async (_id, _ms, signal) => {
        if (!signal?.aborted) await once(signal ?? assert.fail(), 'abort');
        return anExecution;
      },
    },
  });
  for (let i = 0; i < 10; i++)
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const socket = connect(running.port, '127.0.0.1');
        socket.on('error', () => {});
        socket.write(`GET ${waiting} HTTP/1.1\r\nHost: localhost:${running.port}\r\n\r\n`, () => socket.destroy());
        await once(socket, 'close');
      }),
    );
  // Nothing is in flight: the end does not wait for its deadline.
  await running.api.close(3_600_000);
  assert.deepEqual(
    running.logged.filter(({ level }) => level !== 'debug'),
    [],
  );
});

test('connections that send nothing, or little by little, are closed in time', async (t) => {
  let port = 0;
  const listener = await Listener.open(
    { host: '127.0.0.1', port: 0 },
    (server) => {
      ({ port } = server.address() as AddressInfo);
      return { kind: 'socket' };
    },
    { handle: (request, response) => void request.resume().on('end', () => response.end()), failed: assert.fail },
    { ...httpLimits, headMs: 50, requestMs: 100, checkMs: 20 },
  );
  t.after(() => listener.close(0, () => {}));
  const slow: Socket[] = Array.from({ length: 200 }, (_, i) => {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    if (i % 2 === 0) socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
    if (i % 4 === 1) socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n1');
    return socket;
  });
  const answers = await Promise.all(
    slow.map(async (socket) => {
      let seen = '';
      socket.on('data', (chunk: string) => (seen += chunk)).on('error', () => {});
      await once(socket, 'close');
      return seen;
    }),
  );
  for (const [i, answer] of answers.entries())
    if (i % 2 === 0) assert.match(answer, /^HTTP\/1\.1 408 [\s\S]*did not arrive in time/);
});

test('more connections than the limit are turned away, and those that are there are served', async (t) => {
  let port = 0;
  const listener = await Listener.open(
    { host: '127.0.0.1', port: 0 },
    (server) => {
      ({ port } = server.address() as AddressInfo);
      return { kind: 'socket' };
    },
    { handle: (_request, response) => void response.end('ok'), failed: assert.fail },
    { ...httpLimits, connections: 2 },
  );
  t.after(() => listener.close(0, () => {}));
  const sockets = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  sockets[0]?.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(sockets[0] ?? assert.fail(), 'data');
  const third = connect(port, '127.0.0.1').on('error', () => {});
  await once(third, 'close');
  sockets[1]?.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(sockets[1] ?? assert.fail(), 'data');
  for (const socket of sockets) socket.destroy();
});
