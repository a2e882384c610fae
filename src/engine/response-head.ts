import { PrisnError } from '../base/error.ts';
import type { FunctionHead } from '../model/task.ts';

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Bytes as latin1; no control character but the tab (RFC 9110, 5.5). */
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

/** About one connection, and not the program's to say: RFC 9110, 7.6.1. */
const ofTheConnection = new Set(
  'connection keep-alive proxy-connection proxy-authenticate te trailer transfer-encoding upgrade'.split(' '),
);

/** Whether HTTP allows such a header field. */
export function isField(name: string, value: string): boolean {
  return token.test(name) && fieldValue.test(value);
}

/**
 * The head of a program's answer, as it may be sent: without what is about the connection.
 * @throws PrisnError `cannot_run` for a status or a field that no client may see
 */
export function safeHead({ status, headers }: FunctionHead): FunctionHead {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new PrisnError('cannot_run', `the program answered with the status ${status}; from 200 to 599 are allowed`);
  for (const [name, value] of headers)
    if (!isField(name, value))
      throw new PrisnError(
        'cannot_run',
        `the program answered with a header field that HTTP does not allow: ${JSON.stringify(`${name}: ${value}`.slice(0, 200))}`,
      );
  return { status, headers: headers.filter(([name]) => !ofTheConnection.has(name.toLowerCase())) };
}
