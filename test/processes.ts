/** Looks at processes by the kernel's own tables, proc(5). Where there is no /proc there seem to be none. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const hasProc = existsSync('/proc/self/stat');

/** Options of a test that looks at processes. */
export const needsProc: { skip: string | false } = { skip: !hasProc && 'no /proc' };

/** Empty for a process that is gone, or another user's. */
export function readProc(pid: number, name: string): string {
  try {
    return readFileSync(join('/proc', String(pid), name), 'latin1');
  } catch {
    return '';
  }
}

/** Fields of `stat` after the command's name, which may hold anything: state, parent, group, session … */
function statOf(pid: number): string[] {
  const stat = readProc(pid, 'stat');
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** The letter of proc(5), or '' when there is no such process. */
export function stateOf(pid: number): string {
  return statOf(pid)[0] ?? '';
}

export function isAlive(pid: number): boolean {
  return !['', 'Z', 'X'].includes(stateOf(pid));
}

function pids(): number[] {
  return hasProc ? readdirSync('/proc').map(Number).filter(Number.isInteger) : [];
}

/** Children of a process, dead ones that were not reaped included. */
export function childrenOf(parent: number): { pid: number; command: string }[] {
  return pids()
    .filter((pid) => Number(statOf(pid)[1]) === parent)
    .map((pid) => ({ pid, command: commandOf(pid) }));
}

/** All processes below one, with it. */
export function treeOf(root: number): number[] {
  const parents = new Map(pids().map((pid) => [pid, Number(statOf(pid)[1])]));
  const tree = new Set([root]);
  for (let before = 0; before < tree.size; ) {
    before = tree.size;
    for (const [pid, parent] of parents) if (tree.has(parent)) tree.add(pid);
  }
  return [...tree];
}

/** Its share of the memory that it and others have, bytes: `Pss` of proc(5), /proc/PID/smaps_rollup. 0 for one that is gone. */
export function pssOf(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(readProc(pid, 'smaps_rollup'))?.[1] ?? 0) * 1024;
}

/** How many descriptors it has open. */
export function descriptorsOf(pid: number): number {
  try {
    return readdirSync(join('/proc', String(pid), 'fd')).length;
  } catch {
    return 0;
  }
}

export function commandOf(pid: number): string {
  return readProc(pid, 'cmdline').replaceAll('\0', ' ').trim();
}

/** Living processes that have this variable with this value in their environment. */
export function carriersOf(name: string, value: string): number[] {
  return pids().filter((pid) => isAlive(pid) && readProc(pid, 'environ').split('\0').includes(`${name}=${value}`));
}

/** Living processes of a session, setsid(2). */
export function membersOf(session: number): number[] {
  return pids().filter((pid) => isAlive(pid) && Number(statOf(pid)[3]) === session);
}

/** Polls for what no event announces. @throws when it is not so in time */
export async function until(what: string, condition: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  for (const deadline = performance.now() + withinMs; !(await condition()); await delay(5)) {
    if (performance.now() > deadline) throw new Error(`waited in vain for: ${what}`);
  }
}
