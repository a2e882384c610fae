/**
 * The files of a log: each stream has a head, which stays, and behind it a tail of which only the newest is kept.
 *
 * ```
 * <folder of the log>/stdout.0   the head: the first half of the limit
 *                     stdout.6   the tail: two files of a quarter each at most;
 *                     stdout.7   when the newer is full, the older goes and a third begins
 * ```
 * So files are only ever appended to and removed, never rewritten, and what is on the disk never exceeds the limit.
 */
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../base/error.ts';
import { type Stream, streams } from '../model/output-text.ts';
import { decode, encode, headerBytes, type LogEntry, maxEntryBytes } from './entry.ts';

/** One file, and the entries that are on the way to it. */
export class Segment {
  readonly #file: string;
  #handle: FileHandle | undefined;
  #waiting: LogEntry[] = [];
  /** Bytes of whole entries in the file. */
  #written = 0;

  constructor(folder: string, stream: Stream, index: number) {
    this.#file = join(folder, `${stream}.${index}`);
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  append(entry: LogEntry): void {
    this.#waiting.push(entry);
  }

  /** The newest entry takes in what follows it at once, as long as it was not written. */
  replaceLast(entry: LogEntry, by: LogEntry): boolean {
    if (this.#waiting.at(-1) !== entry) return false;
    this.#waiting[this.#waiting.length - 1] = by;
    return true;
  }

  /** Writes what waits. When it fails, those entries are lost, and the file ends with its last whole entry as before. */
  async write(): Promise<void> {
    const batch = Buffer.concat(this.#waiting.splice(0).map(encode));
    try {
      this.#handle ??= await openFile(this.#file);
      await this.#handle.appendFile(batch);
      this.#written += batch.length;
    } catch (error) {
      await this.#handle?.truncate(this.#written).catch(() => {});
      throw error;
    }
  }

  /** @param durably fsync first */
  async close(durably: boolean): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    try {
      if (durably) await handle?.datasync();
    } finally {
      await handle?.close();
    }
  }

  /** Forgets what waits, at once: the memory is needed for what comes. */
  discard(): void {
    this.#waiting = [];
  }

  async remove(): Promise<void> {
    await this.close(false);
    await rm(this.#file, { force: true });
  }
}

async function openFile(file: string): Promise<FileHandle> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  return open(file, 'a', 0o600);
}

/** Yields the entries of a log's files in order, of each file up to the last whole one; nothing when there are none. */
export async function* readSegments(folder: string): AsyncGenerator<LogEntry> {
  const sources = streams.map((stream) => entriesOf(folder, stream));
  try {
    const heads = await Promise.all(sources.map((source) => source.next()));
    for (;;) {
      let first = -1;
      for (const [i, head] of heads.entries())
        if (!head.done && (first === -1 || head.value.order < (heads[first]?.value?.order ?? 0))) first = i;
      const source = sources[first];
      if (source === undefined) return;
      yield heads[first]?.value as LogEntry;
      heads[first] = await source.next();
    }
  } finally {
    for (const source of sources) await source.return(undefined);
  }
}

async function* entriesOf(folder: string, stream: Stream): AsyncGenerator<LogEntry, undefined> {
  const names = await readdir(folder).catch(() => []);
  const indexes = names.filter((name) => name.startsWith(`${stream}.`)).map((name) => Number(name.slice(stream.length + 1)));
  const handles: FileHandle[] = [];
  try {
    // All at once: what is removed meanwhile, since the log goes on, can still be read.
    for (const index of indexes.toSorted((a, b) => a - b)) {
      const handle = await open(join(folder, `${stream}.${index}`)).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw error;
      });
      if (handle) handles.push(handle);
    }
    for (const handle of handles) yield* entriesIn(handle);
  } finally {
    for (const handle of handles) await handle.close();
  }
}

async function* entriesIn(handle: FileHandle): AsyncGenerator<LogEntry> {
  let rest: Uint8Array = new Uint8Array();
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(262_144));
    const block = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    const { entries, readBytes } = decode(block);
    yield* entries;
    rest = block.subarray(readBytes);
    if (bytesRead === 0 || rest.length >= headerBytes + maxEntryBytes) return;
  }
}
