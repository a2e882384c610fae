/**
 * The errors of prisn: one class, one table.
 *
 * A code means that the operation failed and the user can act on it: the message says what happened, to what, and
 * what to do next. A programmer's mistake stays a `TypeError`. How a *program* ended is never an error but an outcome
 * (`src/model/outcome.ts`).
 */

import { exitCodes } from './exit-codes.ts';

/** For each code the HTTP status and the exit code of the CLI that it becomes. */
export const errorCodes = {
  /** The command line, a flag or a field is not of its form, or is none that can be had: nowhere, or not beside the others. */
  usage: { status: 400, exit: exitCodes.usage },
  /** The file cannot be run: missing, a directory, unreadable, no runtime found for it. */
  cannot_run: { status: 400, exit: exitCodes.cannotRun },
  /** The runtime is known but not installed, or no runtime has that name. */
  no_runtime: { status: 400, exit: exitCodes.notFound },
  /** What the program needs from elsewhere could not be prepared. */
  dependency: { status: 422, exit: exitCodes.failed },
  /** What this machine cannot do, and another could: a limit that nothing here can enforce. */
  unsupported: { status: 400, exit: exitCodes.failed },
  /** prisn itself failed. */
  internal: { status: 500, exit: exitCodes.failed },
  /** A bounded queue is full: try again later. */
  busy: { status: 503, exit: exitCodes.failure },
  /** It exists already, or was changed by someone else meanwhile. */
  conflict: { status: 409, exit: exitCodes.conflict },
  /** Known who asks, and not allowed to. */
  forbidden: { status: 403, exit: exitCodes.refused },
  /** The path exists, not for this method. */
  method_not_allowed: { status: 405, exit: exitCodes.usage },
  /** Stored data is not what was written. */
  damaged: { status: 500, exit: exitCodes.failure },
  /** Nothing has that name or id. */
  not_found: { status: 404, exit: exitCodes.absent },
  /** The disk or a quota is full: nothing was accepted. */
  storage_full: { status: 507, exit: exitCodes.failure },
  /** More bytes than the limit that the message names. */
  too_large: { status: 413, exit: exitCodes.failure },
  /** Not known who asks. */
  unauthorized: { status: 401, exit: exitCodes.refused },
  /** No server answers there. */
  unreachable: { status: 502, exit: exitCodes.unreachable },
  /** A part that is needed fails at the moment. */
  unavailable: { status: 503, exit: exitCodes.failure },
} as const satisfies Record<string, { status: number; exit: number }>;

export type ErrorCode = keyof typeof errorCodes;

const brand = Symbol.for('prisn.error');

export class PrisnError extends Error {
  readonly code: ErrorCode;
  readonly [brand] = true;

  /** With `busy` and `unavailable`: when it is worth to try again, seconds. */
  readonly retryAfterS?: number;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; retryAfterS?: number } = {}) {
    super(message, options);
    this.name = 'PrisnError';
    this.code = code;
    if (options.retryAfterS !== undefined) this.retryAfterS = options.retryAfterS;
  }

  /** The start path is a bundle and has a copy of this class; what is loaded beside it throws the other one. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }

  get exitCode(): number {
    return errorCodes[this.code].exit;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a system error (`ENOENT`, `EPIPE` …), or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
