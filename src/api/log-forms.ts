/** The forms in which output is answered, and which of them a request asks for. */
import type { IncomingHttpHeaders } from 'node:http';
import { asText, type LogChunk, markOf, type OfExecution } from '../model/output-text.ts';

export const logForms = ['application/json', 'text/plain', 'application/x-ndjson', 'text/event-stream'] as const;
export type LogForm = (typeof logForms)[number];

/** A piece of output, with the execution that it is of where that is not plain. */
export type Piece = LogChunk & OfExecution;

const newline = 10;

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

/** @param form not JSON, which is one answer: see `textOf` */
export async function* write(form: LogForm, pieces: AsyncIterable<Piece>): AsyncGenerator<Uint8Array | string> {
  if (form === 'text/plain') {
    yield* asBytes(pieces);
    return;
  }
  for await (const { time, stream, execution, text, missed } of asText(pieces)) {
    const line = JSON.stringify({ time: new Date(time).toISOString(), stream, execution, text, missed: missed || undefined });
    yield form === 'text/event-stream' ? `event: output\ndata: ${line}\n\n` : `${line}\n`;
  }
  if (form === 'text/event-stream') yield 'event: end\ndata: {}\n\n';
}

async function* asBytes(pieces: AsyncIterable<Piece>): AsyncGenerator<Uint8Array | string> {
  let isLineBegun = false;
  for await (const { bytes, missed } of pieces) {
    if (missed > 0) yield markOf(missed, isLineBegun);
    // Its memory is used again for the next one, which may come before this one has left.
    yield Uint8Array.from(bytes);
    isLineBegun = bytes.length > 0 ? bytes.at(-1) !== newline : isLineBegun && missed === 0;
  }
}
