/**
 * One HTTP server behind one door, with a limit on all that a client can do slowly or often, and an end in three steps:
 *
 * ```
 * serving ──close()──▶ draining ──nothing in flight, or the deadline──▶ overdue ──soon──▶ closed
 * ```
 * Draining takes no connection, ends those that are idle, and lets each request end with its connection. What is overdue is
 * told so (`overdue`), which ends waits and followers with what they have; then the rest is cut off.
 */
import { createServer, IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ListenOptions, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf } from '../base/error.ts';
import { runProtocol } from '../base/frames.ts';
import type { Caller } from '../model/access.ts';
import { rawReplyTo, refusal } from './errors.ts';
import { maxHeaders, type Door } from './guard.ts';

/** A request with what is known of it before it is routed. */
export class ApiRequest extends IncomingMessage {
  id = '';
  caller: Caller | undefined;
  /** Its `Expect` asks for what this server does not do. */
  expectsMore = false;
}

export interface HttpLimits {
  /** For the head of a request, from the opening of its connection on. */
  readonly headMs: number;
  /** For a whole request, its body included. */
  readonly requestMs: number;
  readonly idleMs: number;
  /** For a client to take some more of its answer. */
  readonly stalledMs: number;
  readonly checkMs: number;
  readonly headBytes: number;
  readonly connections: number;
}

export const httpLimits: HttpLimits = {
  headMs: 10_000,
  requestMs: 600_000,
  idleMs: 75_000,
  stalledMs: 60_000,
  checkMs: 2_000,
  headBytes: 16_384,
  connections: 10_000,
};

/** For answers to what is overdue to leave. */
const lastWordsMs = 500;

export interface Handling {
  handle(request: ApiRequest, response: ServerResponse, door: Door): void;
  /** Is given the upgrades to `runProtocol`; without it they are requests like any other. */
  upgrade?(request: ApiRequest, socket: Duplex, head: Buffer): void;
  /** A connection could not be taken or handed over. */
  failed(error: unknown): void;
}

export class Listener {
  readonly #server: Server;
  readonly #inFlight = new Set<ServerResponse>();
  /** Of each connection; earlier ones of it are answered first. */
  readonly #latest = new WeakMap<Duplex, ServerResponse>();
  readonly #upgraded = new Set<Duplex>();
  #requests = 0;
  #closed: Promise<void> | undefined;

  private constructor(handling: Handling, limits: HttpLimits) {
    const { upgrade } = handling;
    this.#server = createServer({
      IncomingMessage: ApiRequest,
      headersTimeout: limits.headMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: limits.checkMs,
      maxHeaderSize: limits.headBytes,
      // The guard tells why.
      requireHostHeader: false,
      noDelay: true,
      keepAlive: true,
      // An offer of anything else may be left alone (RFC 9110, 7.8), and some clients always make one.
      shouldUpgradeCallback: ({ headers }) => upgrade !== undefined && headers.upgrade?.toLowerCase() === runProtocol,
    });
    this.#server.maxConnections = limits.connections;
    this.#server.maxHeadersCount = maxHeaders + 1;
    this.#server.on('clientError', (error, socket) => this.#endBroken(error, socket));
    this.#server.setTimeout(limits.stalledMs, (socket) => this.#endSilent(socket));
    if (upgrade)
      this.#server.on('upgrade', (request: ApiRequest, socket: Duplex, head: Buffer) => {
        this.#track(socket);
        try {
          upgrade(request, socket, head);
        } catch (error) {
          socket.destroy();
          handling.failed(error);
        }
      });
  }

  /** @param doorOf is told the port once it is known */
  static async open(
    where: ListenOptions,
    doorOf: (server: Server) => Door,
    handling: Handling,
    limits = httpLimits,
  ): Promise<Listener> {
    const listener = new Listener(handling, limits);
    const server = listener.#server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(where, () => {
        server.off('error', reject);
        resolve();
      });
    });
    const door = doorOf(server);
    server.on('error', (error) => handling.failed(error));
    const take = (request: ApiRequest, response: ServerResponse): void => {
      listener.#begin(response);
      handling.handle(request, response, door);
    };
    server.on('request', take);
    server.on('checkExpectation', (request: ApiRequest, response) => {
      request.expectsMore = true;
      take(request, response);
    });
    return listener;
  }

  /** Since the start. */
  get requests(): number {
    return this.#requests;
  }

  get inFlight(): number {
    return this.#inFlight.size + this.#upgraded.size;
  }

  /**
   * Lets requests in flight end, until the deadline. A second call gets the same promise.
   * @param overdue is called at the deadline
   */
  close(drainMs: number, overdue: () => void): Promise<void> {
    this.#closed ??= this.#drain(drainMs, overdue);
    return this.#closed;
  }

  async #drain(drainMs: number, overdue: () => void): Promise<void> {
    let isClosed = false;
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve())).then(() => {
      isClosed = true;
    });
    for (const response of this.#inFlight) endConnectionWith(response);
    const timers = new AbortController();
    const waiting = async (ms: number): Promise<void> => {
      await Promise.race([closed, delay(ms, undefined, { signal: timers.signal }).catch(() => {})]);
    };
    await waiting(drainMs);
    if (!isClosed) {
      overdue();
      await waiting(lastWordsMs);
    }
    timers.abort();
    for (const socket of this.#upgraded) socket.destroy();
    this.#server.closeAllConnections();
    await closed;
  }

  #begin(response: ServerResponse): void {
    this.#requests++;
    this.#inFlight.add(response);
    this.#latest.set(response.req.socket, response);
    if (this.#closed) endConnectionWith(response);
    response.once('close', () => {
      this.#inFlight.delete(response);
      // Its head may have promised to keep the connection before that was known to be wrong.
      if (this.#closed) setImmediate(() => this.#server.closeIdleConnections());
    });
  }

  /** Node tells of connections on which nothing has moved, in either direction, and of those that have been idle. */
  #endSilent(socket: Socket): void {
    const isStalled = socket.writableLength > 0;
    if (isStalled || !this.#latestInFlight(socket)) socket.destroy();
  }

  /** Answers what is no request that Node would understand, or was not sent in time; after what was asked before it. */
  #endBroken(error: Error, socket: Duplex & { readonly bytesWritten?: number }): void {
    const latest = this.#latestInFlight(socket);
    if (latest?.req.complete && socket.writable && errnoOf(error) !== 'ECONNRESET') {
      endConnectionWith(latest);
      latest.once('close', () => socket.end());
      return;
    }
    // After a first answer on the connection, or before one, nobody can tell what this one would be taken for.
    const isFirst = (socket.bytesWritten ?? 0) === 0 && latest?.socket !== null;
    if (!socket.writable || errnoOf(error) === 'ECONNRESET' || !isFirst) socket.destroy();
    else socket.end(rawReplyTo(brokenRequest(errnoOf(error))));
  }

  #latestInFlight(socket: Duplex): ServerResponse | undefined {
    const latest = this.#latest.get(socket);
    return latest && this.#inFlight.has(latest) ? latest : undefined;
  }

  #track(socket: Duplex): void {
    (socket as Socket).setTimeout(0);
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
    // Whoever serves it hears its end by `close`.
    socket.on('error', () => {});
  }
}

function endConnectionWith(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close');
}

function brokenRequest(code: string | undefined): Error {
  if (code === 'HPE_HEADER_OVERFLOW') return refusal(431, 'usage', 'the request line and headers are too long');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return refusal(408, 'usage', 'the request did not arrive in time');
  return refusal(400, 'usage', 'this is no valid HTTP request');
}
