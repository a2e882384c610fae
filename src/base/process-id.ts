/** One process for good, as a pid alone may by now be a stranger's. Small, as a foreground run loads it before its program starts. */
import { readFileSync } from 'node:fs';

export interface ProcessId {
  readonly pid: number;
  /** What tells it from a later process with the same pid: field 22 of /proc/PID/stat, proc(5); what ps says elsewhere. */
  readonly start: string;
  /** The boot's id; empty where there is none. */
  readonly boot: string;
}

/** @returns undefined when there is no such process */
export function processId(pid: number): ProcessId | undefined {
  const start = process.platform === 'linux' ? startInProc(pid) : startByPs(pid);
  return start === '' ? undefined : { pid, start, boot: bootId() };
}

/** Whether it is there, and is that one. */
export function isRunning({ pid, start, boot }: ProcessId): boolean {
  const now = processId(pid);
  return now?.start === start && now.boot === boot;
}

/** @returns the fields of /proc/PID/stat from the third on, proc(5); a single empty one when there is no such process, or no /proc */
export function statFields(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`);
  // The second, a name in parentheses, may hold anything, so fields are counted from its end.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Empty for a process that is gone, or dead and not reaped yet. */
function startInProc(pid: number): string {
  const fields = statFields(pid);
  return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '');
}

function startByPs(pid: number): string {
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  return spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
}

function bootId(): string {
  return read('/proc/sys/kernel/random/boot_id').trim();
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
