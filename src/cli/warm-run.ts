/**
 * JavaScript of `prisn run` in a warm isolate of the daemon's: the client's end of the frames of `src/base/frames.ts`, by
 * hand over `node:net`, since an HTTP library costs more time than the isolate.
 *
 *   asking ──(101)──▶ running ──(frame `end`)──────────────────────────────────────────▶ its outcome
 *     │                  └──(the connection breaks, output was seen)───────────────────▶ failed
 *     └──(no answer, an answer of another kind)──▶ declined ◀──(refused, nothing seen)──┘
 *
 * A program that is declined is run here, so that a daemon makes a run faster and nothing else. The request goes out after
 * the 101 only: until then nothing has been started. Signals need nothing: they end this process, as they would node, and
 * a connection that is gone ends the program.
 */
import { connect, type Socket } from 'node:net';
import { exitCodes } from '../base/exit-codes.ts';
import { encodeFrame, type Frame, FrameReader, frameTypes, outputWindow, runPath, runProtocol } from '../base/frames.ts';
import type { WarmIo } from '../foreground.ts';
import { type ForegroundRequest, maxInputBytes, type Refusal } from '../model/foreground-run.ts';
import type { Outcome } from '../model/outcome.ts';

export type WarmResult =
  | { readonly outcome: Outcome }
  /** Nothing of the program has been seen: it can be run here. `why` completes "not by the daemon, since …". */
  | { readonly declined: string };

/** How long a daemon may take to say that it is there. */
const answerMs = 500;

/** More than this is not worth the way, and a frame has a limit. */
const maxRequestBytes = 32 * 2 ** 20;

/** Taken output is told in portions that keep the window open. */
const toldBytes = outputWindow / 4;

/**
 * @param socketPath absolute path of the daemon's socket
 * @param version of prisn, which has to be the daemon's
 * @returns never rejects
 */
export function runWarm(socketPath: string, version: string, request: ForegroundRequest, io: WarmIo): Promise<WarmResult> {
  return new WarmRun(connect(socketPath), version, request, io).result;
}

class WarmRun {
  readonly #socket: Socket;
  readonly #request: ForegroundRequest;
  readonly #io: WarmIo;
  readonly #result = Promise.withResolvers<WarmResult>();
  readonly #reader = new FrameReader();
  readonly #giveUp: NodeJS.Timeout;
  /** What came of the answer, until it is whole. */
  #answer: Buffer | undefined = Buffer.alloc(0);
  /** Whether output was written or input was read. */
  #seen = false;
  #taken = 0;

  constructor(socket: Socket, version: string, request: ForegroundRequest, io: WarmIo) {
    this.#socket = socket;
    this.#request = request;
    this.#io = io;
    this.#giveUp = setTimeout(() => this.#lost('it does not answer'), answerMs);
    socket.write(
      `GET ${runPath} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: ${runProtocol}\r\n` +
        `X-Prisn-Version: ${version}\r\n\r\n`,
    );
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', () => {});
    socket.once('close', () => this.#lost('it is not there'));
  }

  get result(): Promise<WarmResult> {
    return this.#result.promise;
  }

  #read(chunk: Buffer): void {
    const rest = this.#answer ? this.#accept(Buffer.concat([this.#answer, chunk])) : chunk;
    if (!rest) return;
    try {
      for (const frame of this.#reader.read(rest)) this.#hear(frame);
    } catch {
      this.#lost('it does not speak this protocol');
    }
  }

  /** @returns what follows the answer; undefined while it is not whole, and when it is no 101 */
  #accept(answer: Buffer): Buffer | undefined {
    const end = answer.indexOf('\r\n\r\n');
    if (end < 0) {
      this.#answer = answer;
      return undefined;
    }
    this.#answer = undefined;
    clearTimeout(this.#giveUp);
    const status = answer.toString('latin1', 0, 12);
    if (status !== 'HTTP/1.1 101') return this.#lost(`it answers ${status}`);
    const run = encodeFrame(frameTypes.run, JSON.stringify(this.#request));
    if (run.length > maxRequestBytes) return this.#lost('the program is too large to be sent');
    this.#socket.write(run);
    return answer.subarray(end + 4);
  }

  #hear({ type, payload }: Frame): void {
    switch (type) {
      case frameTypes.stdout:
        return this.#write(1, payload);
      case frameTypes.stderr:
        return this.#write(2, payload);
      case frameTypes.wantInput:
        return this.#sendInput();
      case frameTypes.end:
        return this.#end(JSON.parse(payload.toString('utf8')) as Outcome);
      case frameTypes.refused:
        return this.#lost((JSON.parse(payload.toString('utf8')) as Refusal).why);
      default:
        throw new RangeError(`frame ${type}`);
    }
  }

  #write(fd: 1 | 2, data: Buffer): void {
    this.#seen = true;
    this.#io.write(fd, data);
    this.#taken += data.length;
    if (this.#taken < toldBytes) return;
    const told = Buffer.alloc(4);
    told.writeUInt32BE(this.#taken);
    this.#taken = 0;
    this.#socket.write(encodeFrame(frameTypes.taken, told));
  }

  #sendInput(): void {
    this.#seen = true;
    const input = Buffer.from(this.#io.readInput() ?? '');
    if (input.length > maxInputBytes) {
      const message = `standard input has more than ${maxInputBytes / 2 ** 20} MB, the most that the daemon takes; set PRISN_DAEMON=off`;
      return this.#settle({ outcome: { reason: 'invalid', exitCode: exitCodes.usage, message } });
    }
    if (input.length > 0) this.#socket.write(encodeFrame(frameTypes.input, input));
    this.#socket.write(encodeFrame(frameTypes.input));
  }

  /** What the end of the daemon or of a neighbour did to it, it need not bear. */
  #end(outcome: Outcome): void {
    const isNotItsOwn = outcome.blameless === true || outcome.reason === 'interrupted';
    if (isNotItsOwn && !this.#seen) this.#lost(outcome.message ?? outcome.reason);
    else this.#settle({ outcome });
  }

  #lost(why: string): undefined {
    const message = 'the daemon ended, or broke the connection, in the middle of the run; see prisn server status';
    const failed: Outcome = { reason: 'interrupted', exitCode: exitCodes.failed, message };
    this.#settle(this.#seen ? { outcome: failed } : { declined: why });
  }

  #settle(result: WarmResult): void {
    clearTimeout(this.#giveUp);
    this.#result.resolve(result);
    this.#socket.destroy();
  }
}
