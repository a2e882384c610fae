/**
 * The frames in which a foreground run talks over one connection, so that a native launcher can speak them too.
 *
 * The client opens the connection with an HTTP Upgrade to `prisn-run` (`GET /run`), and after the 101 both sides send
 * frames: one byte of type, four bytes of length (big-endian), the payload.
 *
 * ```
 *   client                                        server
 *   R  the run, JSON                     ──▶
 *                                        ◀──      1 / 2  output on stdout / stderr
 *   A  bytes of output taken, u32        ──▶      no more than `window` bytes are under way
 *                                        ◀──      W  the program wants its standard input
 *   I  input; an empty one is its end    ──▶
 *   S  a signal by name                  ──▶
 *                                        ◀──      E  the outcome, JSON; the last frame
 *                                        ◀──      N  not run at all, and why (JSON); the last frame
 * ```
 * The native launcher does not know what it runs, and sends `L` in place of `R`, right behind the upgrade. Here payloads
 * are text, and lists of strings that a NUL ends each (`src/model/launch.ts`), so that it needs no JSON:
 * ```
 *   L  what was typed, and by whom       ──▶
 *   G  go: it has read the 101           ──▶      until then it may give up, so nothing begins
 *                                        ◀──      T  Python: a ticket for a fork server; the connection stays open meanwhile
 *                                        ◀──      1 2 W  JavaScript: as above
 *                                        ◀──      E  `exit N` or `signal N`
 *                                        ◀──      N  why not
 * ```
 * A client that closes the connection ends the run.
 */
export const frameTypes = {
  run: 'R',
  launch: 'L',
  go: 'G',
  ticket: 'T',
  stdout: '1',
  stderr: '2',
  taken: 'A',
  wantInput: 'W',
  input: 'I',
  signal: 'S',
  end: 'E',
  refused: 'N',
} as const;

export type FrameType = (typeof frameTypes)[keyof typeof frameTypes];

/** What the HTTP Upgrade asks for, and where. */
export const runProtocol = 'prisn-run';
export const runPath = '/run';

/** Bytes of output that a server sends before the client says that it has taken them. */
export const outputWindow = 2 ** 20;

const headerBytes = 5;
/** A longer frame is a broken or hostile peer's. */
const maxPayloadBytes = 64 * 2 ** 20;

export interface Frame {
  readonly type: string;
  /** Valid as long as one likes. */
  readonly payload: Buffer;
}

export function encodeFrame(type: FrameType, payload: Uint8Array | string = ''): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const frame = Buffer.allocUnsafe(headerBytes + bytes.length);
  frame.write(type, 0, 'latin1');
  frame.writeUInt32BE(bytes.length, 1);
  frame.set(bytes, headerBytes);
  return frame;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #length = 0;

  /** @returns the frames that are whole by now @throws RangeError for a frame of more than 64 MB */
  read(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | undefined {
    if (this.#length < headerBytes) return undefined;
    const size = this.#front(headerBytes).readUInt32BE(1);
    if (size > maxPayloadBytes) throw new RangeError(`a frame of ${size} bytes`);
    const whole = headerBytes + size;
    if (this.#length < whole) return undefined;
    const front = this.#front(whole);
    this.#chunks[0] = front.subarray(whole);
    this.#length -= whole;
    return { type: front.toString('latin1', 0, 1), payload: front.subarray(headerBytes, whole) };
  }

  /** The first chunk, with at least so many bytes in it. */
  #front(bytes: number): Buffer {
    const [first] = this.#chunks;
    if (first && first.length >= bytes) return first;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}
