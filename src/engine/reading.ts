/** Executions as they are shown: with their place in the queue, their output, and logs that go on over attempts. */
import { PrisnError } from '../base/error.ts';
import type { Logs } from '../logs/logs.ts';
import type { LogQuery } from '../logs/reader.ts';
import { hasEnded, type Execution } from '../model/execution.ts';
import type { LogChunk } from '../model/output-text.ts';
import type { Executions } from '../store/executions.ts';
import { attemptId } from './attempt.ts';
import { known } from './known.ts';
import type { Live } from './live.ts';
import type { Runs } from './runs.ts';

export interface ShownOutput {
  readonly stdout?: string;
  readonly stderr?: string;
}

export interface LogsQuery extends LogQuery {
  /** Goes on until the execution has ended or the signal is aborted. */
  readonly follow?: AbortSignal;
}

interface ReadingParts {
  readonly executions: Executions;
  readonly logs: Logs;
}

export class Reading {
  readonly #parts: ReadingParts;
  readonly #runs: Runs;

  constructor(parts: ReadingParts, runs: Runs) {
    this.#parts = parts;
    this.#runs = runs;
  }

  /** @throws PrisnError `not_found` */
  async get(id: string): Promise<Execution & ShownOutput> {
    const live = this.#runs.get(id);
    if (live) return this.shown(live.record);
    const record = await this.#stored(id);
    return hasEnded(record) ? this.withOutput(record, await this.#parts.executions.output(id)) : this.shown(record);
  }

  /** Less what is not shown, and with its place in the queue. */
  shown(record: Execution): Execution {
    const queue_position = record.status === 'Pending' ? this.#runs.position(record.id) : undefined;
    if (queue_position === undefined && record.process === undefined) return record;
    return known({ ...record, queue_position, process: undefined });
  }

  /** @param output of the record; without it files are asked */
  async withOutput(record: Execution, output: Uint8Array | undefined): Promise<Execution & ShownOutput> {
    const text = await this.#parts.logs.text(attemptId(record.id, record.attempt), { inline: output });
    return { ...this.shown(record), ...text };
  }

  /** @throws PrisnError `not_found` */
  async logs(id: string, query: LogsQuery): Promise<AsyncGenerator<LogChunk>> {
    if (!this.#runs.get(id)) await this.#stored(id);
    return this.#read(id, query);
  }

  /**
   * The logs of all attempts, one after the other; with `tail` those from the last one on that has said anything, since the
   * lines that are asked for are the last.
   */
  async *#read(id: string, { follow, tail, ...query }: LogsQuery): AsyncGenerator<LogChunk> {
    const isOver = (live: Live | undefined): boolean => !live || live.isLetGo || follow === undefined || follow.aborted;
    let first: LogQuery = tail === undefined ? {} : { tail };
    for (let attempt = tail === undefined ? 1 : 0; ; attempt++) {
      const live = this.#runs.get(id);
      const newest = live ? live.logAttempt : (await this.#stored(id)).attempt;
      attempt = attempt === 0 ? await this.#lastWithLog(id, newest, query) : attempt;
      if (attempt > newest && isOver(live)) return;
      if (attempt > newest) {
        await live?.until(() => live.logAttempt >= attempt || live.ended !== undefined, { signal: follow });
        attempt--;
        continue;
      }
      const isWritten = live !== undefined && attempt === newest;
      const begun = live?.logsBegun;
      const inline = live ? undefined : await this.#inlineOf(id, attempt);
      yield* this.#parts.logs.read(attemptId(id, attempt), {
        ...query,
        ...first,
        inline,
        ...(isWritten && follow && { follow }),
      });
      first = {};
      if (!isWritten) continue;
      if (isOver(live)) return;
      await live.until(() => live.ended !== undefined || live.record.attempt !== attempt || live.logsBegun !== begun, {
        signal: follow,
      });
      // An attempt that is run again without being counted has a new log.
      if (live.logAttempt === attempt && live.logsBegun !== begun) attempt--;
    }
  }

  async #lastWithLog(id: string, newest: number, query: LogQuery): Promise<number> {
    for (let attempt = newest; attempt > 1; attempt--) {
      const inline = this.#runs.get(id) ? undefined : await this.#inlineOf(id, attempt);
      for await (const _ of this.#parts.logs.read(attemptId(id, attempt), { ...query, inline, tail: 1 })) return attempt;
    }
    return 1;
  }

  async #inlineOf(id: string, attempt: number): Promise<Uint8Array | undefined> {
    return (await this.#stored(id)).attempt === attempt ? this.#parts.executions.output(id) : undefined;
  }

  async #stored(id: string): Promise<Execution> {
    const stored = await this.#parts.executions.get(id);
    if (!stored) throw new PrisnError('not_found', `no execution ${id}; it never was, or is older than the server keeps them`);
    return stored.record;
  }
}
