/** Sends an answer piece by piece, as fast as the client takes it and no longer than it is there. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

export interface StreamAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly stream: AsyncIterable<Uint8Array | string>;
  /** The head goes out before the first piece is there. */
  readonly live?: boolean;
  /** Sent now and then between two pieces, so that a connection where nothing happens is known to be alive. */
  readonly heartbeat?: string;
}

const heartbeatMs = 15_000;

/**
 * @param onCut is told why an answer had to be cut off in the middle
 * @throws what the stream throws before its first piece, unless it is live
 */
export async function sendStream(
  reply: FastifyReply,
  answer: StreamAnswer,
  onCut: (error: unknown) => void,
): Promise<FastifyReply> {
  const pieces = answer.stream[Symbol.asyncIterator]();
  const first = answer.live ? pieces.next() : Promise.resolve(await pieces.next());
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(answer.status, answer.headers);
  raw.flushHeaders();
  const heart = answer.heartbeat === undefined ? undefined : setInterval(() => beat(raw, answer.heartbeat ?? ''), heartbeatMs);
  try {
    for (let next = await first; next.done !== true && !raw.destroyed; next = await pieces.next()) await write(raw, next.value);
    raw.end();
  } catch (error) {
    onCut(error);
    raw.destroy();
  } finally {
    clearInterval(heart);
    await pieces.return?.();
  }
  return reply;
}

function beat(response: ServerResponse, text: string): void {
  if (!response.writableNeedDrain) response.write(text);
}

/** Resolves once there is room for more, or nobody there any more. */
export async function write(response: ServerResponse, piece: Uint8Array | string): Promise<void> {
  if (response.write(piece) || response.destroyed) return;
  const left = new AbortController();
  try {
    await Promise.race([once(response, 'drain', { signal: left.signal }), once(response, 'close', { signal: left.signal })]);
  } finally {
    left.abort();
  }
}
