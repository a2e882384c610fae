/**
 * The HTTP API: one application behind a unix socket and a port of the loopback interface.
 *
 * ```
 * request ──▶ listener ──▶ guard ──▶ fastify: route, role, input ──▶ handler ──▶ use case
 *   limits       403, 400, 431            404, 405, 403, 400, 413
 * ```
 * The guard stands before the router, so that what it refuses has reached nothing.
 */
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { loopbackHost } from '../model/listen-address.ts';
import { createApp } from './app.ts';
import { byDoor, type Authenticate } from './auth.ts';
import { refusal, replyTo } from './errors.ts';
import { guard, tcpDoor, type Door } from './guard.ts';
import { Listener, type ApiRequest, type Handling } from './listener.ts';
import { RequestLives } from './lives.ts';
import type { ApiOptions, ApiParts } from './parts.ts';
import { asListenError, withSocketAt } from './places.ts';
import { serveUpgrade } from './upgrade.ts';

export interface Api {
  /**
   * @param path absolute
   * @throws PrisnError `conflict` when a server answers there; `usage` for a path that cannot be one or is not safe
   */
  listenSocket(path: string): Promise<void>;
  /**
   * @param host an address of the loopback interface
   * @param port 0 for any
   * @throws PrisnError `conflict` when the port is taken; `usage` for an address that others reach
   */
  listenTcp(host: string, port: number): Promise<{ host: string; port: number }>;
  /** Requests since the start. */
  readonly requests: number;
  /** Requests that are not answered yet, and connections that speak another protocol by now. */
  readonly inFlight: number;
  /** Takes no more, lets what is in flight end until the deadline, then cuts it off. A second call gets the same promise. */
  close(drainMs: number): Promise<void>;
}

/** @param authenticate tells who asks; by the door through which they came without */
export async function createApi(parts: ApiParts, options: ApiOptions, authenticate: Authenticate = byDoor): Promise<Api> {
  const lives = new RequestLives();
  const app = await createApp(parts, options, lives);
  return new HttpApi(app, parts, options, lives, authenticate);
}

class HttpApi implements Api {
  readonly #app: FastifyInstance;
  readonly #parts: ApiParts;
  readonly #options: ApiOptions;
  readonly #lives: RequestLives;
  readonly #authenticate: Authenticate;
  readonly #listeners: Listener[] = [];
  #closed: Promise<void> | undefined;

  constructor(app: FastifyInstance, parts: ApiParts, options: ApiOptions, lives: RequestLives, authenticate: Authenticate) {
    this.#app = app;
    this.#parts = parts;
    this.#options = options;
    this.#lives = lives;
    this.#authenticate = authenticate;
  }

  async listenSocket(path: string): Promise<void> {
    const { runs, version } = this.#parts;
    const handling: Handling = {
      ...this.#handling(),
      upgrade: (request, socket, head) => serveUpgrade(request, socket, head, { runs, version }),
    };
    await withSocketAt(path, async () => {
      this.#listeners.push(await Listener.open({ path }, () => ({ kind: 'socket' }), handling));
    });
  }

  async listenTcp(host: string, port: number): Promise<{ host: string; port: number }> {
    const address = loopbackHost(host, 'addr');
    const found = { host: address, port };
    try {
      const listener = await Listener.open(
        { host: address, port },
        (server) => {
          found.port = (server.address() as AddressInfo).port;
          return tcpDoor(address, found.port, this.#options.publicHosts);
        },
        this.#handling(),
      );
      this.#listeners.push(listener);
      return found;
    } catch (error) {
      throw asListenError(error, `${host}:${port}`);
    }
  }

  get requests(): number {
    return this.#listeners.reduce((sum, listener) => sum + listener.requests, 0);
  }

  get inFlight(): number {
    return this.#listeners.reduce((sum, listener) => sum + listener.inFlight, 0);
  }

  close(drainMs: number): Promise<void> {
    this.#closed ??= this.#close(drainMs);
    return this.#closed;
  }

  async #close(drainMs: number): Promise<void> {
    this.#lives.close();
    await Promise.all(this.#listeners.map((listener) => listener.close(drainMs, () => this.#lives.abort())));
    await this.#app.close();
  }

  #handling(): Handling {
    return {
      handle: (request, response, door) => this.#handle(request, response, door),
      failed: (err) => this.#parts.log.warn({ err }, 'a connection could not be served'),
    };
  }

  #handle(request: ApiRequest, response: ServerResponse, door: Door): void {
    request.id = requestId(request.headers['x-request-id']);
    response.setHeader('x-request-id', request.id);
    try {
      guard({ target: request.url ?? '', rawHeaders: request.rawHeaders }, door);
      if (request.expectsMore) throw refusal(417, 'usage', 'the only Expect that is understood is 100-continue');
      request.caller = this.#authenticate(door.kind);
    } catch (error) {
      refuse(response, error);
      return;
    }
    this.#app.routing(request, response);
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  const { status, headers, body } = replyTo(error);
  response.writeHead(status, { ...headers, 'content-type': 'application/json; charset=utf-8', connection: 'close' });
  response.end(JSON.stringify(body));
}

/** A client's own id where it is one that a log can bear. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : crypto.randomUUID();
}
