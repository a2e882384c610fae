/**
 * What the store is told of executions. Nothing but the acceptance of a new one ever fails for a bad disk: every later
 * write is repeated until it succeeds, so that when the disk heals, all that happened meanwhile is written.
 *
 * While writes fail, no program starts, since its start is written before: so there is never more to write than what ran
 * when the trouble began, and once more as many that wait with a slot in their hands.
 */
import { messageOf, PrisnError, type ErrorCode } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import { hasEnded, type Execution, type ExecutionSpec } from '../model/execution.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { IdempotentRequest } from '../store/idempotency.ts';
import type { Created, Executions } from '../store/executions.ts';
import type { Clock } from './clock.ts';
import { known } from './known.ts';
import type { Live } from './live.ts';
import type { Log } from './log.ts';

export interface JournalParts {
  readonly executions: Executions;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** What passes by itself, or when somebody makes room. */
const transient: ReadonlySet<ErrorCode> = new Set(['storage_full', 'unavailable', 'busy']);
const firstPauseMs = 100;
const longestPauseMs = 5000;

export class Journal {
  readonly #parts: JournalParts;
  #failures = 0;
  #pause: { readonly over: Promise<void>; readonly end: () => void } | undefined;
  #givenUp = false;

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  /** Durable. @throws PrisnError as `Executions.create`; then nothing was accepted */
  async create(record: Execution, spec: ExecutionSpec, request: IdempotentRequest | undefined): Promise<Created> {
    try {
      return await this.#timed(this.#parts.executions.create(record, spec, request));
    } catch (error) {
      if (error instanceof PrisnError && error.code === 'too_large')
        throw new PrisnError(
          'too_large',
          'the program with its input, stdin, arguments and variables is larger than the 512 kB that are kept with an execution; ' +
            'upload the program as a bundle, and put large input into it as a file',
          { cause: error },
        );
      throw error instanceof PrisnError && transient.has(error.code) ? laterAgain(error) : error;
    }
  }

  /** Not durable. @throws PrisnError once it was given up, or when the record is gone */
  async update(live: Live, record: Execution): Promise<void> {
    await this.#insist(live, (revision) => this.#parts.executions.update(record, revision));
    live.record = record;
  }

  /**
   * Durable.
   * @returns the record as it was written: a result that cannot be stored makes the execution `Failed`, `invalid`
   * @throws PrisnError once it was given up, or when the record is gone
   */
  async end(live: Live, record: Execution, output: Uint8Array | undefined): Promise<Execution> {
    const { executions } = this.#parts;
    const write = (ended: Execution): Promise<void> =>
      this.#insist(live, (revision) => this.#timed(executions.end(ended, revision, output)));
    try {
      await write(record);
      return record;
    } catch (error) {
      const isResult = error instanceof RangeError || (error instanceof PrisnError && error.code === 'too_large');
      if (!isResult || record.result === undefined) throw error;
      const without = withoutResult(record, error);
      await write(without);
      return without;
    }
  }

  /** What cannot be written now is left to the next start, which takes it for interrupted. */
  giveUp(): void {
    this.#givenUp = true;
    this.#pause?.end();
  }

  async #insist(live: Live, write: (revision: number) => Promise<number>): Promise<void> {
    for (let isStale = false; ; ) {
      try {
        if (isStale) await this.#reread(live);
        isStale = false;
        live.revision = await write(live.revision);
        this.#healed();
        return;
      } catch (error) {
        if (!(error instanceof PrisnError) || this.#givenUp) throw error;
        // A write that was reported as failed may be there after all.
        if (error.code === 'conflict' && !isStale) isStale = true;
        else if (transient.has(error.code)) await this.#failed(error);
        else throw error;
      }
    }
  }

  async #reread(live: Live): Promise<void> {
    const stored = await this.#parts.executions.get(live.id);
    if (!stored || hasEnded(stored.record) || stored.revision === live.revision)
      throw new PrisnError('damaged', `execution ${live.id} was changed by somebody else, and is left as it is stored`);
    live.revision = stored.revision;
  }

  /** All that failed wait together, since one sync makes them all durable. */
  #failed(error: PrisnError): Promise<void> {
    if (!this.#pause) {
      const { clock, log } = this.#parts;
      const ms = Math.min(firstPauseMs * 2 ** this.#failures++, longestPauseMs);
      const { promise, resolve } = Promise.withResolvers<void>();
      const end = (): void => {
        callOff();
        this.#pause = undefined;
        resolve();
      };
      const callOff = clock.after(ms, end);
      this.#pause = { over: promise, end };
      log.warn({ code: error.code, retry_ms: ms }, `executions cannot be written: ${messageOf(error)}`);
    }
    return this.#pause.over;
  }

  #healed(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#parts.log.info({}, 'executions can be written again');
  }

  async #timed<T>(write: Promise<T>): Promise<T> {
    const { clock, metrics } = this.#parts;
    const begun = clock.elapsed();
    const result = await write;
    metrics.stored((clock.elapsed() - begun) / 1000);
    return result;
  }
}

function laterAgain(error: PrisnError): PrisnError {
  return new PrisnError(error.code, error.message, { cause: error, retryAfterS: 5 });
}

function withoutResult(record: Execution, cause: unknown): Execution {
  return known({
    ...record,
    result: undefined,
    status: 'Failed',
    reason: 'invalid',
    exit_code: exitCodes.failed,
    error: `the result cannot be stored: ${messageOf(cause)}`,
  });
}
