/** What a process and all below it use: CPU and memory, by proc(5). Nothing is known without /proc. */
import { readdirSync, readFileSync } from 'node:fs';
import { statFields } from '../base/process-id.ts';

/** proc(5): USER_HZ, the same on all architectures that Node runs on. */
const msPerTick = 10;

export interface TreeMemory {
  readonly bytes: number;
  readonly processes: number;
  /** Whether pages that processes share are counted once (PSS); else `bytes` is the sum of what each has resident. */
  readonly isShared: boolean;
}

/**
 * CPU time since each process began, ms, with that of children that ended and were waited for: it only grows, but for what is
 * reaped by a stranger.
 */
export function treeCpuMs(root: number): number {
  // Fields 14 to 17, of which `statFields` has no first two.
  return membersOf(root).reduce((sum, { fields }) => sum + ticks(fields.slice(11, 15)) * msPerTick, 0);
}

/** CPU time of the children of a process that have ended and were waited for, ms; they and what they have waited for. */
export function childrenCpuMs(pid: number): number {
  // Fields 16 and 17.
  return ticks(statFields(pid).slice(13, 15)) * msPerTick;
}

/** @param own false leaves the root out. @returns undefined where nothing is there, or nothing is known */
export function treeMemory(root: number, own = true): TreeMemory | undefined {
  const members = membersOf(root).filter(({ pid }) => own || pid !== root);
  if (members.length === 0) return undefined;
  const shares = members.map(({ pid }) => kilobytes(pid, 'smaps_rollup', 'Pss'));
  const isShared = shares.some((share) => share !== undefined);
  // Of one that cannot be traced, as a fork server, only root knows the share.
  const sizes = members.map(({ pid }, index) => shares[index] ?? kilobytes(pid, 'status', 'VmRSS'));
  return { bytes: sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0) * 1024, processes: members.length, isShared };
}

interface Member {
  readonly pid: number;
  readonly fields: readonly string[];
}

function membersOf(root: number): Member[] {
  const children = new Map<number, Member[]>();
  for (const member of allProcesses()) {
    const parent = Number(member.fields[1]);
    const siblings = children.get(parent);
    if (siblings) siblings.push(member);
    else children.set(parent, [member]);
  }
  const members: Member[] = [{ pid: root, fields: statFields(root) }];
  for (const { pid } of members) members.push(...(children.get(pid) ?? []));
  return members.filter(({ fields }) => fields.length > 20);
}

function allProcesses(): Member[] {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.map((pid) => ({ pid: Number(pid), fields: statFields(Number(pid)) }));
  } catch {
    return [];
  }
}

function ticks(fields: readonly string[]): number {
  return fields.reduce((sum, field) => sum + Number(field), 0);
}

function kilobytes(pid: number, file: string, name: string): number | undefined {
  try {
    const size = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'latin1'))?.[1];
    return size === undefined ? undefined : Number(size);
  } catch {
    return undefined;
  }
}
