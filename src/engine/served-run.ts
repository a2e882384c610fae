/**
 * A program in an isolate, on behalf of a client that is connected: what the client says is for the program, and what the
 * program writes goes to the client. A client that does not read holds its program back, since no more than `outputWindow`
 * bytes are under way: the pool waits for what the client says to have taken.
 */
import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { IsolateRunning, IsolateSink } from '../../sandbox/isolate/pool.ts';
import { exitCodeOfSignal, exitCodes } from '../base/exit-codes.ts';
import { encodeFrame, type Frame, frameTypes } from '../base/frames.ts';
import { foregroundDomain, foregroundHeapBytes, maxInputBytes } from '../model/foreground-run.ts';
import type { Outcome } from '../model/outcome.ts';
import type { IsolateTask } from '../model/task.ts';

/** What is needed of `IsolatePool`. */
export interface ForegroundPool {
  start(task: IsolateTask, sink: IsolateSink, domain: string): IsolateRunning;
}

/** Those that do not end a process by default (signal(7)); stopping one is its terminal's business. */
const harmlessSignals: ReadonlySet<string> = new Set(
  'SIGCHLD SIGURG SIGWINCH SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU'.split(' '),
);

export class ServedRun {
  /** How it ended, a signal of the client's included. Never rejects. */
  readonly ended: Promise<Outcome>;
  readonly #socket: Duplex;
  readonly #running: IsolateRunning;
  #hasBeenSeen = false;
  /** Bytes of output that the client has not taken yet. */
  #underWay = 0;
  #input: { decoder: StringDecoder; text: string; bytes: number } | undefined;
  #signal: string | undefined;

  /** Starts the program. */
  constructor(socket: Duplex, pool: ForegroundPool, task: IsolateTask) {
    this.#socket = socket;
    const limits = { ...task.limits, memoryBytes: task.limits.memoryBytes ?? foregroundHeapBytes };
    this.#running = pool.start({ ...task, limits, paced: true }, this.#sink(), foregroundDomain);
    this.ended = this.#running.exited.then((outcome) => this.#told(outcome));
  }

  /** Whether output was sent or input was asked for: without, the program can be run once more elsewhere. */
  get hasBeenSeen(): boolean {
    return this.#hasBeenSeen;
  }

  stop(): void {
    this.#running.stop();
  }

  /** @returns whether the frame may stand there */
  hear({ type, payload }: Frame): boolean {
    switch (type) {
      case frameTypes.taken:
        return payload.length === 4 && this.#taken(payload.readUInt32BE());
      case frameTypes.input:
        return this.#hearInput(payload);
      case frameTypes.signal:
        return this.#hearSignal(payload.toString('latin1'));
      default:
        return false;
    }
  }

  #sink(): IsolateSink {
    const send = (type: '1' | '2', chunk: Uint8Array): void => {
      if (this.#socket.destroyed) return;
      this.#hasBeenSeen = true;
      this.#underWay += chunk.length;
      this.#socket.write(encodeFrame(type, chunk));
    };
    return {
      stdout: (chunk) => send(frameTypes.stdout, chunk),
      stderr: (chunk) => send(frameTypes.stderr, chunk),
      inputWanted: () => {
        this.#hasBeenSeen = true;
        this.#input = { decoder: new StringDecoder('utf8'), text: '', bytes: 0 };
        this.#socket.write(encodeFrame(frameTypes.wantInput));
      },
    };
  }

  #taken(bytes: number): boolean {
    if (bytes > this.#underWay) return false;
    this.#underWay -= bytes;
    this.#running.taken(bytes);
    return true;
  }

  #hearInput(payload: Buffer): boolean {
    const input = this.#input;
    if (!input) return false;
    input.bytes += payload.length;
    if (input.bytes > maxInputBytes) return false;
    if (payload.length > 0) {
      input.text += input.decoder.write(payload);
      return true;
    }
    this.#input = undefined;
    this.#running.input(input.bytes === 0 ? undefined : input.text + input.decoder.end());
    return true;
  }

  /** Ends the program as the signal would end a process. */
  #hearSignal(name: string): boolean {
    if (!Object.hasOwn(constants.signals, name)) return false;
    if (harmlessSignals.has(name)) return true;
    this.#signal ??= name;
    this.#running.stop();
    return true;
  }

  #told(outcome: Outcome): Outcome {
    const signal = this.#signal as NodeJS.Signals | undefined;
    if (outcome.reason !== 'canceled' || signal === undefined) return outcome;
    return { reason: 'signal', signal, exitCode: exitCodeOfSignal(constants.signals[signal] ?? exitCodes.failed) };
  }
}
