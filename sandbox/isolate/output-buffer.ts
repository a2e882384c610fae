/**
 * Output of a program on its way to another process: gathered for a turn of the event loop, since a message costs more
 * than the bytes in it, and bounded, since a program can write faster than anybody reads.
 */
const maxBytes = 10 * 2 ** 20;
const flushBytes = 64 * 2 ** 10;

export class OutputBuffer {
  readonly #send: (fd: 1 | 2, data: Uint8Array) => void;
  #chunks: Buffer[] = [];
  #fd: 1 | 2 = 1;
  #gathered = 0;
  readonly #total = { 1: 0, 2: 0 };
  #flushing: NodeJS.Immediate | undefined;

  constructor(send: (fd: 1 | 2, data: Uint8Array) => void) {
    this.#send = send;
  }

  write(fd: 1 | 2, data: string | Uint8Array): void {
    const room = maxBytes - this.#total[fd];
    if (room < 0) return;
    const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    if (fd !== this.#fd) this.flush();
    this.#fd = fd;
    this.#total[fd] += bytes.length;
    this.#gather(bytes.length <= room ? bytes : Buffer.concat([bytes.subarray(0, room), Buffer.from(mark)]));
  }

  /** Sends what was gathered. */
  flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    if (this.#chunks.length === 0) return;
    const data = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#gathered = 0;
    this.#send(this.#fd, data);
  }

  #gather(bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.#gathered += bytes.length;
    if (this.#gathered >= flushBytes) this.flush();
    else this.#flushing ??= setImmediate(() => this.flush());
  }
}

const mark = `\n[prisn: output beyond ${maxBytes / 2 ** 20} MB was dropped]\n`;
