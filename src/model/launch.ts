/** What the native launcher sends in the frame `launch` of `src/base/frames.ts`, and what becomes of it. */
import type { Place } from './foreground-run.ts';
import type { IsolateTask } from './task.ts';

export interface LaunchRequest {
  /** Of the prisn that the launcher was built with. */
  readonly build: string;
  /** As `src/base/identity.ts` has it, and its cgroups behind it. */
  readonly identity: string;
  /** Absolute path of the caller's directory. */
  readonly cwd: string;
  /** Which of the three standard descriptors are. */
  readonly terminals: readonly [boolean, boolean, boolean];
  /** Those that `src/cli/run-options.ts` marks as `launched`, as `--name=value`. */
  readonly options: readonly string[];
  /** As it was typed. */
  readonly file: string;
  /** `device:inode` of what the caller finds there: a regular file. */
  readonly fileId: string;
  readonly args: readonly string[];
  /** The caller's environment less what is prisn's own. */
  readonly env: Readonly<Record<string, string>>;
}

export type LaunchWay =
  | { readonly kind: 'isolate'; readonly place: Place; readonly task: IsolateTask }
  | ({ readonly kind: 'fork' } & Ticket)
  /** `why` completes "not by the launcher, since …". */
  | { readonly kind: 'declined'; readonly why: string };

/** For a fork server, which runs what a launcher brings with it. */
export interface Ticket {
  /** `@` and the rest of an abstract name. */
  readonly socket: string;
  readonly ticket: string;
  /** As the program shall see it in its arguments. */
  readonly file: string;
  /** Absolute path of the program's directory; empty for the caller's, which may have no name any more. */
  readonly directory: string;
  /** What the program's environment has on top of the caller's. */
  readonly env: Readonly<Record<string, string>>;
}

/** @returns undefined for anything that is no such request */
export function launchRequestIn(payload: Buffer): LaunchRequest | undefined {
  const strings = new Strings(payload.toString('utf8'));
  try {
    const [build, identity, cwd, terminals] = [strings.next(), strings.next(), strings.next(), strings.next()];
    const options = strings.list();
    const [file, fileId] = [strings.next(), strings.next()];
    const args = strings.list();
    const env = Object.fromEntries(strings.list().map(assignmentOf));
    const isTerminal = (fd: number): boolean => terminals[fd] === '1';
    if (!strings.isEmpty || !cwd.startsWith('/')) return undefined;
    return {
      build,
      identity,
      cwd,
      terminals: [isTerminal(0), isTerminal(1), isTerminal(2)],
      options,
      file,
      fileId,
      args,
      env,
    };
  } catch {
    return undefined;
  }
}

export function ticketPayload({ socket, ticket, file, directory, env }: Ticket): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [socket, ticket, file, directory, String(variables.length), ...variables].map((text) => `${text}\0`).join('');
}

/** @returns its name and value @throws RangeError */
function assignmentOf(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new RangeError('no assignment');
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** A list of strings, each ended by a NUL; a list in it has its count before it. */
class Strings {
  readonly #strings: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#strings = text.split('\0');
  }

  /** What follows the last NUL is none. */
  get isEmpty(): boolean {
    return this.#at === this.#strings.length - 1 && this.#strings[this.#at] === '';
  }

  /** @throws RangeError where there is none */
  next(): string {
    if (this.#at >= this.#strings.length - 1) throw new RangeError('too few strings');
    return this.#strings[this.#at++] as string;
  }

  list(): string[] {
    const text = this.next();
    const count = /^\d{1,7}$/.test(text) ? Number(text) : -1;
    const end = this.#at + count;
    if (count < 0 || end >= this.#strings.length) throw new RangeError('no list');
    const list = this.#strings.slice(this.#at, end);
    this.#at = end;
    return list;
  }
}
