/**
 * What the daemon and a fork server say to each other: one JSON object a line, on pipes.
 *
 * A server holds no code of users, but a run of root's could write in its name; so what it says is believed only as far as
 * its grammar goes, and a line beyond that is dropped.
 */
import { constants } from 'node:os';

/** A recorded run, whose descriptors are opened by the paths that the daemon's own have in /proc. */
export interface RunFields {
  readonly id: string;
  /** The program: an absolute path, which it is called by. */
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Directories of cgroups that the run enters before its program begins. */
  readonly cgroups: readonly string[];
  readonly pid_namespace: boolean;
}

export function orderLine(fields: RunFields): string {
  return JSON.stringify({ op: 'run', ...fields });
}

/** Beside orders. */
export type ToForkServer =
  | { readonly op: 'ticket'; readonly ticket: string }
  | { readonly op: 'preload'; readonly modules: readonly string[] }
  | { readonly op: 'stop' };

/** How a run ended: by its exit code, or by a signal. */
export interface ForkEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Of the program and what it waited for. */
  readonly cpuMs: number;
  readonly maxRssBytes: number;
  /** Modules that it imported and the server had not, where there are any. */
  readonly imports: readonly string[] | undefined;
}

/**
 * `run` is the id of a recorded run, or the ticket of one in the foreground. A recorded program has not begun before `started`;
 * for one in the foreground `launched` says no more than that its launcher has come.
 */
export type FromForkServer =
  | { readonly op: 'ready'; readonly socket: string }
  | { readonly op: 'unfit'; readonly why: string }
  | { readonly op: 'started'; readonly run: string; readonly pid: number }
  | { readonly op: 'launched'; readonly run: string }
  | { readonly op: 'ended'; readonly run: string; readonly end: ForkEnd }
  | { readonly op: 'refused'; readonly run: string; readonly why: string }
  | {
      readonly op: 'preloaded';
      readonly keptOut: readonly string[];
      readonly rssBytes: number;
    };

/** A longer line is none of theirs. */
export const longestLine = 256 * 1024;

type Fields = Readonly<Record<string, unknown>>;

const parsers: Readonly<Record<string, (fields: Fields) => FromForkServer>> = {
  ready: ({ socket }) => ({ op: 'ready', socket: text(socket, 100) }),
  unfit: ({ why }) => ({ op: 'unfit', why: text(why, 1000) }),
  started: ({ id, pid }) => ({ op: 'started', run: text(id, 200), pid: whole(pid, 1, maxPid) }),
  launched: ({ ticket }) => ({ op: 'launched', run: text(ticket, 200) }),
  ended: (fields) => ({ op: 'ended', run: text(fields['id'] ?? fields['ticket'], 200), end: endOf(fields) }),
  refused: ({ id, ticket, why }) => ({ op: 'refused', run: text(id ?? ticket, 200), why: text(why, 1000) }),
  preloaded: (fields) => ({
    op: 'preloaded',
    keptOut: names(Object.keys(objectOf(fields['kept_out']))),
    rssBytes: amount(fields['rss_bytes']),
  }),
};

/** @throws TypeError for what no server says */
export function parseMessage(line: string): FromForkServer {
  const fields = objectOf(JSON.parse(line));
  const parse = Object.hasOwn(parsers, String(fields['op'])) ? parsers[String(fields['op'])] : undefined;
  if (!parse) throw new TypeError('no such op');
  return parse(fields);
}

const maxPid = 2 ** 22;

function endOf(fields: Fields): ForkEnd {
  const { code, signal, imports } = fields;
  if ((code === null) === (signal === null)) throw new TypeError('neither code nor signal, or both');
  if (signal !== null && !Object.hasOwn(constants.signals, text(signal, 20))) throw new TypeError('no such signal');
  return {
    code: code === null ? null : whole(code, 0, 255),
    signal: signal as NodeJS.Signals | null,
    cpuMs: amount(fields['cpu_ms']),
    maxRssBytes: amount(fields['max_rss_bytes']),
    imports: imports === undefined ? undefined : names(imports),
  };
}

function objectOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) throw new TypeError('no object');
  return value as Fields;
}

function text(value: unknown, longest: number): string {
  if (typeof value !== 'string' || value.length > longest) throw new TypeError('no such text');
  return value;
}

function whole(value: unknown, least: number, most: number): number {
  const number = amount(value);
  if (number < least || number > most) throw new TypeError('no such number');
  return number;
}

function amount(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw new TypeError('no amount');
  return Math.round(value);
}

/** Those of modules, dotted identifiers in any alphabet: a program may give its modules other names as well. */
function names(value: unknown): string[] {
  if (!Array.isArray(value)) throw new TypeError('no list');
  return value.filter((name): name is string => typeof name === 'string' && name.length <= 200 && dotted.test(name));
}

const dotted = /^[\p{L}_][\p{L}\p{N}_.]*$/u;
