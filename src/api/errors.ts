/** Errors as answers: one body, `{error, code, message}`, whatever went wrong and wherever it was noticed. */
import { STATUS_CODES } from 'node:http';
import { errorCodes, errnoOf, type ErrorCode, messageOf, PrisnError } from '../base/error.ts';
import type { ErrorBody } from './contract/schemas.ts';

/** A refusal whose HTTP status or headers say more than its code does. */
export interface Refusal extends PrisnError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export function refusal(status: number, code: ErrorCode, message: string, headers: Record<string, string> = {}): Refusal {
  return Object.assign(new PrisnError(code, message), { status, headers });
}

export interface ErrorReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorBody;
}

/** Seconds after which it is worth to try again, where the error does not say. */
const retryAfterS = 1;

/** @param error anything that was thrown; what is no `PrisnError` is prisn's own fault and told without its details */
export function replyTo(error: unknown): ErrorReply {
  const known = error instanceof PrisnError ? error : fromFramework(error);
  if (known === undefined)
    return reply(500, 'internal', 'prisn failed; its log tells more under the X-Request-Id of this answer');
  const { status, headers } = { status: errorCodes[known.code].status, headers: {}, ...statusOf(known) };
  const mayRetry = status === 429 || status === 503;
  return reply(status, known.code, known.message, {
    ...headers,
    ...(mayRetry && { 'retry-after': String(Math.max(1, Math.ceil(known.retryAfterS ?? retryAfterS))) }),
  });
}

/** As bytes of HTTP, for a connection that has no response to write it with. It is the connection's last. */
export function rawReplyTo(error: unknown): string {
  const { status, headers, body } = replyTo(error);
  const text = JSON.stringify(body);
  const fields = {
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'x-request-id': crypto.randomUUID(),
    connection: 'close',
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${body.error}`, ...lines, '', text].join('\r\n');
}

function statusOf(error: PrisnError): { status?: number; headers?: Readonly<Record<string, string>> } {
  return 'status' in error ? (error as Refusal) : {};
}

function reply(status: number, code: ErrorCode, message: string, headers = {}): ErrorReply {
  return { status, headers, body: { error: STATUS_CODES[status] ?? 'Error', code, message } };
}

/** What fastify refuses by itself. */
function fromFramework(error: unknown): PrisnError | undefined {
  switch (errnoOf(error)) {
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new PrisnError('usage', 'the path contains a name that is too long; names have at most 63 characters');
    case 'FST_ERR_BAD_URL':
      return new PrisnError('usage', 'the path is not correctly percent-encoded');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'ECONNRESET':
      return new PrisnError('usage', 'the body ended before its Content-Length');
    default: {
      const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
      return typeof status === 'number' && status >= 400 && status < 500 ? refusal(status, 'usage', messageOf(error)) : undefined;
    }
  }
}
