/** Hands a connection of the socket over to a foreground run, after the HTTP Upgrade of `src/base/frames.ts`. */
import type { Duplex } from 'node:stream';
import { PrisnError } from '../base/error.ts';
import { runPath, runProtocol } from '../base/frames.ts';
import { rawReplyTo, refusal } from './errors.ts';
import type { ApiRequest } from './listener.ts';
import type { ApiParts } from './parts.ts';

/** @param version of this server, which the client's `X-Prisn-Version` has to be */
export function serveUpgrade(
  request: ApiRequest,
  socket: Duplex,
  head: Buffer,
  { runs, version }: Pick<ApiParts, 'runs' | 'version'>,
): void {
  const refused = refusedFor(request, version);
  if (refused) {
    // Nothing else is heard from it, and it may not stay half open for as long as it likes.
    socket.resume();
    socket.end(rawReplyTo(refused), () => socket.destroy());
    return;
  }
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${runProtocol}\r\n\r\n`);
  runs.serve(socket, head);
}

function refusedFor({ method, url, headers }: ApiRequest, version: string): PrisnError | undefined {
  // Node before 24.9 asks nobody which upgrades are meant for us.
  if (headers.upgrade?.toLowerCase() !== runProtocol)
    return refusal(400, 'usage', `only ${runProtocol} is spoken here beside HTTP`);
  if (method !== 'GET' || url !== runPath) return new PrisnError('not_found', `${runProtocol} is at GET ${runPath}`);
  const asked = headers['x-prisn-version'];
  return asked === version
    ? undefined
    : new PrisnError('conflict', `this server is prisn ${version}, and ${String(asked)} was asked for`);
}
