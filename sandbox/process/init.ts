/**
 * The init of a job's pid namespace, a line of shell: it runs the program, reaps what is orphaned meanwhile (a shell waits
 * for any child), and ends with the program's exit code; with it ends all that is left in the namespace.
 *
 * A shell gives a child that signal n ended the code 128 + n, so a program that exits with such a code itself is taken for
 * one that the signal ended. The init cannot end by the signal in turn: the kernel keeps it from a PID 1.
 *
 * It reports on a descriptor of its own: that the program is about to start, and at the end what it used.
 */
import { constants } from 'node:os';
import type { Outcome, Usage } from '../../src/model/outcome.ts';

/** The program does not have it. */
export const reportFd = 3;

/** A shell tells on its stderr of a child that a signal ended, so it gets another; 4 keeps the program's for it. */
export const initScript = 'exec 4>&2 2>/dev/null; echo begun >&3; "$@" 2>&4 3>&- 4>&-; code=$?; times >&3; exit $code';

/** Processes that live beside the program: unshare and the init. */
export const residentsOfInit = 2;

/** How the program ended, by how its init did. */
export function ownOutcome(init: Outcome): Outcome {
  const signal = Object.entries(constants.signals).find(([, number]) => 128 + number === init.exitCode)?.[0];
  return init.reason === 'exit' && signal !== undefined ? { ...init, reason: 'signal', signal } : init;
}

export function hasBegun(report: string): boolean {
  return report.startsWith('begun');
}

/** Of the program and what it waited for: what it left behind is not in it. */
export function cpuMsIn(report: string): Pick<Usage, 'cpuMs'> {
  // times of POSIX: a line of the shell's own user and system time, then one of its children's, as 0m0.010s.
  const [, , children = ''] = report.split('\n');
  const times = [...children.matchAll(/(\d+)m([\d.,]+)s/g)];
  if (times.length !== 2) return {};
  const seconds = times.reduce((sum, [, minutes, rest = '']) => sum + 60 * Number(minutes) + Number(rest.replace(',', '.')), 0);
  return { cpuMs: Math.round(seconds * 1000) };
}
