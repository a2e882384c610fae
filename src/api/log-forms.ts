/** The forms in which output is answered, and which of them a request asks for. */
import type { IncomingHttpHeaders } from 'node:http';
import type { LogChunk } from '../logs/reader.ts';

export const logForms = ['application/json', 'text/plain', 'application/x-ndjson', 'text/event-stream'] as const;
export type LogForm = (typeof logForms)[number];

/** A piece of output, with the execution that it is of where that is not plain. */
export interface Piece {
  readonly chunk: LogChunk;
  readonly execution?: string;
}

/** @returns the form that the client likes best; the fallback where it likes none, or all the same (RFC 9110, 12.5.1) */
export function formOf({ accept = '' }: IncomingHttpHeaders, fallback: LogForm): LogForm {
  const wishes = accept.split(',').map((wish) => {
    const [type = '', ...parameters] = wish.split(';').map((part) => part.trim().toLowerCase());
    const quality = Number(parameters.find((part) => part.startsWith('q='))?.slice(2) ?? 1);
    return { type, quality: Number.isNaN(quality) ? 0 : quality };
  });
  const [best] = wishes
    .filter(({ type, quality }) => quality > 0 && logForms.some((form) => form === type))
    .toSorted((a, b) => b.quality - a.quality);
  return logForms.find((form) => form === best?.type) ?? fallback;
}

/** What a live stream says while there is no output; only event streams have words for it. */
export function heartbeatOf(form: LogForm): string | undefined {
  return form === 'text/event-stream' ? ': \n\n' : undefined;
}

/** @param form not JSON, which is one answer: see `textsOf` */
export async function* write(form: LogForm, pieces: AsyncIterable<Piece>): AsyncGenerator<Uint8Array | string> {
  if (form === 'text/plain') {
    for await (const { chunk } of pieces) {
      if (chunk.missed > 0) yield markOf(chunk.missed);
      // Its memory is used again for the next one, which may come before this one has left.
      yield Uint8Array.from(chunk.bytes);
    }
    return;
  }
  for await (const { time, ...rest } of asText(pieces)) {
    const line = JSON.stringify({ time: new Date(time).toISOString(), ...rest });
    yield form === 'text/event-stream' ? `event: output\ndata: ${line}\n\n` : `${line}\n`;
  }
  if (form === 'text/event-stream') yield 'event: end\ndata: {}\n\n';
}

/** @returns each stream as one text; a line says where and how much is missing */
export async function textsOf(pieces: AsyncIterable<Piece>): Promise<{ stdout: string; stderr: string }> {
  const texts = { stdout: '', stderr: '' };
  for await (const { stream, text, missed } of asText(pieces))
    texts[stream] += (missed === undefined ? '' : markOf(missed)) + text;
  return texts;
}

interface TextPiece {
  readonly time: number;
  readonly stream: LogChunk['stream'];
  readonly text: string;
  /** Bytes of the stream that are missing right before. */
  readonly missed?: number;
  readonly execution?: string;
}

/** Decodes UTF-8 across the chunks of a stream; each byte that is none becomes U+FFFD (WHATWG Encoding). */
async function* asText(pieces: AsyncIterable<Piece>): AsyncGenerator<TextPiece> {
  const decoders = new Map<string, { readonly decoder: TextDecoder; readonly last: Omit<TextPiece, 'text' | 'missed'> }>();
  for await (const { chunk, execution } of pieces) {
    const { stream, time, missed } = chunk;
    const of = { time, stream, ...(execution !== undefined && { execution }) };
    const key = `${stream} ${execution}`;
    const decoder = decoders.get(key)?.decoder ?? new TextDecoder('utf-8', { ignoreBOM: true });
    decoders.set(key, { decoder, last: of });
    // What is missing may have been the rest of a character.
    const cut = missed > 0 ? decoder.decode() : '';
    if (cut !== '') yield { ...of, text: cut };
    const text = decoder.decode(chunk.bytes, { stream: true });
    if (text !== '' || missed > 0) yield { ...of, text, ...(missed > 0 && { missed }) };
  }
  for (const { decoder, last } of decoders.values()) {
    const text = decoder.decode();
    if (text !== '') yield { ...last, text };
  }
}

function markOf(missed: number): string {
  return `[prisn: ${missed} bytes of output left out]\n`;
}
