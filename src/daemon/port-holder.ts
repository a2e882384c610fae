/** Who listens on a TCP port of this machine, for the message that it is taken: proc(5). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const listening = '0A';

/** @returns such as `process 4711 (python3)`, or `a prisn server, process 4711`; undefined where it cannot be told, as for other users' processes */
export function portHolder(port: number): string | undefined {
  const inodes = new Set(['tcp', 'tcp6'].flatMap((table) => inodesOf(table, port)));
  if (inodes.size === 0) return undefined;
  for (const pid of names('/proc').filter((name) => /^\d+$/.test(name)))
    if (names(`/proc/${pid}/fd`).some((fd) => inodes.has(link(`/proc/${pid}/fd/${fd}`))))
      return isServer(pid) ? `a prisn server, process ${pid}` : `process ${pid} (${read(`/proc/${pid}/comm`).trim()})`;
  return undefined;
}

/** By its command line; its name is that of a thread of node's. */
function isServer(pid: string): boolean {
  const words = read(`/proc/${pid}/cmdline`).split('\0');
  return words.some((word, index) => /(?:^|\/)prisn\.(?:cjs|ts)$/.test(word) && words[index + 1] === 'server');
}

/** As links of descriptors name them. */
function inodesOf(table: string, port: number): string[] {
  return read(`/proc/net/${table}`)
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', , state]) => state === listening && Number.parseInt(local.split(':')[1] ?? '', 16) === port)
    .map((fields) => `socket:[${fields[9]}]`);
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
