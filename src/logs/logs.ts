/**
 * The logs of all executions: those that are being written, and the files of those that have ended.
 *
 * ```
 * open ──▶ append … ──▶ end ──▶ (the record is stored, with `inline`) ──▶ release ──▶ … ──▶ delete
 * ```
 * Between `end` and `release` the log is read from here still, so a reader never finds it in neither place.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type LogChunk, type Stream, textOf } from '../model/output-text.ts';
import { decode, type LogEntry } from './entry.ts';
import { Gaps, type LogQuery, lastLines, select } from './reader.ts';
import { readSegments } from './segments.ts';
import { type LogLimits, LogWriter, logLimits } from './writer.ts';

export interface LogReading extends LogQuery {
  /** What `end` handed back, from the record; files are asked only without. */
  readonly inline?: Uint8Array | undefined;
  /** Goes on until the execution ends or the signal is aborted; without it, what is there is all. */
  readonly follow?: AbortSignal;
}

export class Logs {
  readonly #folder: string;
  readonly #limits: LogLimits;
  readonly #live = new Map<string, LogWriter>();

  /** @param folder absolute path; made when the first log goes to the disk */
  constructor(folder: string, limits: LogLimits = logLimits) {
    this.#folder = folder;
    this.#limits = limits;
  }

  /** Starts the log of an execution; an earlier one with the same id goes when this one has files. */
  open(id: string): LogWriter {
    const writer = new LogWriter(this.#path(id), this.#limits);
    this.#live.set(id, writer);
    return writer;
  }

  /** To be called once the record is stored, with what `end` of the writer handed back. */
  async release(id: string): Promise<void> {
    const writer = this.#live.get(id);
    if (!writer) return;
    const { inline } = await writer.end();
    this.#live.delete(id);
    if (inline && writer.isOnDisk) await this.delete(id);
  }

  /**
   * Reads a log: of a running execution what there is, of an ended one all.
   * @returns nothing for a log that is not there; chunks share memory and are valid only until the next
   */
  async *read(id: string, query: LogReading = {}): AsyncGenerator<LogChunk> {
    const writer = this.#live.get(id);
    const { follow, inline } = query;
    const gaps = new Gaps();
    // Followed before the history is read: what comes meanwhile is in one of them, or in both.
    const follower = follow && writer?.follow();
    const stop = (): void => {
      if (follower) writer?.unfollow(follower);
    };
    follow?.addEventListener('abort', stop, { once: true });
    try {
      const history = select(writer?.history() ?? (inline ? inMemory(inline) : readSegments(this.#path(id))), query, gaps);
      yield* query.tail === undefined ? history : await lastLines(history, query.tail);
      if (follower && !follow.aborted) yield* select(follower, query, gaps);
    } finally {
      follow?.removeEventListener('abort', stop);
      stop();
    }
  }

  /** Reads each stream as one text; a line says where and how much is missing. */
  text(id: string, query: LogReading = {}): Promise<Record<Stream, string>> {
    return textOf(this.read(id, query));
  }

  /** Removes the files of a log that has ended. */
  async delete(id: string): Promise<void> {
    await rm(this.#path(id), { recursive: true, force: true });
  }

  #path(id: string): string {
    if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(id)) throw new TypeError(`'${id}' is no id of a log`);
    return join(this.#folder, id);
  }
}

async function* inMemory(inline: Uint8Array): AsyncGenerator<LogEntry> {
  yield* decode(inline).entries;
}
