/**
 * Output of programs as text. They write bytes, to two streams, and some of it may be missing; what readers get is valid
 * Unicode whatever a program wrote, and says where something is missing.
 */
export const streams = ['stdout', 'stderr'] as const;
export type Stream = (typeof streams)[number];

/** A piece of output, as it came. */
export interface LogChunk {
  readonly stream: Stream;
  /** ms since 1970 */
  readonly time: number;
  readonly bytes: Uint8Array;
  /** Bytes of the stream right before these that are missing: for the limit, or since the reader was too slow. */
  readonly missed: number;
}

/** Where output of several executions follows each other: whose it is. */
export interface OfExecution {
  readonly execution?: string;
}

export interface TextChunk extends Omit<LogChunk, 'bytes'>, OfExecution {
  readonly text: string;
}

/** Decodes UTF-8 across the chunks of a stream; each byte that is none becomes U+FFFD (WHATWG Encoding). */
export async function* asText(chunks: AsyncIterable<LogChunk & OfExecution>): AsyncGenerator<TextChunk> {
  const open = new Map<string, { readonly decoder: TextDecoder; readonly last: Omit<TextChunk, 'text'> }>();
  for await (const { bytes, ...chunk } of chunks) {
    const { stream, execution, missed } = chunk;
    const key = `${stream} ${execution ?? ''}`;
    const decoder = open.get(key)?.decoder ?? new TextDecoder('utf-8', { ignoreBOM: true });
    const last = { ...chunk, missed: 0 };
    open.set(key, { decoder, last });
    // What is missing may have been the rest of a character.
    const cut = missed > 0 ? decoder.decode() : '';
    if (cut !== '') yield { ...last, text: cut };
    const text = decoder.decode(bytes, { stream: true });
    if (text !== '' || missed > 0) yield { ...chunk, text };
  }
  for (const { decoder, last } of open.values()) {
    const text = decoder.decode();
    if (text !== '') yield { ...last, text };
  }
}

/**
 * The line that stands for missing output in a text.
 * @param isLineBegun whether the text before it is no whole line
 */
export function markOf(missed: number, isLineBegun: boolean): string {
  return `${isLineBegun ? '\n' : ''}[prisn: ${missed} bytes of output left out]\n`;
}

/** @returns each stream as one text; a line says where and how much is missing */
export async function textOf(chunks: AsyncIterable<LogChunk & OfExecution>): Promise<Record<Stream, string>> {
  const texts = { stdout: '', stderr: '' };
  for await (const { stream, text, missed } of asText(chunks)) {
    const before = texts[stream];
    const mark = missed === 0 ? '' : markOf(missed, before !== '' && !before.endsWith('\n'));
    texts[stream] = before + mark + text;
  }
  return texts;
}
