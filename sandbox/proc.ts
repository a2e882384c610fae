/** One process by /proc: proc(5). Small, as a foreground run loads it before its program starts. */
import { readFileSync } from 'node:fs';
import { type ProcessId as ProcessOfAnyBoot, statFields } from '../src/base/process-id.ts';

/** One process of this boot; `start` is empty without /proc. */
export type ProcessId = Omit<ProcessOfAnyBoot, 'boot'>;

/** By what the members of a run's tree are found: see `tree.ts`. */
export interface TreeSpec {
  readonly runId: string;
  readonly root: ProcessId;
  /** Whether the root leads a session of its own. */
  readonly leads: boolean;
  /** Who only holds the program, and ends with it or ends it by its own death (`tier.ts`): the root, or it and its child. */
  readonly holders?: 'root' | 'root and child';
  /** Directories of cgroups whose members belong to the run. */
  readonly cgroups: readonly string[];
}

export interface Status extends ProcessId {
  /** One letter: R, S, D, T (stopped), Z (zombie) … */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly isKernelThread: boolean;
  readonly rssPages: number;
}

export const hasProc = process.platform === 'linux';

/** PF_KTHREAD of the kernel's include/linux/sched.h. */
const kernelThread = 0x0020_0000;

/** The fields of /proc/PID/stat that matter here, or undefined when the process is gone. */
export function readStatus(pid: number): Status | undefined {
  const fields = statFields(pid);
  if (fields.length < 22) return undefined;
  return {
    pid,
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    isKernelThread: (Number(fields[6]) & kernelThread) !== 0,
    start: fields[19] ?? '',
    rssPages: Number(fields[21]),
  };
}

/** The text of a file of /proc (latin1), empty when it cannot be read. */
export function readProc(path: string): string {
  if (!hasProc) return '';
  try {
    return readFileSync(`/proc/${path}`, 'latin1');
  } catch {
    return '';
  }
}

/** Signals a process, or with a negative number a group; one that is gone, or that changed its user, is passed over. */
export function trySend(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {}
}

/** Between two looks at the memory of a process: a hog fills some 50 MB meanwhile. */
export const sampleMs = 25;

/** Resident memory of a process: /proc/PID/statm, second field. 0 where it cannot be read. */
export function residentBytes(pid: number | undefined): number {
  return pid === undefined ? 0 : Number(readProc(`${pid}/statm`).split(' ')[1] ?? 0) * pageBytes();
}

let pageSize: number | undefined;

/** Bytes of a page of memory. */
export function pageBytes(): number {
  pageSize ??= readPageSize();
  return pageSize;
}

/** getauxval(3): pairs of words, of which key 6 (AT_PAGESZ) is the size of a page. */
function readPageSize(): number {
  const auxv = Buffer.from(readProc('self/auxv'), 'latin1');
  for (let at = 0; at + 16 <= auxv.length; at += 16)
    if (auxv.readBigUInt64LE(at) === 6n) return Number(auxv.readBigUInt64LE(at + 8));
  return 4096;
}
