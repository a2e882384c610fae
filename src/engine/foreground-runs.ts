/**
 * JavaScript of `prisn run` in the daemon's warm isolates: the server's end of the frames of `src/base/frames.ts`.
 *
 *   connected ──(frame `run`)──▶ running ──(its end)──▶ told, and closed
 *       │          └──(refused)──▶ told, and closed        │
 *       └──(silence, a frame that does not belong there, the client is gone)──▶ stopped, and cut off
 *
 * What is refused the client runs itself, as it would without a daemon: that must make no difference, so whatever would is
 * refused here. Nothing is recorded. A client that does not read holds its program back, since no more than `outputWindow`
 * bytes are under way: the pool waits for what the client says to have taken.
 */
import { availableParallelism, constants, totalmem } from 'node:os';
import type { Duplex } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { IsolateRunning, IsolateSink } from '../../sandbox/isolate/pool.ts';
import { exitCodeOfSignal, exitCodes } from '../base/exit-codes.ts';
import { encodeFrame, type Frame, FrameReader, frameTypes } from '../base/frames.ts';
import { type ForegroundRequest, maxInputBytes, nodeOf, type Place, placeOf, type Refusal } from '../model/foreground-run.ts';
import type { Outcome } from '../model/outcome.ts';
import type { IsolateTask, Limits } from '../model/task.ts';

/** What is needed of `IsolatePool`. */
export interface ForegroundPool {
  start(task: IsolateTask, sink: IsolateSink, domain: string): IsolateRunning;
}

export interface ForegroundRunsOptions {
  /** The environment of the isolate hosts: `holderEnvironment`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Connections at once, 8 a core by default; further clients run their programs themselves. */
  readonly limit?: number;
  /** How long a client may take to say what it wants. */
  readonly silenceMs?: number;
}

/** The longest that `setTimeout` can wait. */
const maxTimerMs = 2 ** 31 - 1;

const limitNames: ReadonlySet<string> = new Set<keyof Limits>(['timeoutMs', 'memoryBytes', 'cpu', 'pids']);

/** Those that do not end a process by default (signal(7)); stopping one is its terminal's business. */
const harmlessSignals: ReadonlySet<string> = new Set(
  'SIGCHLD SIGURG SIGWINCH SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU'.split(' '),
);

/** All of them are programs of the daemon's own user. */
export const foregroundDomain = 'foreground';

/** The heap of a program without a limit: node's own on a machine with enough memory, as in a process of its own. */
export const foregroundHeapBytes = 4096 * 2 ** 20;

/**
 * What a host of foreground programs may have, bytes: `prisn run` has to work with a daemon wherever it works without, so
 * they share what the machine can give and not what a host of executions may have. Programs that fill it are run once more
 * by their clients, each in a process of its own, unless they have been seen.
 */
export function foregroundHostBytes(machineBytes: number, hostBytes: number): number {
  return Math.max(hostBytes, Math.floor(machineBytes * 0.75));
}

export class ForegroundRuns {
  readonly #pool: ForegroundPool;
  readonly #accepts: Acceptance;
  readonly #limit: number;
  readonly #silenceMs: number;
  #connections = 0;

  constructor(pool: ForegroundPool, { env, limit = 8 * availableParallelism(), silenceMs = 5000 }: ForegroundRunsOptions) {
    this.#pool = pool;
    this.#accepts = { node: nodeOf(process), place: placeOf(env, env) };
    this.#limit = limit;
    this.#silenceMs = silenceMs;
  }

  /** Clients that are connected. */
  get count(): number {
    return this.#connections;
  }

  /**
   * Serves one client to the end of its run.
   * @param socket after the answer 101 to its upgrade, which is for clients of the same version only
   * @param head what came with the upgrade already
   */
  serve(socket: Duplex, head: Buffer): void {
    this.#connections++;
    socket.once('close', () => this.#connections--);
    const connection = new Connection(socket, this.#pool, this.#accepts);
    if (this.#connections > this.#limit) return connection.refuse(`${this.#limit} foreground runs are under way already`);
    connection.open(head, this.#silenceMs);
  }
}

type Acceptance = Omit<ForegroundRequest, 'task'>;

class Connection {
  readonly #socket: Duplex;
  readonly #pool: ForegroundPool;
  readonly #accepts: Acceptance;
  readonly #reader = new FrameReader();
  #running: IsolateRunning | undefined;
  /** Bytes of output that the client has not taken yet. */
  #underWay = 0;
  #input: { decoder: StringDecoder; text: string; bytes: number } | undefined;
  #signal: string | undefined;
  #silence: NodeJS.Timeout | undefined;

  constructor(socket: Duplex, pool: ForegroundPool, accepts: Acceptance) {
    this.#socket = socket;
    this.#pool = pool;
    this.#accepts = accepts;
    socket.on('error', () => {});
  }

  open(head: Buffer, silenceMs: number): void {
    this.#silence = setTimeout(() => this.#cut(), silenceMs);
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    // A client that says no more takes no more either.
    socket.once('end', () => this.#cut());
    socket.once('close', () => this.#cut());
    if (head.length > 0) this.#read(head);
    socket.resume();
  }

  refuse(why: string): void {
    clearTimeout(this.#silence);
    const refusal: Refusal = { why };
    this.#socket.resume();
    this.#finish(encodeFrame(frameTypes.refused, JSON.stringify(refusal)));
  }

  #cut(): void {
    clearTimeout(this.#silence);
    this.#running?.stop();
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#socket.writableEnded) return;
    try {
      for (const frame of this.#reader.read(chunk)) if (!this.#hear(frame)) return this.#cut();
    } catch {
      this.#cut();
    }
  }

  /** @returns whether the frame may stand there */
  #hear({ type, payload }: Frame): boolean {
    if (!this.#running) return type === frameTypes.run && this.#run(payload);
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

  #run(payload: Buffer): boolean {
    clearTimeout(this.#silence);
    const request = requestIn(payload);
    if (!request) return false;
    const why = this.#reasonAgainst(request);
    if (why !== undefined) {
      this.refuse(why);
      return true;
    }
    const { task } = request;
    const limits = { ...task.limits, memoryBytes: task.limits.memoryBytes ?? foregroundHeapBytes };
    this.#running = this.#pool.start({ ...task, limits, paced: true }, this.#sink(), foregroundDomain);
    void this.#running.exited.then((outcome) => this.#end(outcome));
    return true;
  }

  #reasonAgainst({ node, place, task }: ForegroundRequest): string | undefined {
    const accepts = this.#accepts;
    if (node !== accepts.node) return `the server runs on node ${accepts.node}`;
    if (place.timeZone !== accepts.place.timeZone) return `the server has another time zone (${shownZone(accepts.place)})`;
    if (place.locale !== accepts.place.locale) return `the server has another language (${accepts.place.locale || 'none'})`;
    const { cpu, pids, timeoutMs = 0, memoryBytes = 0 } = task.limits;
    if (timeoutMs > maxTimerMs) return 'the server has no timer that runs so long';
    if (memoryBytes > totalmem()) return 'the server has less memory than the program may have';
    return cpu === undefined && pids === undefined ? undefined : 'cores and processes are limited for a whole process only';
  }

  #sink(): IsolateSink {
    const send = (type: '1' | '2', chunk: Uint8Array): void => {
      if (this.#socket.destroyed) return;
      this.#underWay += chunk.length;
      this.#socket.write(encodeFrame(type, chunk));
    };
    return {
      stdout: (chunk) => send(frameTypes.stdout, chunk),
      stderr: (chunk) => send(frameTypes.stderr, chunk),
      inputWanted: () => {
        this.#input = { decoder: new StringDecoder('utf8'), text: '', bytes: 0 };
        this.#socket.write(encodeFrame(frameTypes.wantInput));
      },
    };
  }

  #taken(bytes: number): boolean {
    if (bytes > this.#underWay) return false;
    this.#underWay -= bytes;
    this.#running?.taken(bytes);
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
    this.#running?.input(input.bytes === 0 ? undefined : input.text + input.decoder.end());
    return true;
  }

  /** Ends the program as the signal would end a process. */
  #hearSignal(name: string): boolean {
    if (!Object.hasOwn(constants.signals, name)) return false;
    if (harmlessSignals.has(name)) return true;
    this.#signal ??= name;
    this.#running?.stop();
    return true;
  }

  #end(outcome: Outcome): void {
    if (this.#socket.destroyed) return;
    this.#finish(encodeFrame(frameTypes.end, JSON.stringify(this.#told(outcome))));
  }

  /** Says the last word; a client that does not hang up has its connection closed all the same. */
  #finish(last: Buffer): void {
    this.#socket.end(last, () => this.#socket.destroy());
  }

  #told(outcome: Outcome): Outcome {
    const signal = this.#signal as NodeJS.Signals | undefined;
    if (outcome.reason !== 'canceled' || signal === undefined) return outcome;
    return { reason: 'signal', signal, exitCode: exitCodeOfSignal(constants.signals[signal] ?? exitCodes.failed) };
  }
}

function shownZone({ timeZone }: Place): string {
  return timeZone || "the machine's";
}

/** @returns undefined for anything that is no such request */
function requestIn(payload: Buffer): ForegroundRequest | undefined {
  const value: unknown = JSON.parse(payload.toString('utf8'));
  return isRecord(value) && isRecord(value['place']) && isTask(value['task'])
    ? (value as unknown as ForegroundRequest)
    : undefined;
}

/** Field by field: the pool passes on what it gets. */
function isTask(value: unknown): value is IsolateTask {
  if (!isRecord(value)) return false;
  const { program, args, env, cwd, limits, request, returns } = value;
  const isProgram = isRecord(program) && typeof program['entry'] === 'string' && isRecord(program['modules']);
  return (
    isProgram &&
    Object.values(program['modules'] as object).every(isModule) &&
    Array.isArray(args) &&
    args.every((arg) => typeof arg === 'string') &&
    isTextRecord(env) &&
    typeof cwd === 'string' &&
    isRecord(limits) &&
    areLimits(limits) &&
    request === undefined &&
    returns === undefined
  );
}

function isModule(value: unknown): boolean {
  return (
    isRecord(value) && typeof value['format'] === 'string' && typeof value['code'] === 'string' && isTextRecord(value['imports'])
  );
}

function areLimits(limits: Record<string, unknown>): limits is Limits & Record<string, unknown> {
  return Object.entries(limits).every(
    ([name, limit]) => limitNames.has(name) && typeof limit === 'number' && Number.isFinite(limit) && limit > 0,
  );
}

function isTextRecord(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((text) => typeof text === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
