/** The daemon's end of foreground runs alone: a socket, and what answers there. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { runPath, runProtocol } from '../src/base/frames.ts';

export interface WarmServer {
  /** Absolute path, for `PRISN_SOCKET`. */
  readonly socket: string;
  /** How many clients have come. */
  readonly count: () => number;
  readonly close: () => Promise<void>;
}

/**
 * @param folder absolute path of the folder for its socket
 * @param serve gets each connection after the answer to its upgrade
 */
export async function startWarmServer(folder: string, serve: (socket: Duplex, head: Buffer) => void): Promise<WarmServer> {
  const sockets = new Set<Duplex>();
  let count = 0;
  const server: Server = createServer((_request, response) => response.writeHead(404).end());
  server.on('upgrade', (request, socket: Duplex, head: Buffer) => {
    sockets.add(socket);
    count++;
    if (request.url !== runPath || request.headers.upgrade !== runProtocol) return socket.destroy();
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${runProtocol}\r\n\r\n`);
    serve(socket, head);
  });
  const path = join(folder, 'prisn.sock');
  server.listen(path);
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { socket: path, count: () => count, close };
}
