/** Calls over HTTP: a connection a client, the same request each time. */
import type { Answered, Call } from './call.ts';
import { HttpConnection, type Origin } from './http-connection.ts';
import type { Reply } from './http-reply.ts';

export interface HttpRequest {
  readonly method: string;
  /** As it goes out, with its query. */
  readonly path: string;
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** What an answer means. @param ms that it took @returns a failure where it is one, and where its time went */
export type Judge = (reply: Reply, ms: number) => Omit<Answered, 'ms'>;

export class HttpLoad {
  readonly #origin: Origin;
  readonly #timeoutMs: number;
  readonly #connections: HttpConnection[] = [];

  /** @param timeoutMs from a request to its whole answer */
  constructor(origin: Origin, timeoutMs: number) {
    this.#origin = origin;
    this.#timeoutMs = timeoutMs;
  }

  call(request: HttpRequest, judge: Judge): Call {
    const bytes = bytesOf(request);
    return async (client) => {
      const connection = (this.#connections[client] ??= new HttpConnection(this.#origin, this.#timeoutMs));
      const exchange = await connection.exchange(bytes);
      if ('failure' in exchange) return { ...exchange, isUnanswered: true };
      return { ...judge(exchange.reply, exchange.ms), ms: exchange.ms };
    };
  }

  close(): void {
    for (const connection of this.#connections) connection?.close();
  }
}

/** Any answer will do that is no error. */
export function judgeStatus({ status }: Reply): Omit<Answered, 'ms'> {
  return status < 400 ? {} : { failure: `HTTP status ${status}` };
}

function bytesOf({ method, path, host, headers, body }: HttpRequest): Buffer {
  const length = body === undefined ? [] : [['content-length', String(Buffer.byteLength(body))]];
  const fields = [['host', host], ...Object.entries(headers), ...length];
  const head = `${method} ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return Buffer.from(head + (body ?? ''));
}
