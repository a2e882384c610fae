/** What of a log a reader asks for, and the forms in which it is given out. */
import type { LogEntry, Stream } from './entry.ts';

export interface LogQuery {
  readonly stream?: Stream;
  /** Output of that time or later, ms since 1970. */
  readonly since?: number;
  /** The last so many lines of the output as it came, both streams together; 0 for none of what is there already. */
  readonly tail?: number;
}

/** A piece of output, as it came. */
export interface LogChunk {
  readonly stream: Stream;
  /** ms since 1970 */
  readonly time: number;
  readonly bytes: Uint8Array;
  /** Bytes of the stream right before these that are missing: for the limit, or since the reader was too slow. */
  readonly missed: number;
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

/** A piece of output as text, valid Unicode whatever the program wrote. */
export interface TextChunk extends Omit<LogChunk, 'bytes'> {
  readonly text: string;
}

/** Decodes UTF-8 across the chunks of a stream; each byte that is none becomes U+FFFD (WHATWG Encoding). */
export async function* asText(chunks: AsyncIterable<LogChunk>): AsyncGenerator<TextChunk> {
  const decoders = { stdout: newDecoder(), stderr: newDecoder() };
  let last: TextChunk | undefined;
  for await (const { bytes, ...chunk } of chunks) {
    const decoder = decoders[chunk.stream];
    // What is missing may have been the rest of a character.
    const cut = chunk.missed > 0 ? decoder.decode() : '';
    if (cut !== '') yield { ...chunk, missed: 0, text: cut };
    last = { ...chunk, text: decoder.decode(bytes, { stream: true }) };
    if (last.text !== '' || last.missed > 0) yield last;
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    const text = decoders[stream].decode();
    if (text !== '' && last) yield { stream, time: last.time, missed: 0, text };
  }
}

function newDecoder(): TextDecoder {
  return new TextDecoder('utf-8', { ignoreBOM: true });
}

/** The line that stands for missing output in a text. */
export function markOf(missed: number): string {
  return `[prisn: ${missed} bytes of output left out]\n`;
}

/** @returns each stream as one text; a line says where and how much is missing */
export async function textOf(chunks: AsyncIterable<LogChunk>): Promise<Record<Stream, string>> {
  const texts = { stdout: '', stderr: '' };
  for await (const { stream, text, missed } of asText(chunks)) {
    const before = texts[stream];
    const mark = missed === 0 ? '' : `${before === '' || before.endsWith('\n') ? '' : '\n'}${markOf(missed)}`;
    texts[stream] = before + mark + text;
  }
  return texts;
}
