import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { type ApiRequest, httpLimits, Listener } from '../../src/api/listener.ts';
import { Scratch } from '../scratch.ts';

async function listening(
  t: TestContext,
  handle: (request: ApiRequest, response: ServerResponse) => void,
  stalledMs = httpLimits.stalledMs,
): Promise<string> {
  const path = new Scratch(t).path('socket');
  const handling = { handle, failed: (error: unknown) => assert.fail(String(error)) };
  const listener = await Listener.open({ path }, () => ({ kind: 'socket' }), handling, { ...httpLimits, stalledMs });
  t.after(() => listener.close(0, () => {}));
  return path;
}

const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

test('a client that takes nothing of its answer is cut off', { timeout: 10_000 }, async (t) => {
  const closed = Promise.withResolvers<void>();
  const path = await listening(
    t,
    (_, response) => {
      response.once('close', () => closed.resolve());
      response.end(Buffer.alloc(8 * 2 ** 20));
    },
    100,
  );
  const socket = connect(path).pause();
  t.after(() => socket.destroy());
  socket.write(get);
  await closed.promise;
});

test('one that waits for its answer, or takes it slowly, is not', { timeout: 10_000 }, async (t) => {
  const body = Buffer.alloc(4 * 2 ** 20);
  const path = await listening(t, (_, response) => void setTimeout(() => response.end(body), 300), 100);
  const socket = connect(path);
  socket.write(get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  let received = 0;
  for await (const chunk of socket) {
    received += (chunk as Buffer).length;
    if (received < 20 * 65_536) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(received > body.length);
});

test('what is no request does not stand in the place of the answer to the one before it', async (t) => {
  const path = await listening(t, (_, response) => void setTimeout(() => response.end('done'), 50));
  const socket = connect(path);
  await once(socket, 'connect');
  socket.write(`${get}GARBAGE\r\n\r\n`);
  const answer = await text(socket);
  assert.match(answer, /^HTTP\/1\.1 200 [^]*\r\n\r\ndone$/);
});
