/** The HTTP server that fetches are tested against. */
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';

type Route = (request: IncomingMessage, response: ServerResponse, parameter: string) => unknown;

/** How many requests wait in vain for an answer. */
let hanging = 0;
const changes = new EventEmitter();

function changeHanging(by: 1 | -1): void {
  hanging += by;
  changes.emit('change');
}

const routes: Readonly<Record<string, Route>> = {
  async echo(request, response) {
    const { method, url, headers } = request;
    request.setEncoding('latin1');
    const body = await text(request);
    const shown = { method, url, type: headers['content-type'], size: headers['content-length'], extra: headers['x-a'], body };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(shown));
  },
  status: (_request, response, code) => response.writeHead(Number(code)).end(code === '204' ? undefined : `status ${code}`),
  bytes: (_request, response) =>
    response.writeHead(200, { 'content-type': 'application/x-b' }).end(Buffer.from([0, 128, 255, 10])),
  cookies: (_request, response) => response.writeHead(200, { 'set-cookie': ['a=1', 'b=2; Path=/'], 'x-many': ['1', '2'] }).end(),
  gzip: (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('packed')),
  redirect: (_request, response, code) => response.writeHead(Number(code), { location: `/echo?from=${code}` }).end(),
  loop: (_request, response) => response.writeHead(302, { location: '/loop' }).end(),
  hangup: (request) => request.socket.destroy(),
  hang(_request, response) {
    changeHanging(1);
    response.on('close', () => changeHanging(-1));
  },
  /** Answers when this many requests hang. */
  async hanging(_request, response, count) {
    while (hanging !== Number(count)) await once(changes, 'change');
    response.end();
  },
  broken(request, response) {
    response.writeHead(200, { 'content-length': 100 }).write('part');
    setImmediate(() => request.socket.destroy());
  },
  endless(_request, response) {
    const blocks = Array<Buffer>(110).fill(Buffer.alloc(2 ** 20));
    // The client gives up on the way.
    return pipeline(Readable.from(blocks), response).catch(() => {});
  },
};

/** @returns the address of the server, that of a port where nobody listens, and what stops the server */
export async function serve(): Promise<{ base: string; closed: string; stop: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const [, name = '', parameter = ''] = (request.url ?? '').split(/[/?]/);
    void routes[name]?.(request, response, parameter);
  });
  const base = await listen(server);
  const other = createServer();
  const closed = await listen(other);
  await new Promise((resolve) => other.close(resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { base, closed, stop };
}

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
