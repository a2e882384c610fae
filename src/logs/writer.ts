/**
 * The log of one execution while it runs.
 *
 * Output stays in memory at first. When it grows beyond a small size, or is a second old, it goes to files, so that a
 * daemon that is killed leaves what there was; a small log comes back at the end, to be kept with the record, since most
 * logs are a few lines and a file for each would cost more than they do. `append` never waits: what the disk has not taken
 * yet waits in memory, within the same limits as on the disk, and what the limits drop is never written.
 */
import { rm } from 'node:fs/promises';
import { messageOf } from '../base/error.ts';
import type { Stream } from '../model/output-text.ts';
import { encode, headerBytes, type LogEntry, maxEntryBytes } from './entry.ts';
import { Follower } from './follower.ts';
import { readSegments, Segment } from './segments.ts';

export interface LogLimits {
  /** Bytes of a stream that are kept: the first half, and of the rest at least the last quarter. */
  readonly streamBytes: number;
  /** A log up to this size, with the headers of its entries, is handed back at the end, if all of it was kept. */
  readonly inlineBytes: number;
  /** After this time the log is on the disk, however small it is. */
  readonly memoryMs: number;
}

export const logLimits: LogLimits = { streamBytes: 10 * 2 ** 20, inlineBytes: 65_536, memoryMs: 1000 };

export interface LogEnd {
  /** The whole log, for the record, when it is small (`decode` reads it). */
  readonly inline?: Uint8Array;
  /** Whether output is missing: for the limit, or since the disk did not take it. */
  readonly truncated: boolean;
  /** Why the disk did not take it. */
  readonly error?: string;
}

/** Chunks of the same millisecond become one entry up to this size. */
const joinedBytes = 4096;

interface StreamState {
  position: number;
  segment: Segment;
  /** Of `segment`; 0 is the head. */
  index: number;
  /** Bytes that `segment` still takes. */
  room: number;
  /** The older file of the tail. */
  previous?: Segment;
}

export class LogWriter {
  readonly #folder: string;
  readonly #limits: LogLimits;
  readonly #states: Record<Stream, StreamState>;
  readonly #segments = new Set<Segment>();
  readonly #dropped: Segment[] = [];
  readonly #followers = new Set<Follower>();
  #order = 0;
  #last: LogEntry | undefined;
  /** The whole log, while it is small. */
  #small: LogEntry[] | undefined = [];
  #smallBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isOnDisk = false;
  /** An earlier log may be where its files will be. */
  #isNew = true;
  #writing: Promise<void> | undefined;
  /** Told when what waits now is in the files. */
  readonly #flushes: (() => void)[] = [];
  #truncated = false;
  #error: string | undefined;
  #ended: Promise<LogEnd> | undefined;

  /** @param folder absolute path, of this log alone; made when the log goes to the disk */
  constructor(folder: string, limits: LogLimits = logLimits) {
    this.#folder = folder;
    this.#limits = limits;
    const [stdout, stderr] = [this.#newState('stdout'), this.#newState('stderr')];
    this.#states = { stdout, stderr };
  }

  /** Takes output in; the chunk is copied. What comes after the end is not kept. */
  append(stream: Stream, chunk: Uint8Array): void {
    if (this.#ended) return;
    const time = Date.now();
    for (let done = 0; done < chunk.length; ) {
      const state = this.#states[stream];
      if (state.room === 0) this.#beginTail(stream, state);
      const bytes = new Uint8Array(chunk.subarray(done, done + Math.min(state.room, maxEntryBytes)));
      this.#keep({ stream, order: this.#order++, position: state.position, time, bytes });
      state.position += bytes.length;
      state.room -= bytes.length;
      done += bytes.length;
    }
    if (this.#small === undefined || this.#isOnDisk) this.#toDisk();
    else this.#timer ??= setTimeout(() => this.#toDisk(), this.#limits.memoryMs).unref();
  }

  /** Whether there are files. */
  get isOnDisk(): boolean {
    return this.#isOnDisk;
  }

  /** What was appended so far, in order. */
  async *history(): AsyncGenerator<LogEntry> {
    const whole = this.#small?.slice();
    if (whole) return yield* whole;
    // Not until all is written: that may be never.
    if (this.#writing) await new Promise<void>((resolve) => this.#flushes.push(resolve));
    yield* readSegments(this.#folder);
  }

  /** What is appended from now on. */
  follow(): Follower {
    const follower = new Follower();
    if (this.#ended) follower.end();
    else this.#followers.add(follower);
    return follower;
  }

  unfollow(follower: Follower): void {
    this.#followers.delete(follower);
    follower.end();
  }

  /**
   * Ends the log: once resolved, what is in files is durable (fsync). Never rejects.
   * @param options.files a small log goes to files too, where no record takes it
   */
  end({ files = false }: { readonly files?: boolean } = {}): Promise<LogEnd> {
    this.#ended ??= this.#finish(files);
    return this.#ended;
  }

  async #finish(files: boolean): Promise<LogEnd> {
    clearTimeout(this.#timer);
    for (const follower of this.#followers) follower.end();
    if (files && this.#small !== undefined) {
      this.#small = undefined;
      this.#toDisk();
    }
    await this.#writing;
    for (const segment of this.#segments)
      await segment.close(this.#small === undefined).catch((error: unknown) => this.#fail(error));
    return {
      ...(this.#small !== undefined && { inline: Buffer.concat(this.#small.map(encode)) }),
      truncated: this.#truncated,
      ...(this.#error !== undefined && { error: this.#error }),
    };
  }

  #keep(entry: LogEntry): void {
    for (const follower of this.#followers) follower.push(entry);
    const { segment } = this.#states[entry.stream];
    const last = this.#last;
    const joined = last && join(last, entry);
    if (last && joined && segment.replaceLast(last, joined)) {
      this.#small?.splice(-1, 1, joined);
      this.#smallBytes += entry.bytes.length;
      this.#last = joined;
    } else {
      segment.append(entry);
      this.#small?.push(entry);
      this.#smallBytes += headerBytes + entry.bytes.length;
      this.#last = entry;
    }
    if (this.#smallBytes > this.#limits.inlineBytes) this.#small = undefined;
  }

  #newState(stream: Stream): StreamState {
    const segment = new Segment(this.#folder, stream, 0);
    this.#segments.add(segment);
    return { position: 0, segment, index: 0, room: Math.ceil(this.#limits.streamBytes / 2) };
  }

  #beginTail(stream: Stream, state: StreamState): void {
    if (state.previous) {
      state.previous.discard();
      this.#segments.delete(state.previous);
      this.#dropped.push(state.previous);
      this.#truncated = true;
      this.#small = undefined;
    }
    if (state.index > 0) state.previous = state.segment;
    state.segment = new Segment(this.#folder, stream, ++state.index);
    this.#segments.add(state.segment);
    state.room = Math.ceil(this.#limits.streamBytes / 4);
  }

  #toDisk(): void {
    this.#isOnDisk = true;
    this.#writing ??= this.#write();
  }

  /** Writes in rounds, each takes what waits at its beginning, until nothing does. */
  async #write(): Promise<void> {
    // What is appended in the same turn makes one write.
    await Promise.resolve();
    if (this.#isNew) await rm(this.#folder, { recursive: true, force: true }).catch((error: unknown) => this.#fail(error));
    this.#isNew = false;
    while (this.#flushes.length > 0 || this.#dropped.length > 0 || this.#segments.values().some((segment) => segment.isWaiting)) {
      const flushed = this.#flushes.splice(0);
      // Without those that are begun meanwhile, or the round may never end.
      const present = [...this.#segments];
      for (const segment of present) {
        // Before anything is written, so that the files stay within the limit.
        await this.#removeDropped();
        if (this.#segments.has(segment) && segment.isWaiting) await segment.write().catch((error: unknown) => this.#fail(error));
      }
      await this.#removeDropped();
      for (const resolve of flushed) resolve();
    }
    this.#writing = undefined;
  }

  async #removeDropped(): Promise<void> {
    for (const segment of this.#dropped.splice(0)) await segment.remove().catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    this.#truncated = true;
    this.#error ??= messageOf(error);
  }
}

function join(last: LogEntry, entry: LogEntry): LogEntry | undefined {
  if (last.stream !== entry.stream || last.time !== entry.time || last.bytes.length + entry.bytes.length > joinedBytes)
    return undefined;
  return { ...last, bytes: Buffer.concat([last.bytes, entry.bytes]) };
}
