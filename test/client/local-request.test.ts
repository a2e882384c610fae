/** HTTP by hand, against servers that write what they like. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { type Answer, type LocalRequest, sendLocally } from '../../src/client/local-request.ts';
import { Scratch } from '../scratch.ts';

const get: LocalRequest = { method: 'GET', path: '/api/v1/nodes', headers: { accept: 'application/json' } };

/** @param talk what the server does with a connection @returns the path of its socket */
async function listening(t: TestContext, talk: (socket: Socket) => void): Promise<string> {
  const path = new Scratch(t).path('s.sock');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    talk(socket);
  }).listen(path);
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path;
}

/** Answers with these bytes once a request's head has come, each piece as a write of its own. */
function answering(...pieces: readonly string[]): (socket: Socket) => void {
  const send = async (socket: Socket): Promise<void> => {
    for (const piece of pieces) {
      socket.write(piece, 'latin1');
      await new Promise(setImmediate);
    }
    socket.end();
  };
  return (socket) => socket.once('data', () => void send(socket));
}

async function answered(t: TestContext, ...pieces: readonly string[]): Promise<{ answer: Answer; body: string }> {
  const answer = await sendLocally(await listening(t, answering(...pieces)), get);
  return { answer, body: await text(answer as AsyncIterable<Uint8Array>) };
}

test('a request is a head with the length of its body, and the body', async (t) => {
  const seen = Promise.withResolvers<string>();
  const path = await listening(t, (socket) => {
    let all = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      all += chunk;
      if (!all.endsWith('{"a":"ü"}')) return;
      seen.resolve(all);
      socket.end('HTTP/1.1 204 No Content\r\n\r\n');
    });
  });
  const body = Buffer.from('{"a":"ü"}');
  const answer = await sendLocally(path, { ...get, method: 'POST', path: '/x?y=1', headers: { 'x-a': 'b' } }, body);
  assert.equal(answer.statusCode, 204);
  assert.equal(
    await seen.promise,
    'POST /x?y=1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 10\r\nx-a: b\r\n\r\n{"a":"ü"}',
  );
});

test('a value of a header cannot add another', async (t) => {
  const path = await listening(t, () => {});
  const headers = { 'idempotency-key': 'a\r\nx-admin: 1' };
  await assert.rejects(sendLocally(path, { ...get, headers }), { name: 'TypeError', message: /idempotency-key/ });
});

test('a body comes by its length, wherever it is cut', async (t) => {
  const whole = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCONTENT-LENGTH: 5\r\n\r\nhello';
  for (const cut of [1, 12, 17, whole.length - 7, whole.length - 5, whole.length - 2]) {
    const { answer, body } = await answered(t, whole.slice(0, cut), whole.slice(cut));
    assert.deepEqual([answer.statusCode, answer.headers['content-type'], body], [200, 'text/plain', 'hello'], String(cut));
  }
});

test('a body comes in chunks, with extensions and trailers, wherever it is cut', async (t) => {
  const whole =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6;why=no\r\nhello \r\nB\r\nwide world\n\r\n0\r\nX-Sum: 1\r\n\r\n';
  for (let cut = 1; cut < whole.length; cut += 7)
    assert.equal((await answered(t, whole.slice(0, cut), whole.slice(cut))).body, 'hello wide world\n', String(cut));
});

test('a body without a length goes to the end of the connection', async (t) => {
  assert.equal((await answered(t, 'HTTP/1.1 200 OK\r\n\r\nall of ', 'it')).body, 'all of it');
});

test('answers on the way to the answer are passed over', async (t) => {
  const { answer } = await answered(
    t,
    'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n',
  );
  assert.equal(answer.statusCode, 404);
});

for (const [what, pieces] of [
  ['within its length', ['HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello']],
  ['within a chunk', ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhello']],
  ['between chunks', ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n']],
  ['within its head', ['HTTP/1.1 200 OK\r\ncontent-le']],
  ['before it', ['']],
] as const)
  test(`an answer that ends ${what} is an error`, async (t) => {
    await assert.rejects(answered(t, ...pieces), { code: 'ECONNRESET' });
  });

for (const [what, piece] of [
  ['another protocol', 'SSH-2.0-x\r\n\r\n'],
  ['a chunk without a length', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
  ['a chunk that is longer than it says', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n'],
  ['a head without an end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`],
] as const)
  test(`${what} is an error`, async (t) => {
    await assert.rejects(answered(t, piece), (error: Error) => error.message !== '' && !('code' in error));
  });

test('a reader that stands still holds the server back, and gets every byte', async (t) => {
  const bytes = 16 * 2 ** 20;
  let isHeldBack = false;
  const path = await listening(t, (socket) =>
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n\r\n`);
      isHeldBack = !socket.write(Buffer.alloc(bytes, 'x'));
      socket.end();
    }),
  );
  const answer = await sendLocally(path, get);
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  assert.ok(isHeldBack);
  assert.equal((await buffer(answer as AsyncIterable<Uint8Array>)).length, bytes);
});

test('a reader that leaves in the middle ends the connection', async (t) => {
  const closed = Promise.withResolvers<void>();
  const path = await listening(t, (socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'));
    socket.once('close', () => closed.resolve());
  });
  for await (const chunk of await sendLocally(path, get)) {
    assert.equal(String(chunk), 'hello');
    break;
  }
  await closed.promise;
});

test('an answer that does not begin in time is given up', async (t) => {
  const path = await listening(t, () => {});
  await assert.rejects(sendLocally(path, { ...get, answerMs: 20 }), /does not answer within 0\.02 s/);
});

test('a signal ends it before the answer and in the middle', async (t) => {
  const path = await listening(t, (socket) =>
    socket.once('data', (head: Buffer) => {
      if (!String(head).includes('/silent')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello');
    }),
  );
  const gone = new Error('gone');
  await assert.rejects(sendLocally(path, get, undefined, AbortSignal.abort(gone)), gone);
  const before = new AbortController();
  const silent = sendLocally(path, { ...get, path: '/silent' }, undefined, before.signal);
  before.abort(gone);
  await assert.rejects(silent, gone);
  const during = new AbortController();
  const answer = await sendLocally(path, get, undefined, during.signal);
  const reading = text(answer as AsyncIterable<Uint8Array>);
  during.abort(gone);
  await assert.rejects(reading, gone);
});

test('nobody there is what the system says', async (t) => {
  await assert.rejects(sendLocally(new Scratch(t).path('none.sock'), get), { code: 'ENOENT' });
});
