/** `-o`: how what a server answered is printed, the same for every command. Keys are the API's and stay. */
import { Option } from './command.ts';
import { writeSync } from 'node:fs';
import { errnoOf } from '../base/error.ts';
import { exitCodeOfSignal } from '../base/exit-codes.ts';
import { isTerminal } from '../base/terminal.ts';
import { table } from './table.ts';

export const formats = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type Format = (typeof formats)[number];

/** How items of one kind are shown. Methods, so that kinds of different items make one list. */
export interface View<Item> {
  readonly columns: readonly Column<Item>[];
  /** What other commands take for it. */
  nameOf(item: Item): string;
}

export interface Column<Item> {
  readonly head: string;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
  /** Changes with the clock alone, so that a change of it is no news. */
  readonly ages?: boolean;
  /** Empty where there is nothing to tell. */
  cell(item: Item, nowMs: number): string;
}

/** @param choices what the command knows; it prints a table without */
export function outputOption(choices: readonly Format[] = formats): Option {
  return new Option('-o, --output <format>', 'how it is printed').choices(choices).default('table');
}

/** Of a command that tells what it did in sentences, unless something is to read it. */
export type ResultFormat = 'json' | 'yaml' | 'name';

export function resultOutput(): Option {
  return new Option('-o, --output <format>', 'print what came of it, for programs').choices(['json', 'yaml', 'name']);
}

/** Formats of what is no item of the API. */
export type PlainFormat = 'table' | 'json' | 'yaml';

export function formatOption(): Option {
  return new Option('-o, --output <format>', 'how it is printed').choices(['table', 'json', 'yaml']).default('table');
}

export function isTable(format: Format): boolean {
  return format === 'table' || format === 'wide';
}

/** @returns a row of cells an item; what has nothing to tell is `-` */
export function rowsOf<Item>(view: View<Item>, items: readonly Item[], wide: boolean, nowMs = Date.now()): string[][] {
  const columns = view.columns.filter((column) => wide || column.wide !== true);
  return items.map((item) => columns.map((column) => column.cell(item, nowMs) || '-'));
}

export function headOf<Item>({ columns }: View<Item>, wide: boolean): string[] {
  return columns.filter((column) => wide || column.wide !== true).map(({ head }) => head);
}

/** Rows as a table that fits the terminal; on a pipe nothing is cut. */
export function tableText(rows: readonly (readonly string[])[]): string {
  return table(rows, isTerminal(1) ? process.stdout.columns || undefined : undefined);
}

/** One object, or a list of the API, as JSON or YAML. */
export async function structured(value: unknown, format: 'json' | 'yaml'): Promise<string> {
  if (format === 'json') return `${JSON.stringify(value, null, 2)}\n`;
  const { stringify } = await import('yaml');
  return stringify(value, { lineWidth: 0 });
}

/** @param sentence for people, without its newline */
export async function printResult<Item>(
  view: View<Item>,
  item: Item,
  format: ResultFormat | undefined,
  sentence: string,
): Promise<void> {
  if (format === undefined) return write(`${sentence}\n`);
  return write(format === 'name' ? `${view.nameOf(item)}\n` : await structured(item, format));
}

type Descriptor = 1 | 2;

/** Streams of descriptors that do not block. */
const streams = new Map<Descriptor, NodeJS.WriteStream>();

/**
 * Writes, and resolves once it is out, so that a slow reader slows what is read for it. Where nobody reads any more
 * (`| head`), prisn ends as SIGPIPE would end it, in silence.
 *
 * Without node's streams, which take 3 ms to load and block alike, unless whoever has the descriptor too made it not block.
 */
export async function write(chunk: string | Uint8Array, descriptor: Descriptor = 1): Promise<void> {
  let left: Uint8Array = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  try {
    while (left.length > 0 && !streams.has(descriptor)) left = left.subarray(writeSync(descriptor, left));
  } catch (error) {
    if (errnoOf(error) === 'EPIPE') process.exit(exitCodeOfSignal(brokenPipe));
    if (errnoOf(error) !== 'EAGAIN') throw error;
    const stream = descriptor === 1 ? process.stdout : process.stderr;
    // Without a listener the error would be thrown beside the one that the callback gets.
    stream.on('error', () => {});
    streams.set(descriptor, stream);
  }
  const stream = streams.get(descriptor);
  if (stream && left.length > 0) await writeTo(stream, left);
}

function writeTo(stream: NodeJS.WriteStream, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error?: NodeJS.ErrnoException | null) => {
      if (error?.code === 'EPIPE') process.exit(exitCodeOfSignal(brokenPipe));
      if (error) reject(error);
      else resolve();
    });
  });
}

/** SIGPIPE, signal(7). */
const brokenPipe = 13;
