import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { parseAddress } from '../../src/client/address.ts';
import { Client } from '../../src/client/client.ts';

/** A server whose long answers never come, and a client whose clock is the test's. */
async function start(t: TestContext, { isThere }: { isThere: boolean }) {
  const requests = new EventEmitter();
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    if (searchParams.has('follow')) response.writeHead(200).flushHeaders();
    if (pathname === '/ready' && isThere) response.end('{}');
    else if (pathname === '/ready') request.socket.destroy();
    requests.emit(pathname === '/ready' ? 'question' : 'wait');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new Client(parseAddress(`127.0.0.1:${(server.address() as AddressInfo).port}`, '--server'));
  t.after(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  t.mock.timers.enable({ apis: ['setInterval'] });
  const letHalfAMinutePass = (): void => t.mock.timers.tick(30_000);
  return { client, requests, letHalfAMinutePass };
}

const params = { id: 'exec-1' };
const waits = {
  'the end of an execution': (client: Client, signal?: AbortSignal) =>
    client.call('getExecution', { params, query: { wait: '1h' } }, signal),
  'the next line of a log': (client: Client, signal?: AbortSignal) =>
    client.stream('executionLogs', { params, query: { follow: true } }, signal).next(),
};

for (const [what, wait] of Object.entries(waits)) {
  test(`who waits for ${what} is told when the server is not there any more`, async (t) => {
    const { client, requests, letHalfAMinutePass } = await start(t, { isThere: false });
    const waiting = once(requests, 'wait');
    const ended = assert.rejects(wait(client), {
      code: 'unreachable',
      message: /: the connection broke; see that it runs there/,
    });
    await waiting;
    letHalfAMinutePass();
    await ended;
  });

  test(`who waits for ${what} waits as long as the server answers`, async (t) => {
    const { client, requests, letHalfAMinutePass } = await start(t, { isThere: true });
    const [enough, stop] = [new Error('enough'), new AbortController()];
    const waiting = once(requests, 'wait');
    const ended = assert.rejects(wait(client, stop.signal), enough);
    await waiting;
    for (let minute = 0; minute < 5; minute++) {
      const asked = once(requests, 'question');
      letHalfAMinutePass();
      await asked;
    }
    stop.abort(enough);
    await ended;
  });
}
