/**
 * A program in an isolate host, seen from the pool.
 *
 *   running ──(timeout, stop)──▶ ending ──(the host's answer, or the grace is over)──▶ settled
 *      └──────(the host's answer, or its end)─────────────────────────────────────────────▶
 */
import type { Outcome, Usage } from '../../src/model/outcome.ts';
import type { FunctionHead, IsolateTask } from '../../src/model/task.ts';
import type { Thread } from './host-process.ts';
import type { IsolateSink } from './pool.ts';
import { executionVariable, type Report, sharedClockMs } from './protocol.ts';

/** `taken` is told to the host in sums, so that a fast reader costs few messages; a fraction of what may be under way. */
const creditBytes = 2 ** 18;

/** The end of a body. */
const nothing = new Uint8Array();

export class Hosted {
  readonly thread: Thread;
  /** How messages name it. */
  readonly name: string;
  readonly #sink: IsolateSink;
  readonly #isWatched: boolean;
  readonly #settled = Promise.withResolvers<Outcome>();
  readonly #startedAtMs = sharedClockMs();
  /** Why it is being ended: the first cause wins. */
  #ending: Outcome | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasActed = false;
  #taken = 0;

  constructor(task: IsolateTask, sink: IsolateSink, thread: Thread) {
    this.thread = thread;
    this.name = nameOf(task);
    this.#sink = sink;
    this.#isWatched = task.paced === true && sink.keepsOutput !== true;
  }

  get exited(): Promise<Outcome> {
    return this.#settled.promise;
  }

  after(ms: number, action: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, ms);
  }

  /** @returns whether it is this cause that ends it */
  end(outcome: Outcome): boolean {
    if (this.#ending) return false;
    this.#ending = outcome;
    return true;
  }

  hear(report: Exclude<Report, { type: 'ended' }>): void {
    if (report.type === 'inputWanted') return this.#sink.inputWanted?.();
    if (report.type !== 'output' || this.#isWatched) this.#hasActed = true;
    if (report.type === 'output') return report.fd === 1 ? this.#sink.stdout(report.data) : this.#sink.stderr(report.data);
    if (report.type === 'answer') return this.#answer(report.head, report.data);
    if (report.type === 'head') this.#sink.head?.(report.head);
    else if (report.type === 'body') this.#sink.body?.(report.data);
  }

  #answer(head: FunctionHead, data: Uint8Array): void {
    this.#sink.head?.(head);
    if (data.length > 0) this.#sink.body?.(data);
    this.#sink.body?.(nothing);
  }

  /** @returns how many bytes the host is to be told of, or 0 */
  taken(bytes: number): number {
    this.#taken += bytes;
    if (this.#taken < creditBytes) return 0;
    const sum = this.#taken;
    this.#taken = 0;
    return sum;
  }

  /** It has ended by itself. */
  ended({ usage, ...outcome }: Outcome, ranAtMs: number | undefined): void {
    const startMs = ranAtMs === undefined ? {} : { startMs: Math.max(0, ranAtMs - this.#startedAtMs) };
    this.#settle(outcome, { ...startMs, ...usage });
  }

  /** Its host is lost. @param isInnocent whether through another's fault, or nobody's */
  lost(outcome: Outcome, isInnocent: boolean): void {
    this.#settle(isInnocent && !this.#hasActed ? { ...outcome, blameless: true } : outcome);
  }

  #settle(outcome: Outcome, usage?: Usage): void {
    clearTimeout(this.#timer);
    this.#settled.resolve({ ...(this.#ending ?? outcome), ...(usage && { usage }) });
  }
}

/** The file, and which of its runs, where its environment says so. */
export function nameOf({ program, calledAs, env }: IsolateTask): string {
  const file = calledAs ?? program.entry;
  const id = env[executionVariable];
  return id === undefined ? file : `${file} (${id})`;
}
