/** What answers that are none, and failures of the connection, become. */
import { errnoOf, type ErrorCode, errorCodes, messageOf, PrisnError } from '../base/error.ts';

/**
 * The error that a server answered with.
 * @param text the body: `{error, code, message}`, unless another program answers there
 */
export function errorOf(status: number, retryAfter: string | undefined, text: string, address: string): PrisnError {
  const { code, message } = parse(text);
  if (message === undefined) return brokenAnswer(address, new Error(`HTTP status ${status}`));
  const seconds = Number(retryAfter);
  return new PrisnError(isErrorCode(code) ? code : 'internal', message, {
    ...(retryAfter !== undefined && Number.isFinite(seconds) && { retryAfterS: seconds }),
  });
}

/** Somebody answers there who is no server of prisn, or one of a very different version. */
export function brokenAnswer(address: string, cause: unknown): PrisnError {
  return new PrisnError(
    'unreachable',
    `what answers at ${address} does not speak as a prisn server does (${messageOf(cause)}); see that the address is right`,
    { cause },
  );
}

/** @param error what `node:http` failed with; one of prisn's own stays as it is */
export function unreachable(error: unknown, address: string, advice: string): unknown {
  if (error instanceof PrisnError || error instanceof TypeError) return error;
  const why = reasons[errnoOf(error) ?? ''] ?? messageOf(error);
  return new PrisnError('unreachable', `no prisn server answers at ${address}: ${why}; ${advice}`, { cause: error });
}

/** Nothing was sent, since nobody listens on the socket. */
export function isNobodyThere(error: unknown): boolean {
  return ['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error) ?? '');
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOENT: 'there is no such socket',
  EACCES: 'the socket belongs to another user',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the host is not found at the moment',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ECONNABORTED: 'the connection broke',
};

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorCodes, code);
}

function parse(text: string): { code?: unknown; message?: string } {
  try {
    const { code, message } = JSON.parse(text) as { code?: unknown; message?: unknown };
    return typeof message === 'string' ? { code, message } : {};
  } catch {
    return {};
  }
}
