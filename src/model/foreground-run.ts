/** What a client asks for in the frame `run` of `src/base/frames.ts`. */
import type { IsolateTask } from './task.ts';

export interface ForegroundRequest {
  /** As `nodeOf` tells it: what the program sees of its engine must not depend on where it runs. */
  readonly node: string;
  /** What isolates take from the process that they live in. */
  readonly place: Place;
  readonly task: IsolateTask;
}

/** Where and how a process takes time zone and language from. */
export interface Place {
  readonly timeZone: string;
  readonly locale: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What the processes that hold isolates have of the daemon's environment, so that `placeOf` is true of them. */
export function holderEnvironment(daemon: Environment): Record<string, string> {
  const { timeZone, locale } = placeOf(daemon, daemon);
  return { ...(timeZone !== '' && { TZ: timeZone }), ...(locale !== '' && { LANG: locale }) };
}

/**
 * @param program the program's environment, which decides on its time zone
 * @param caller the environment of the process that would hold the isolate: its language is fixed at its start
 */
export function placeOf(program: Environment, caller: Environment): Place {
  return {
    timeZone: program['TZ'] ?? '',
    // The order of setlocale(3).
    locale: caller['LC_ALL'] || caller['LC_MESSAGES'] || caller['LANG'] || '',
  };
}

export function nodeOf({ version, execPath }: { readonly version: string; readonly execPath: string }): string {
  return `${version} ${execPath}`;
}

/** The most of standard input that is handed on, bytes. */
export const maxInputBytes = 64 * 2 ** 20;

/** The trust domain of foreground runs: all of them are programs of the daemon's own user. */
export const foregroundDomain = 'foreground';

/** The heap of one without a limit: node's own on a machine with enough memory. */
export const foregroundHeapBytes = 4096 * 2 ** 20;

/** The reason in a frame `refused`. */
export interface Refusal {
  readonly why: string;
}
