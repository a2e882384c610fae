/** What of a log a reader asks for. */
import type { LogChunk, Stream } from '../model/output-text.ts';
import type { LogEntry } from './entry.ts';

export interface LogQuery {
  readonly stream?: Stream;
  /** Output of that time or later, ms since 1970. */
  readonly since?: number;
  /** The last so many lines of the output as it came, both streams together; 0 for none of what is there already. */
  readonly tail?: number;
}

/** Turns positions into the number of bytes that are missing, over what one reader sees of a log. */
export class Gaps {
  readonly #seen: Record<Stream, number> = { stdout: 0, stderr: 0 };

  /** @returns undefined for what this reader had before */
  chunkOf({ stream, time, position, bytes }: LogEntry): LogChunk | undefined {
    const missed = position - this.#seen[stream];
    if (missed < 0) return undefined;
    this.#seen[stream] = position + bytes.length;
    return { stream, time, bytes, missed };
  }
}

/** Yields the chunks of `entries` that the query asks for, `tail` aside. */
export async function* select(entries: AsyncIterable<LogEntry>, query: LogQuery, gaps: Gaps): AsyncGenerator<LogChunk> {
  for await (const entry of entries) {
    const chunk = gaps.chunkOf(entry);
    if (chunk === undefined || chunk.time < (query.since ?? 0)) continue;
    if (query.stream === undefined || query.stream === chunk.stream) yield chunk;
  }
}

const newline = 10;

/** @returns the chunks of the last `lines` lines; what follows the last line end counts as one */
export async function lastLines(chunks: AsyncIterable<LogChunk>, lines: number): Promise<LogChunk[]> {
  const kept: { chunk: LogChunk; ends: number }[] = [];
  let ends = 0;
  for await (const chunk of chunks) {
    const own = countLineEnds(chunk.bytes);
    kept.push({ chunk, ends: own });
    ends += own;
    // One more than asked for, since the last may end the text.
    while (kept[0] !== undefined && ends - kept[0].ends > lines) ends -= kept.shift()?.ends ?? 0;
  }
  const last = kept.at(-1)?.chunk.bytes.at(-1);
  let surplus = ends - lines + (last === newline || last === undefined ? 0 : 1);
  if (lines === 0) return [];
  return kept.flatMap(({ chunk, ends: own }) => {
    if (surplus <= 0) return [chunk];
    const cut = own < surplus ? chunk.bytes.length : afterLineEnd(chunk.bytes, surplus);
    surplus -= Math.min(own, surplus);
    return cut === chunk.bytes.length ? [] : [{ ...chunk, bytes: chunk.bytes.subarray(cut), missed: 0 }];
  });
}

function countLineEnds(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) count++;
  return count;
}

/** @returns where the text goes on after the nth line end */
function afterLineEnd(bytes: Uint8Array, nth: number): number {
  let at = 0;
  for (let i = 0; i < nth; i++) at = bytes.indexOf(newline, at) + 1;
  return at;
}
