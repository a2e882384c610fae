/**
 * The executions that have not ended: who waits, who runs, and what becomes of each attempt. The only writer of
 * `Live.phase`, and the only one who asks the queue.
 *
 * A slot is held from the turn until the program has ended. What follows (the end of the log, the durable record) holds
 * none, so that a slow disk delays answers and not programs.
 */
import { messageOf } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import type { Logs } from '../logs/logs.ts';
import type { LogEnd } from '../logs/writer.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Execution } from '../model/execution.ts';
import type { Outcome } from '../model/outcome.ts';
import { decideRetry, type RetryDecision } from '../model/retry.ts';
import type { Executions } from '../store/executions.ts';
import { attemptId, type AttemptEnd, type Attempts } from './attempt.ts';
import { within, type Clock } from './clock.ts';
import { endedRecord, type Ending, pendingAgain, stopped } from './ending.ts';
import type { Journal } from './journal.ts';
import type { Live, StopCause } from './live.ts';
import type { Log } from './log.ts';
import type { WorkloadKind } from './ports.ts';
import { Queue, type QueueLimits, type Waiting } from './queue.ts';

export interface RunsParts {
  readonly executions: Pick<Executions, 'record'>;
  readonly journal: Journal;
  readonly attempts: Attempts;
  readonly logs: Logs;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** Held for one that is not accepted yet: a slot in which it starts at once, or a place in the queue. */
export interface Place {
  readonly isSlot: boolean;
  /** To be called where it is not accepted after all. */
  readonly giveBack: () => void;
}

/** What a program gets to end after it was told to, with SIGTERM's grace and the kill in it. */
const endMs = 4000;
/** What the last writes get before the daemon leaves. */
const writeMs = 2000;

export class Runs {
  readonly #parts: RunsParts;
  readonly #queue: Queue<Live>;
  readonly #live = new Map<string, Live>();
  readonly #resting = new Set<Live>();
  /** Attempts and endings under way, with those that are being accepted and have a slot; and who waits for all of them. */
  #busy = 0;
  readonly #onIdle: (() => void)[] = [];
  #state: 'new' | 'started' | 'stopping' = 'new';

  constructor(parts: RunsParts, limits: QueueLimits) {
    this.#parts = parts;
    this.#queue = new Queue(limits);
  }

  get pending(): number {
    return this.#queue.size + this.#resting.size;
  }

  running(kind: WorkloadKind): number {
    return this.#queue.running(kind);
  }

  runningOf(deployment: string): number {
    return this.#queue.runningOf(deployment);
  }

  get(id: string): Live | undefined {
    return this.#live.get(id);
  }

  all(): Iterable<Live> {
    return this.#live.values();
  }

  position(id: string): number | undefined {
    return this.#queue.position(id);
  }

  /**
   * A place for one that is about to be accepted, which `add` takes over.
   * @throws PrisnError `busy`; see `Queue.reserve`
   */
  reserve(one: Omit<Waiting, 'id'>): Place {
    if (this.#state === 'started' && this.#queue.begin(one)) {
      this.#busy++;
      const giveBack = (): void => {
        this.#release(one);
        this.#rest();
      };
      return { isSlot: true, giveBack };
    }
    return { isSlot: false, giveBack: this.#queue.reserve(this.#resting.size) };
  }

  /** @param place where it starts at once with a slot, its record says so already */
  add(live: Live, place?: Place): void {
    this.#live.set(live.id, live);
    if (place?.isSlot) {
      this.#begin(live);
      return this.#rest();
    }
    this.#enqueue(live);
    place?.giveBack();
    // It was accepted while the server began to stop.
    if (this.#state === 'stopping') this.#leave(live);
  }

  start(): void {
    this.#state = 'started';
    this.#dispatch();
  }

  /** Ends one for good, wherever it is. */
  cancel(live: Live): void {
    if (live.phase === 'running') return live.stop('canceled');
    if (live.phase === 'waiting') this.#queue.remove(live.id);
    else if (live.phase === 'resting') this.#wake(live);
    else return;
    this.#endWaiting(live, 'canceled');
  }

  /** Ends one that was accepted and must not run. */
  drop(live: Live, why: string, place: Place): void {
    place.giveBack();
    const { started_at: _, ...record } = live.record;
    live.record = record;
    this.#live.set(live.id, live);
    this.#endWaiting(live, 'canceled', why);
  }

  /**
   * Starts nothing more, lets what runs end until the deadline, then ends it. Those that wait stay for the next start.
   * @param drainMs for what runs; a few seconds more for what has to be ended and written
   */
  async stop(drainMs: number): Promise<void> {
    const { clock, journal, log } = this.#parts;
    this.#state = 'stopping';
    for (const live of this.#live.values()) this.#leave(live);
    await within(clock, drainMs, this.#idle());
    const late = [...this.#live.values()].filter(({ phase }) => phase === 'running');
    if (late.length > 0) log.warn({ count: late.length }, 'executions that still run are ended');
    for (const live of late) live.stop('interrupted');
    await within(clock, endMs, this.#idle());
    for (const live of late) live.abandon?.();
    await within(clock, writeMs, this.#idle());
    journal.giveUp();
    await within(clock, writeMs, this.#idle());
    for (const live of this.#live.values()) live.letGo();
  }

  /** One that neither runs nor ends when the daemon stops. */
  #leave(live: Live): void {
    if (live.phase === 'resting') this.#wake(live);
    else if (live.phase !== 'waiting') return;
    if (!live.call) return live.letGo();
    this.#queue.remove(live.id);
    this.#endWaiting(live, 'interrupted');
  }

  #enqueue(live: Live): void {
    live.phase = 'waiting';
    live.waitingSince = this.#parts.clock.elapsed();
    this.#queue.add(live);
    this.#dispatch();
  }

  #dispatch(): void {
    if (this.#state !== 'started') return;
    for (let live = this.#queue.next(); live; live = this.#queue.next()) this.#begin(live);
  }

  /** It has a slot. */
  #begin(live: Live): void {
    live.phase = 'running';
    // It was accepted while the server began to stop.
    if (this.#state === 'stopping') live.stop('interrupted');
    this.#track(live, () => this.#run(live));
  }

  #release(one: Pick<Waiting, 'kind' | 'deployment'>): void {
    this.#queue.release(one);
    this.#dispatch();
  }

  async #run(live: Live): Promise<void> {
    let end: AttemptEnd | undefined;
    try {
      end = await this.#parts.attempts.run(live);
    } finally {
      this.#release(live);
    }
    await this.#settle(live, end);
  }

  async #settle(live: Live, end: AttemptEnd): Promise<void> {
    const { record, retries, stopCause, call } = live;
    if (call || stopCause === 'canceled') return this.#end(live, end);
    if (!end.hasBegun && stopCause === 'interrupted') return this.#putBack(live);
    const decision = decideRetry(end.outcome, record.attempt, retries, Math.random());
    return decision.retry ? this.#retry(live, end, decision) : this.#end(live, end);
  }

  /** It had its turn and nothing of it ran. */
  async #putBack(live: Live): Promise<void> {
    const { attempt } = live.record;
    await this.#parts.journal.update(live, pendingAgain(live.record, attempt, stopped('interrupted', attempt).message ?? ''));
    live.phase = 'waiting';
    live.letGo();
  }

  async #retry(live: Live, { outcome, output }: AttemptEnd, { delayMs, why }: RetryDecision & { retry: true }): Promise<void> {
    const { journal, logs, metrics, clock, attempts } = this.#parts;
    const { id, record } = live;
    await Promise.all([output?.end({ files: true }), attempts.clear(live)]);
    await logs.release(attemptId(id, record.attempt));
    await journal.update(live, pendingAgain(record, record.attempt + 1, why));
    metrics.retried(outcome.reason);
    if (live.stopCause === 'canceled') return this.#end(live, { outcome: stopped('canceled', live.record.attempt), queuedMs: 0 });
    live.phase = 'resting';
    live.waitingSince = clock.elapsed();
    if (this.#state === 'stopping') return live.letGo();
    this.#resting.add(live);
    live.callOff = clock.after(delayMs, () => {
      this.#wake(live);
      this.#enqueue(live);
    });
  }

  #wake(live: Live): void {
    live.callOff?.();
    live.callOff = undefined;
    this.#resting.delete(live);
  }

  /** Ends one that has no attempt under way. */
  #endWaiting(live: Live, cause: StopCause, why?: string): void {
    live.stopCause = cause;
    const queuedMs = this.#parts.clock.elapsed() - live.waitingSince;
    const outcome = stopped(cause, live.record.attempt);
    this.#track(live, () => this.#end(live, { outcome: why === undefined ? outcome : { ...outcome, message: why }, queuedMs }));
  }

  async #end(live: Live, end: Ending & Pick<AttemptEnd, 'output'>): Promise<void> {
    const { attempts, logs, log } = this.#parts;
    live.phase = 'ending';
    const [logEnd] = await Promise.all([end.output?.end(), attempts.clear(live)]);
    const id = attemptId(live.id, live.record.attempt);
    if (logEnd?.error !== undefined) log.warn({ id: live.id }, `output could not be written: ${logEnd.error}`);
    const record = this.#endedRecord(live, end, logEnd);
    const output = logEnd?.inline;
    if (live.call) this.#endCall(live, record, output);
    else this.#close(live, await this.#parts.journal.end(live, record, stored(output)), output);
    await logs.release(id);
  }

  /** Its client does not wait for its record, which is worth no more than a line in a list. */
  #endCall(live: Live, record: Execution, output: Uint8Array | undefined): void {
    const { executions, log } = this.#parts;
    live.call?.started();
    live.call?.ended(record);
    this.#track(live, async () => {
      await executions
        .record(record, stored(output))
        .catch((error: unknown) => log.warn({ id: live.id }, `a function call is not recorded: ${messageOf(error)}`));
      this.#close(live, record, output);
    });
  }

  #endedRecord(live: Live, end: Ending, logEnd: LogEnd | undefined): Execution {
    const { clock } = this.#parts;
    const durationMs = clock.elapsed() - live.bornAt;
    return endedRecord(live.record, end, { nowMs: clock.now(), durationMs, truncated: logEnd?.truncated === true });
  }

  #close(live: Live, record: Execution, output: Uint8Array | undefined): void {
    live.record = record;
    this.#live.delete(live.id);
    this.#parts.metrics.ended(record);
    live.close({ record, output });
  }

  #track(live: Live, work: () => Promise<void>): void {
    this.#busy++;
    work()
      .catch((error: unknown) => this.#lose(live, error))
      .finally(() => this.#rest());
  }

  #rest(): void {
    this.#busy--;
    if (this.#busy === 0) for (const tell of this.#onIdle.splice(0)) tell();
  }

  /** What is stored of it stays as it is, until the next start. */
  #lose(live: Live, error: unknown): void {
    this.#parts.log.error({ id: live.id, error: messageOf(error) }, 'the end of an execution could not be written');
    live.call?.started();
    live.call?.ended(this.#endedRecord(live, { outcome: failed(error), queuedMs: 0 }, undefined));
    this.#live.delete(live.id);
    live.letGo();
  }

  #idle(): Promise<void> {
    if (this.#busy === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }
}

/** No record is kept of a log in which nothing is. */
function stored(output: Uint8Array | undefined): Uint8Array | undefined {
  return output?.length ? output : undefined;
}

function failed(error: unknown): Outcome {
  return { reason: 'crashed', exitCode: exitCodes.failed, message: messageOf(error) };
}
