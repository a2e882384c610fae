/**
 * One end of the connection between a pool and a thread of an isolate host: messages in frames over a socket, each frame
 * four bytes of length (big-endian) and an array of messages as V8 serializes it (structured clones).
 *
 * What one turn of the event loop has to say is one frame: a frame costs more than what is in it.
 */
import type { Socket } from 'node:net';
import { deserialize, serialize } from 'node:v8';

const headerBytes = 4;

export class Link<Out, In> {
  readonly #socket: Socket;
  #batch: Out[] = [];
  /** What has come of a frame that is not there yet. */
  #pieces: Buffer[] = [];
  #size = 0;

  /** @param hear gets each message that comes; bytes in it are valid for as long as one likes */
  constructor(socket: Socket, hear: (message: In) => void) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      for (const batch of this.#framesOf(chunk)) for (const message of deserialize(batch) as In[]) hear(message);
    });
    // The end of the other side is heard of elsewhere: a process that ends closes its sockets.
    socket.on('error', () => {});
  }

  tell(message: Out): void {
    if (this.#batch.length === 0) setImmediate(() => this.#send());
    this.#batch.push(message);
  }

  #send(): void {
    const body = serialize(this.#batch);
    this.#batch = [];
    if (!this.#socket.writable) return;
    const header = Buffer.allocUnsafe(headerBytes);
    header.writeUInt32BE(body.length);
    this.#socket.cork();
    this.#socket.write(header);
    this.#socket.write(body);
    this.#socket.uncork();
  }

  #framesOf(chunk: Buffer): Buffer[] {
    this.#pieces.push(chunk);
    this.#size += chunk.length;
    const frames: Buffer[] = [];
    for (let length = this.#nextLength(); length !== undefined; length = this.#nextLength()) {
      const all = this.#joined();
      const end = headerBytes + length;
      frames.push(all.subarray(headerBytes, end));
      this.#pieces = [all.subarray(end)];
      this.#size -= end;
    }
    return frames;
  }

  /** The length of the first frame, if all of it is there. */
  #nextLength(): number | undefined {
    if (this.#size < headerBytes) return undefined;
    if ((this.#pieces[0]?.length ?? 0) < headerBytes) this.#joined();
    const length = (this.#pieces[0] as Buffer).readUInt32BE();
    return this.#size >= headerBytes + length ? length : undefined;
  }

  #joined(): Buffer {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces, this.#size)];
    return this.#pieces[0] as Buffer;
  }
}
