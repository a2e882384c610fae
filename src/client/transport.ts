/**
 * Requests over a unix socket or TCP: to the local daemon by `local-request.ts`, whatever else by node's own client.
 *
 * A kept connection may be one that the server has just closed. What changes nothing is then sent once more on a new one;
 * for anything else it cannot be told whether the server got it.
 */
import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { Readable } from 'node:stream';
import { errnoOf, PrisnError } from '../base/error.ts';
import type { Address } from './address.ts';
import { type Answer, type LocalRequest, sendLocally } from './local-request.ts';

export type Request = LocalRequest;

/** What fits into the buffer of a socket on every system, with a head before it. */
const maxLocalBody = 64 * 1024;

/** For a connection to come about; a host that is down would take minutes. */
const connectMs = 10_000;

/** Without it an agent looks whether the host is an address, by an expression that takes 6 ms to compile. */
const noServerName = { servername: '' };

export class Transport {
  readonly #address: Address;
  #agent: Agent | undefined;

  constructor(address: Address) {
    this.#address = address;
  }

  /** @returns the answer, once its head is there. @throws what `node:http` does */
  async send(request: Request, body: Readable | Uint8Array | undefined, signal?: AbortSignal): Promise<Answer> {
    const address = this.#address;
    if (address.kind === 'socket' && (!body || (body instanceof Uint8Array && body.length <= maxLocalBody)))
      return sendLocally(address.path, request, body, signal);
    return this.#sendByNode(request, body, signal);
  }

  async #sendByNode(request: Request, body: Readable | Uint8Array | undefined, signal?: AbortSignal): Promise<IncomingMessage> {
    for (let attempt = 1; ; attempt++) {
      const sent = this.#open(request, body, signal);
      try {
        return await answerOf(sent, body, request.answerMs);
      } catch (error) {
        const wasStale = sent.reusedSocket && errnoOf(error) === 'ECONNRESET' && request.method === 'GET';
        if (!wasStale || attempt > 1 || signal?.aborted) throw error;
      }
    }
  }

  close(): void {
    this.#agent?.destroy();
  }

  #open({ method, path, headers }: Request, body: Readable | Uint8Array | undefined, signal?: AbortSignal): ClientRequest {
    const address = this.#address;
    const target: RequestOptions =
      address.kind === 'socket'
        ? { socketPath: address.path, path, headers: { host: 'localhost', ...headers }, ...noServerName }
        : { host: address.hostname, port: address.port, path: address.prefix + path, headers };
    const length = body instanceof Uint8Array ? { 'content-length': String(body.length) } : {};
    this.#agent ??= new (this.#http().Agent)({ keepAlive: true });
    return this.#http().request({
      ...target,
      method,
      headers: { ...length, ...(target.headers as Record<string, string>) },
      agent: this.#agent,
      ...(signal && { signal }),
    });
  }

  /** Loaded when it is needed: it costs 3 ms, and `node:https` 15 more. */
  #http(): Pick<typeof import('node:http'), 'Agent' | 'request'> {
    const { kind } = this.#address;
    const isTls = kind === 'http' && this.#address.protocol === 'https:';
    return isTls ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');
  }
}

function answerOf(
  request: ClientRequest,
  body: Readable | Uint8Array | undefined,
  answerMs: number | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    // After the answer it is the answer's reader who hears of a failure.
    request.on('error', reject);
    limitConnecting(request);
    if (answerMs !== undefined) limitAnswering(request, answerMs);
    if (body === undefined || body instanceof Uint8Array) request.end(body);
    else {
      body.once('error', (error) => reject(asUploadError(error)));
      // Loaded here, since all of it takes 3 ms.
      process.getBuiltinModule('node:stream').pipeline(body, request, (error) => {
        // A server that refuses an upload answers before it has read it all, and that answer counts.
        if (error && errnoOf(error) !== 'EPIPE' && errnoOf(error) !== 'ECONNRESET') request.destroy(error);
      });
    }
  });
}

function asUploadError(error: Error): PrisnError {
  if (error instanceof PrisnError) return error;
  return new PrisnError('usage', `what is uploaded cannot be read: ${error.message}`, { cause: error });
}

function limitAnswering(request: ClientRequest, ms: number): void {
  const giveUp = setTimeout(() => request.destroy(new Error(`it does not answer within ${ms / 1000} s`)), ms);
  const over = (): void => clearTimeout(giveUp);
  request.once('response', over);
  request.once('close', over);
}

function limitConnecting(request: ClientRequest): void {
  request.once('socket', (socket) => {
    if (!socket.connecting) return;
    const giveUp = setTimeout(() => request.destroy(new Error(`no connection within ${connectMs / 1000} s`)), connectMs);
    const connected = (): void => clearTimeout(giveUp);
    socket.once('connect', connected);
    socket.once('close', connected);
  });
}
