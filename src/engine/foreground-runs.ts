/**
 * Programs of `prisn run` by the daemon: the server's end of the frames of `src/base/frames.ts`.
 *
 *   connected ──(frame `run`)─────────────────▶ running ──(its end)──▶ told, and closed
 *       │   └──(frame `launch`)──▶ launching ─────▲  │
 *       │              │               └──(a ticket)─┼──▶ told, and kept open
 *       │              └──(refused)──▶ told, and closed
 *       └──(silence, a frame that does not belong there, the client is gone)──▶ stopped, and cut off
 *
 * What is refused the client runs itself, as it would without a daemon: that must make no difference, so whatever would is
 * refused here. Nothing is recorded.
 */
import { availableParallelism, constants, totalmem } from 'node:os';
import type { Duplex } from 'node:stream';
import { encodeFrame, type Frame, FrameReader, frameTypes } from '../base/frames.ts';
import { said } from '../base/said.ts';
import { type ForegroundRequest, nodeOf, type Place, placeOf, type Refusal } from '../model/foreground-run.ts';
import { type LaunchRequest, launchRequestIn, type LaunchWay, ticketPayload } from '../model/launch.ts';
import type { Outcome } from '../model/outcome.ts';
import type { IsolateTask } from '../model/task.ts';
import { requestIn } from './foreground-request.ts';
import { type ForegroundPool, ServedRun } from './served-run.ts';

export interface ForegroundRunsOptions {
  /** The environment of the isolate hosts: `holderEnvironment`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Decides on what a launcher brings; never rejects. */
  readonly launch: (request: LaunchRequest) => Promise<LaunchWay>;
  /** Isolates at once, 8 a core by default; further clients run their programs themselves. */
  readonly limit?: number;
  /** How long a client may take to say what it wants. */
  readonly silenceMs?: number;
}

/** The longest that `setTimeout` can wait. */
const maxTimerMs = 2 ** 31 - 1;

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
  readonly #launch: ForegroundRunsOptions['launch'];
  readonly #accepts: Acceptance;
  readonly #limit: number;
  readonly #silenceMs: number;
  #connections = 0;
  #isolates = 0;

  constructor(
    pool: ForegroundPool,
    { env, launch, limit = 8 * availableParallelism(), silenceMs = 5000 }: ForegroundRunsOptions,
  ) {
    this.#pool = pool;
    this.#launch = launch;
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
    const start: Serving['start'] = (request) => this.#start(socket, request);
    new Connection(socket, { start, launch: this.#launch, silenceMs: this.#silenceMs }).open(head);
  }

  /** @returns the run, or why there is none */
  #start(socket: Duplex, request: ForegroundRequest): ServedRun | string {
    const why = reasonAgainst(request, this.#accepts);
    if (why !== undefined) return why;
    if (this.#isolates >= this.#limit) return `${this.#limit} foreground runs are under way already`;
    this.#isolates++;
    const run = new ServedRun(socket, this.#pool, request.task);
    void run.ended.then(() => this.#isolates--);
    return run;
  }
}

type Acceptance = Omit<ForegroundRequest, 'task'>;

function reasonAgainst({ node, place, task }: ForegroundRequest, accepts: Acceptance): string | undefined {
  if (node !== accepts.node) return `the server runs on node ${accepts.node}`;
  if (place.timeZone !== accepts.place.timeZone) return `the server has another time zone (${shownZone(accepts.place)})`;
  if (place.locale !== accepts.place.locale) return `the server has another language (${accepts.place.locale || 'none'})`;
  const { cpu, pids, timeoutMs = 0, memoryBytes = 0 } = task.limits;
  if (timeoutMs > maxTimerMs) return 'the server has no timer that runs so long';
  if (memoryBytes > totalmem()) return 'the server has less memory than the program may have';
  return cpu === undefined && pids === undefined ? undefined : 'cores and processes are limited for a whole process only';
}

function shownZone({ timeZone }: Place): string {
  return timeZone || "the machine's";
}

interface Serving {
  readonly start: (request: ForegroundRequest) => ServedRun | string;
  readonly launch: ForegroundRunsOptions['launch'];
  readonly silenceMs: number;
}

class Connection {
  readonly #socket: Duplex;
  readonly #serving: Serving;
  readonly #reader = new FrameReader();
  #run: ServedRun | undefined;
  /** The launcher has read our answer to its upgrade, and gives up no more. */
  readonly #go = Promise.withResolvers<void>();
  #isLaunching = false;
  #silence: NodeJS.Timeout | undefined;

  constructor(socket: Duplex, serving: Serving) {
    this.#socket = socket;
    this.#serving = serving;
    socket.on('error', () => {});
  }

  open(head: Buffer): void {
    this.#waitForSilence();
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    // A client that says no more takes no more either.
    socket.once('end', () => this.#cut());
    socket.once('close', () => this.#cut());
    if (head.length > 0) this.#read(head);
    socket.resume();
  }

  #waitForSilence(): void {
    this.#silence = setTimeout(() => this.#cut(), this.#serving.silenceMs);
  }

  #cut(): void {
    clearTimeout(this.#silence);
    this.#run?.stop();
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
  #hear(frame: Frame): boolean {
    if (frame.type === frameTypes.go && this.#isLaunching) {
      clearTimeout(this.#silence);
      this.#go.resolve();
      return true;
    }
    if (this.#run) return this.#run.hear(frame);
    if (this.#isLaunching) return false;
    switch (frame.type) {
      case frameTypes.run:
        return this.#runAsked(requestIn(frame.payload));
      case frameTypes.launch:
        return this.#launchAsked(launchRequestIn(frame.payload));
      default:
        return false;
    }
  }

  #runAsked(request: ForegroundRequest | undefined): boolean {
    if (!request) return false;
    clearTimeout(this.#silence);
    const started = this.#serving.start(request);
    if (typeof started === 'string') {
      const refusal: Refusal = { why: started };
      this.#finish(encodeFrame(frameTypes.refused, JSON.stringify(refusal)));
      return true;
    }
    this.#run = started;
    void started.ended.then((outcome) => this.#finish(encodeFrame(frameTypes.end, JSON.stringify(outcome))));
    return true;
  }

  #launchAsked(request: LaunchRequest | undefined): boolean {
    if (!request) return false;
    this.#isLaunching = true;
    void this.#launch(request);
    return true;
  }

  async #launch(request: LaunchRequest): Promise<void> {
    const way = await this.#serving.launch(request);
    switch (way.kind) {
      case 'declined':
        return this.#finish(encodeFrame(frameTypes.refused, way.why));
      case 'fork':
        this.#send(encodeFrame(frameTypes.ticket, ticketPayload(way)));
        return;
      case 'isolate':
        await this.#go.promise;
        return this.#runLaunched(way.task, way.place);
      default:
        way satisfies never;
    }
  }

  async #runLaunched(task: IsolateTask, place: Place): Promise<void> {
    if (this.#socket.destroyed) return;
    const started = this.#serving.start({ node: nodeOf(process), place, task });
    if (typeof started === 'string') return this.#finish(encodeFrame(frameTypes.refused, started));
    this.#run = started;
    const outcome = await started.ended;
    const { message, blameless, reason } = outcome;
    // What the end of a neighbour did to it, it need not bear.
    if ((blameless || reason === 'interrupted') && !started.hasBeenSeen)
      return this.#finish(encodeFrame(frameTypes.refused, message ?? reason));
    if (message !== undefined) this.#send(encodeFrame(frameTypes.stderr, said(message, task.colors?.stderr === true)));
    this.#finish(encodeFrame(frameTypes.end, endOf(outcome)));
  }

  #send(frame: Buffer): void {
    if (!this.#socket.destroyed) this.#socket.write(frame);
  }

  /**
   * Says the last word. The client hangs up, since one that still has output to read and says that it took some would lose
   * the rest by our hanging up first; one that does not has its connection closed after a while.
   */
  #finish(last: Buffer): void {
    clearTimeout(this.#silence);
    this.#socket.once('finish', () => this.#waitForSilence());
    if (!this.#socket.destroyed) this.#socket.end(last);
  }
}

/** A launcher dies of the signal where the Node client does, and has only the code of the others. */
function endOf({ signal, exitCode }: Outcome): string {
  return signal === 'SIGINT' ? `signal ${constants.signals.SIGINT}` : `exit ${exitCode}`;
}
