/**
 * One request over one connection to a unix socket, by hand: HTTP/1.1 of RFC 9112 as far as a server of prisn speaks it to one
 * who asks it to close the connection. `node:http` takes 4 ms to load and to set up, which every command would pay.
 *
 * ```
 * connect ─▶ head and body, at once ─▶ 1xx* ─▶ head ─▶ body: chunked | content-length | until the end
 * ```
 * An end before the end that the head announced is an error: what is shown of a log must not stop in silence.
 */
import { connect, type Socket } from 'node:net';

export interface LocalRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** For the answer to begin; without it that may take any time. */
  readonly answerMs?: number;
}

/** The part of node's IncomingMessage that is needed: the body is what it yields. */
export interface Answer extends AsyncIterable<unknown> {
  readonly statusCode?: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Ends the connection, wherever the answer is. */
  destroy(): void;
}

/** More is written by no server of prisn. */
const maxHeadBytes = 64 * 1024;

/**
 * @param body small enough for the buffer of a socket, so that a server that answers before it has read all is heard
 * @returns the answer once its head is there
 * @throws system errors of the connection; `ECONNRESET` also where it ends too early; Error for what is not HTTP
 */
export async function sendLocally(
  socketPath: string,
  { method, path, headers, answerMs }: LocalRequest,
  body?: Uint8Array,
  signal?: AbortSignal,
): Promise<Answer> {
  signal?.throwIfAborted();
  const fields = { host: 'localhost', connection: 'close', ...(body && { 'content-length': String(body.length) }), ...headers };
  const head = `${method} ${path} HTTP/1.1\r\n${fieldLines(fields)}\r\n`;
  const socket = connect(socketPath);
  const giveUp = answerMs === undefined ? undefined : setTimeout(() => socket.destroy(late(answerMs)), answerMs);
  const abort = (): void => void socket.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
  signal?.addEventListener('abort', abort);
  socket.once('close', () => signal?.removeEventListener('abort', abort));
  socket.write(head, 'latin1');
  if (body) socket.write(body);
  const input = new Input(socket);
  try {
    const { statusCode, headers: answered } = await readHead(input);
    const isEmpty = method === 'HEAD' || statusCode === 204 || statusCode === 304;
    const content = bodyOf(input, isEmpty ? { 'content-length': '0' } : answered);
    return { statusCode, headers: answered, [Symbol.asyncIterator]: () => content, destroy: () => void socket.destroy() };
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(giveUp);
  }
}

function late(ms: number): Error {
  return new Error(`it does not answer within ${ms / 1000} s`);
}

/** @throws TypeError for a value that would end its line: nothing of a user's may add fields */
function fieldLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => {
      if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
        throw new TypeError(`the value of the header ${name} has characters that none may have`);
      return `${name}: ${value}\r\n`;
    })
    .join('');
}

/** What has come and is not read yet: one chunk, and the connection stands still until it is. */
class Input {
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #isOver = false;
  #failure: Error | undefined;
  #wake = (): void => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      socket.pause();
      this.#rest = chunk;
      this.#wake();
    });
    socket.on('error', (error) => {
      this.#failure = error;
    });
    for (const event of ['end', 'close'])
      socket.on(event, () => {
        this.#isOver = true;
        this.#wake();
      });
  }

  /** @returns some bytes, at most so many; undefined at the end of the connection */
  async some(most = Number.POSITIVE_INFINITY): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      if (this.#failure) throw this.#failure;
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#socket.resume();
      });
    }
    const taken = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  /** @returns the text before the delimiter, which is read too @throws RangeError where that is longer than a head may be */
  async until(delimiter: string): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf(delimiter, 0, 'latin1');
      if (end >= 0) {
        const text = this.#rest.toString('latin1', 0, end);
        this.#rest = this.#rest.subarray(end + delimiter.length);
        return text;
      }
      if (this.#rest.length > maxHeadBytes) throw new RangeError('its head is too long');
      const before = this.#rest;
      this.#rest = Buffer.alloc(0);
      const more = await this.some();
      if (!more) throw broken();
      this.#rest = Buffer.concat([before, more, this.#rest]);
    }
  }

  /** After the whole answer the server ends the connection; to end it here would make node load its stderr, half a millisecond. */
  leave(): void {
    this.#socket.unref().resume();
  }

  /** Ends the connection. */
  close(): void {
    this.#socket.destroy();
  }
}

function broken(): Error {
  return Object.assign(new Error('the connection ended in the middle of the answer'), { code: 'ECONNRESET' });
}

async function readHead(input: Input): Promise<{ statusCode: number; headers: Record<string, string> }> {
  for (;;) {
    const [first = '', ...lines] = (await input.until('\r\n\r\n')).split('\r\n');
    const statusCode = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1]);
    if (Number.isNaN(statusCode)) throw new Error('it does not speak HTTP/1.1');
    if (statusCode < 200) continue;
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    return { statusCode, headers };
  }
}

async function* bodyOf(input: Input, headers: Readonly<Record<string, string>>): AsyncGenerator<Buffer> {
  let isWhole = false;
  try {
    if (headers['transfer-encoding'] !== undefined) yield* chunked(input);
    else if (headers['content-length'] !== undefined) yield* exactly(input, Number(headers['content-length']));
    else for (let some = await input.some(); some; some = await input.some()) yield some;
    isWhole = true;
  } finally {
    if (isWhole) input.leave();
    else input.close();
  }
}

/** RFC 9112, section 7.1. */
async function* chunked(input: Input): AsyncGenerator<Buffer> {
  for (;;) {
    const line = await input.until('\r\n');
    const size = /^[0-9a-f]{1,12}(?=\s*(?:;|$))/i.exec(line)?.[0];
    if (size === undefined) throw new Error('a chunk of its answer has no length');
    const bytes = Number.parseInt(size, 16);
    if (bytes === 0) break;
    yield* exactly(input, bytes);
    if ((await input.until('\r\n')) !== '') throw new Error('a chunk of its answer is longer than it says');
  }
  // Trailers, up to an empty line.
  while ((await input.until('\r\n')) !== '');
}

async function* exactly(input: Input, bytes: number): AsyncGenerator<Buffer> {
  for (let left = bytes; left > 0; ) {
    const some = await input.some(left);
    if (!some) throw broken();
    left -= some.length;
    yield some;
  }
}
