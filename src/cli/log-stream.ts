/**
 * The output of executions, from the server to this process's own streams, byte by byte as the program wrote it.
 *
 * Where stdout and stderr are the same place, one stream of both keeps their order; where they differ, each has its own.
 * Only times need another form: there it comes as lines of JSON, and each line of output is shown once it is whole.
 */
import { fstatSync } from 'node:fs';
import type { Client } from '../client/client.ts';
import { write } from './output.ts';

type LogStream = 'stdout' | 'stderr';

export interface LogSelection {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly since?: string;
  readonly stream?: LogStream;
}

/** What has output: an execution, or a deployment, whose executions follow each other. */
export type LogSource = { readonly execution: string } | { readonly deployment: string; readonly namespace?: string | undefined };

function read(
  client: Client,
  source: LogSource,
  query: LogSelection,
  accept: string,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const headers = { accept };
  return 'execution' in source
    ? client.stream('executionLogs', { params: { id: source.execution }, query, headers }, signal)
    : client.stream(
        'deploymentLogs',
        { params: { name: source.deployment }, query: { ...query, namespace: source.namespace }, headers },
        signal,
      );
}

/** Writes what there is to stdout, and with `follow` what comes. @returns whether there was anything @throws as `Client.stream` */
export async function showLog(
  client: Client,
  source: LogSource,
  selection: LogSelection,
  signal?: AbortSignal,
): Promise<boolean> {
  let isShown = false;
  for await (const chunk of read(client, source, selection, 'text/plain', signal)) {
    isShown ||= chunk.length > 0;
    await write(chunk);
  }
  return isShown;
}

/** As `showLog`, with the time of each line before it. */
export async function showTimedLog(client: Client, source: LogSource, selection: LogSelection): Promise<boolean> {
  let isShown = false;
  for await (const line of timedLines(pieces(read(client, source, selection, 'application/x-ndjson')))) {
    isShown = true;
    await write(line);
  }
  return isShown;
}

export interface LogPiece {
  readonly stream: LogStream;
  /** RFC 3339. */
  readonly time: string;
  readonly text: string;
}

/**
 * Lines with the time of their first byte before them. What a program wrote to one stream in the middle of a line of the
 * other comes before or after that line.
 */
export async function* timedLines(pieces: AsyncIterable<LogPiece>): AsyncGenerator<string> {
  const begun = new Map<LogStream, string>();
  for await (const { stream, time, text } of pieces) {
    const lines = text.split('\n').map((line) => `${time} ${line}`);
    const before = begun.get(stream);
    if (before !== undefined) lines[0] = before + (lines[0] ?? '').slice(time.length + 1);
    const last = lines.pop() ?? '';
    for (const line of lines) yield `${line}\n`;
    if (last.length > time.length + 1) begun.set(stream, last);
    else begun.delete(stream);
  }
  for (const line of begun.values()) yield `${line}\n`;
}

async function* pieces(chunks: AsyncIterable<Buffer>): AsyncGenerator<LogPiece> {
  const decoder = new TextDecoder();
  let begun = '';
  for await (const chunk of chunks) {
    const lines = (begun + decoder.decode(chunk, { stream: true })).split('\n');
    begun = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield JSON.parse(line) as LogPiece;
  }
}

/** Follows an execution to its end; its stdout and stderr go to those of this process. @throws as `Client.stream` */
export async function mirror(client: Client, execution: string, signal: AbortSignal): Promise<void> {
  if (isSamePlace()) {
    await showLog(client, { execution }, { follow: true }, signal);
    return;
  }
  await Promise.all(
    (['stdout', 'stderr'] as const).map(async (stream) => {
      const selection = { follow: true, stream };
      for await (const chunk of read(client, { execution }, selection, 'text/plain', signal))
        await write(chunk, stream === 'stdout' ? 1 : 2);
    }),
  );
}

function isSamePlace(): boolean {
  const [stdout, stderr] = [fstatSync(1), fstatSync(2)];
  return stdout.dev === stderr.dev && stdout.ino === stderr.ino;
}
