/**
 * The Common Gateway Interface (RFC 3875): how a program that is a process meets an HTTP request.
 *
 * - The body is its standard input, the request stands in variables (4.1). `Authorization` is among them, since a web hook
 *   is proved by the program itself; `Proxy` is not, which programs would take for the setting HTTP_PROXY.
 * - What it writes is the body, as text. If its first line is a header `Content-Type: type/subtype`, `Status: 404 …` or
 *   `Location: URL`, then it begins with a header block (6.2), which ends with an empty line and may have any other header.
 *   `Location` without `Status` is a 302; a path there is left to the client.
 * - Without such a block the body is held until the program has ended well, so that a failure can still be told by the
 *   status. Beyond 64 kB it goes out as it comes.
 */
import { PrisnError } from '../base/error.ts';
import type { FunctionHead, FunctionRequest } from '../model/task.ts';
import { isField } from './response-head.ts';

const maxHeadBytes = 16_384;
const maxHeldBytes = 65_536;

const firstField =
  /^(?:content-type:[ \t]*[\w.+-]+\/[\w.+-]+[ \t]*(?:;.*)?|status:[ \t]*\d{3}(?:[ \t].*)?|location:[ \t]*(?:\/|[a-z][a-z\d+.-]*:)\S*[ \t]*)$/i;

/** An absolute URL as it was written: the path under which the function is reached, the rest of the path, the query. */
const functionUrl = /^[^:]+:\/\/[^/?#]*((?:\/ns\/[^/?#]+)?\/fn\/[^/?#]+)([^?#]*)(?:\?([^#]*))?/;

/**
 * The variables of a request.
 * @param remoteAddress of the client, where it is known
 * @throws PrisnError `usage` for a path with a NUL, which no variable can hold
 */
export function cgiVariables(request: FunctionRequest, remoteAddress?: string): Record<string, string> {
  const { method, headers, body } = request;
  const { hostname, port, protocol } = new URL(request.url);
  const [, script = '', rest = '', query = ''] = functionUrl.exec(request.url) ?? [];
  const type = headers.find(([name]) => name === 'content-type')?.[1];
  const pathInfo = decoded(rest);
  if (pathInfo.includes('\0')) throw new PrisnError('usage', 'the path contains a NUL byte, which no program can receive');
  return {
    ...headerVariables(headers),
    GATEWAY_INTERFACE: 'CGI/1.1',
    PATH_INFO: pathInfo,
    QUERY_STRING: query,
    REQUEST_METHOD: method,
    SCRIPT_NAME: decoded(script),
    SERVER_NAME: hostname,
    SERVER_PORT: port || (protocol === 'https:' ? '443' : '80'),
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_SOFTWARE: 'prisn',
    ...(remoteAddress !== undefined && { REMOTE_ADDR: remoteAddress }),
    ...(body.length > 0 && { CONTENT_LENGTH: String(body.length) }),
    ...(type !== undefined && { CONTENT_TYPE: type }),
  };
}

/** A name with another character than letters, digits and `-` could be taken for a second one: `x_a` and `x-a`. */
function headerVariables(headers: FunctionRequest['headers']): Record<string, string> {
  const variables = new Map<string, string>();
  for (const [name, value] of headers) {
    if (!/^[a-z\d-]+$/.test(name) || name === 'proxy' || name === 'content-type' || name === 'content-length') continue;
    const key = `HTTP_${name.toUpperCase().replaceAll('-', '_')}`;
    const before = variables.get(key);
    variables.set(key, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`);
  }
  return Object.fromEntries(variables);
}

/** A path that is not encoded well stays as it is. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

export interface CgiListener {
  /** Once, before any `body`. */
  readonly head: (head: FunctionHead) => void;
  /** A chunk is valid only during the call. */
  readonly body: (chunk: Uint8Array) => void;
  /** In place of `head`; nothing follows. */
  readonly invalid: (why: string) => void;
}

/** Reads what a program writes, as it comes. */
export class CgiReader {
  readonly #listener: CgiListener;
  #state: 'first line' | 'head' | 'plain' | 'body' | 'invalid' = 'first line';
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(listener: CgiListener) {
    this.#listener = listener;
  }

  write(chunk: Uint8Array): void {
    if (this.#state === 'invalid') return;
    if (this.#state === 'body') return this.#listener.body(chunk);
    this.#held.push(Buffer.from(chunk));
    this.#heldBytes += chunk.length;
    if (this.#state === 'first line') this.#readFirstLine();
    if (this.#state === 'head') this.#readHead();
    if (this.#state === 'plain' && this.#heldBytes > maxHeldBytes) this.#sendPlain();
  }

  /** The program has ended well. */
  end(): void {
    if (this.#state === 'first line' || this.#state === 'plain') this.#sendPlain(this.#heldBytes);
    else if (this.#state === 'head') this.#refuse('its header block does not end with an empty line');
  }

  #readFirstLine(): void {
    const held = this.#joined();
    const end = held.subarray(0, maxHeadBytes).indexOf('\n');
    if (end === -1 && held.length < maxHeadBytes) return;
    const line = held.toString('latin1', 0, Math.max(0, end)).replace(/\r$/, '');
    this.#state = firstField.test(line) ? 'head' : 'plain';
  }

  #readHead(): void {
    const held = this.#joined();
    const start = held.toString('latin1', 0, maxHeadBytes);
    const end = /\r?\n\r?\n/.exec(start);
    if (end) {
      const head = this.#parse(start.slice(0, end.index).split(/\r?\n/));
      if (head) this.#send(head, held.subarray(end.index + end[0].length));
    } else if (held.length >= maxHeadBytes) this.#refuse(`its header block is longer than ${maxHeadBytes} bytes`);
  }

  #joined(): Buffer {
    const all = Buffer.concat(this.#held);
    this.#held = [all];
    return all;
  }

  #parse(lines: readonly string[]): FunctionHead | undefined {
    const headers: [string, string][] = [];
    for (const [i, line] of lines.entries()) {
      const colon = line.indexOf(':');
      const [name, value] = [line.slice(0, Math.max(0, colon)), trimmed(line.slice(colon + 1))];
      if (!isField(name, value))
        return this.#refuse(`line ${i + 1} of its header block is no header: ${JSON.stringify(line.slice(0, 80))}`);
      headers.push([name.toLowerCase(), value]);
    }
    for (const name of ['status', 'location', 'content-type'])
      if (headers.filter(([other]) => other === name).length > 1)
        return this.#refuse(`its header block has more than one ${name}`);
    const status = headers.find(([name]) => name === 'status')?.[1];
    if (status !== undefined && !/^\d{3}(?!\d)/.test(status)) return this.#refuse(`its status is ${JSON.stringify(status)}`);
    return {
      status: status === undefined ? (headers.some(([name]) => name === 'location') ? 302 : 200) : Number(status.slice(0, 3)),
      // It is sent in chunks, or as long as it is.
      headers: headers.filter(([name]) => name !== 'status' && name !== 'content-length'),
    };
  }

  /** @param length where the whole of the body is known */
  #sendPlain(length?: number): void {
    const type = ['content-type', 'text/plain; charset=utf-8'] as const;
    const headers = length === undefined ? [type] : [type, ['content-length', String(length)] as const];
    this.#send({ status: 200, headers }, this.#joined());
  }

  #send(head: FunctionHead, body: Uint8Array): void {
    this.#state = 'body';
    this.#held = [];
    this.#listener.head(head);
    if (body.length > 0) this.#listener.body(body);
  }

  #refuse(why: string): undefined {
    this.#state = 'invalid';
    this.#held = [];
    this.#listener.invalid(
      `the program's output begins like a CGI header, but ${why}; write Content-Type: text/plain and an empty line before text that is none`,
    );
  }
}

/** Without blanks around it, in one pass: `trim` takes other characters too, which are bytes of a text here. */
function trimmed(value: string): string {
  const isBlank = (at: number): boolean => value[at] === ' ' || value[at] === '\t';
  let [start, end] = [0, value.length];
  while (isBlank(start)) start++;
  while (end > start && isBlank(end - 1)) end--;
  return value.slice(start, end);
}
