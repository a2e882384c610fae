/**
 * The cheapest client of HTTP that there is, so that a benchmark on the same machine measures the server: one connection, one
 * request again and again, of the response no more than its status and where it ends.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const emptyLine = '\r\n\r\n';

export class HttpCaller {
  readonly #socket: Socket;
  readonly #request: string;
  #received = '';
  #waiting: { resolve: () => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket, request: string) {
    this.#socket = socket;
    this.#request = request;
    socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (text: string) => this.#hear(text));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the connection was closed')));
  }

  static async open(port: number, path: string, body: string): Promise<HttpCaller> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const head = [
      `POST ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    return new HttpCaller(socket, `${head.join('\r\n')}${emptyLine}${body}`);
  }

  /** @throws Error for any status but 200 */
  call(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(this.#request);
    });
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #hear(text: string): void {
    this.#received += text;
    if (!isWhole(this.#received)) return;
    const answer = this.#received;
    this.#received = '';
    if (answer.startsWith('HTTP/1.1 200 ')) this.#waiting?.resolve();
    else this.#waiting?.reject(new Error(answer));
  }
}

function isWhole(text: string): boolean {
  const end = text.indexOf(emptyLine);
  if (end < 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end))?.[1];
  return length === undefined ? text.endsWith(`\r\n0${emptyLine}`) : text.length >= end + emptyLine.length + Number(length);
}
