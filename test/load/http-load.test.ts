import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { HttpLoad, judgeStatus } from '../../src/load/http-load.ts';

type Owner = { after(clean: () => Promise<void>): void };

async function serve(owner: Owner, listener: RequestListener): Promise<{ server: Server; port: number }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { server, port: (server.address() as AddressInfo).port };
}

const request = { method: 'POST', path: '/a?b', host: 'here', headers: { 'x-one': '1' }, body: '{"ö":1}' };

describe('calls over HTTP', () => {
  test('send the request as it is, and keep their connection', async (context) => {
    const seen: unknown[] = [];
    const ports = new Set<number | undefined>();
    const { port } = await serve(context, (incoming, reply) => {
      ports.add(incoming.socket.remotePort);
      let body = '';
      incoming.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      incoming.on('end', () => {
        const { host, 'x-one': one } = incoming.headers;
        seen.push([incoming.method, incoming.url, host, one, body]);
        reply.end('ok');
      });
    });
    const load = new HttpLoad({ host: '127.0.0.1', port }, 10_000);
    const call = load.call(request, judgeStatus);
    for (let i = 0; i < 3; i++) assert.deepEqual(Object.keys(await call(0)), ['ms']);
    load.close();
    assert.deepEqual(seen, Array(3).fill(['POST', '/a?b', 'here', '1', '{"ö":1}']));
    assert.equal(ports.size, 1);
  });

  test('of several clients have a connection each', async (context) => {
    const ports = new Set<number | undefined>();
    const { port } = await serve(context, (incoming, reply) => {
      ports.add(incoming.socket.remotePort);
      reply.end();
    });
    const load = new HttpLoad({ host: '127.0.0.1', port }, 10_000);
    const call = load.call(request, judgeStatus);
    await Promise.all([0, 1, 2].map(call));
    load.close();
    assert.equal(ports.size, 3);
  });

  test('open a new connection when the server closes theirs', async (context) => {
    const { port } = await serve(context, (_, reply) => reply.setHeader('connection', 'close').end('x'));
    const load = new HttpLoad({ host: '127.0.0.1', port }, 10_000);
    const call = load.call(request, judgeStatus);
    for (let i = 0; i < 3; i++) assert.equal((await call(0)).failure, undefined);
    load.close();
  });

  test('fail by their kind', async (context) => {
    const { server, port } = await serve(context, (incoming, reply) => {
      if (incoming.url === '/status') reply.writeHead(503).end();
      else if (incoming.url === '/cut') incoming.socket.destroy();
    });
    const load = new HttpLoad({ host: '127.0.0.1', port }, 200);
    const failureOf = async (path: string) => (await load.call({ ...request, path }, judgeStatus)(0)).failure;
    assert.equal(await failureOf('/status'), 'HTTP status 503');
    assert.match((await failureOf('/cut')) ?? '', /^(the connection was closed|ECONNRESET)$/);
    assert.equal(await failureOf('/silence'), 'no answer within 0.2 s');
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const { failure, isUnanswered } = await load.call(request, judgeStatus)(0);
    assert.deepEqual([failure, isUnanswered], ['ECONNREFUSED', true]);
    load.close();
  });
});
