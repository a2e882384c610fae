/**
 * The exit codes of prisn: those that it gives beside a program's own. 124 to 127 and 128 + n as in POSIX shells and
 * timeout(1), 137 as after the OOM killer's SIGKILL.
 */
export const exitCodes = {
  /** The program failed, or what was accepted did. */
  failure: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Nothing has that name or id. */
  absent: 3,
  /** Authentication or authorisation failed. */
  refused: 4,
  /** No server answers. */
  unreachable: 5,
  conflict: 6,
  timeout: 124,
  /** prisn itself failed. */
  failed: 125,
  cannotRun: 126,
  notFound: 127,
  memory: 137,
} as const;

/** What a shell reports for a program that ended by this signal. */
export function exitCodeOfSignal(number: number): number {
  return 128 + number;
}
