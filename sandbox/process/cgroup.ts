/**
 * Cgroups, version 1 and 2: where one can be made here, and one made for a run.
 *
 * Version 1 has a hierarchy for each controller, and a run's directory is made inside our own. In version 2 a group that
 * holds processes cannot hand controllers on, so the run's directory is made in the nearest group above us that
 * is writable and has them switched on for its children (`cgroup.subtree_control`), as systemd does for what it delegates.
 *
 * The program is born in the cgroup: our main thread joins it, spawns, and goes back, all in one tick. A shell that joins
 * and then execs would lose variables whose names are no identifiers, and report a failed exec as an exit code.
 *
 * cgroups(7), Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst of Linux.
 */
import type { ChildProcess } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { messageOf, PrisnError } from '../../src/base/error.ts';
import type { Limits } from '../../src/model/task.ts';
import { readProc } from '../proc.ts';

export const controllers = ['memory', 'cpu', 'pids'] as const;
export type Controller = (typeof controllers)[number];

/** A place where a directory for a run can be made. */
export interface Place {
  readonly version: 1 | 2;
  /** The directory that takes the new one. */
  readonly parent: string;
  /** The file that takes us back to where we belong. */
  readonly home: string;
  /** Controllers that have to be switched on first (the root of version 2). */
  readonly enable: boolean;
}

const cpuPeriodUs = 100_000;

/** Where a run's directory with this controller can be made, or in words why nowhere. */
export function findPlace(controller: Controller): Place | string {
  if (process.platform !== 'linux') return 'cgroups exist on Linux only';
  const mounts = readMounts();
  const own = readProc('self/cgroup')
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line));
  const v1 = mounts.find((mount) => mount.type === 'cgroup' && mount.options.includes(controller));
  const v2 = mounts.find((mount) => mount.type === 'cgroup2');
  const mount = v1 ?? v2;
  if (!mount) return 'no cgroup file system is mounted; mount one on /sys/fs/cgroup';
  const path = own.find((match) => (v1 ? match?.[1]?.split(',').includes(controller) : match?.[1] === ''))?.[2];
  const home = path === undefined ? undefined : directoryOf(mount, path);
  if (home === undefined)
    return `our own cgroup ${path ?? ''} does not show below ${mount.point}; start the container with --cgroupns=private`;
  return v1 ? placeInVersion1(controller, home) : placeInVersion2(controller, mount.point, home);
}

function placeInVersion1(controller: Controller, home: string): Place | string {
  if (!writable(home, `${home}/tasks`))
    return `the ${controller} cgroup ${home} is not writable; run as root, or have it handed to your user`;
  return { version: 1, parent: home, home: `${home}/tasks`, enable: false };
}

function placeInVersion2(controller: Controller, top: string, home: string): Place | string {
  const has = (file: string) => readText(file).trim().split(/\s+/).includes(controller);
  if (!has(`${top}/cgroup.controllers`)) return `the kernel or the container offers no ${controller} controller in ${top}`;
  const homeFile = `${home}/cgroup.procs`;
  for (let parent = home; parent.startsWith(top); parent = parent.slice(0, parent.lastIndexOf('/'))) {
    if (!writable(parent, `${parent}/cgroup.procs`, homeFile)) continue;
    if (has(`${parent}/cgroup.subtree_control`)) return { version: 2, parent, home: homeFile, enable: false };
    // Only the real root, which has no type, may hold processes and hand controllers on at once.
    const isRoot = !existsSync(`${parent}/cgroup.type`);
    if (isRoot) return { version: 2, parent, home: homeFile, enable: true };
  }
  return `no writable cgroup above ${home} hands the ${controller} controller on; start prisn by: systemd-run --user --scope -p Delegate=yes prisn …`;
}

/** The cgroup of one run: its directory, or in version 1 one for each controller in use. */
export class Cgroup {
  readonly directories: readonly string[];
  readonly #places: ReadonlyMap<Controller, Place>;
  readonly #limits: Limits;
  readonly #name: string;

  /** Makes the directories and writes the limits. */
  constructor(places: ReadonlyMap<Controller, Place>, limits: Limits, runId: string) {
    this.#places = places;
    this.#limits = limits;
    this.#name = nameOf(runId);
    const homes = [...places.values()];
    this.directories = [...new Set(homes.map(({ parent }) => `${parent}/${this.#name}`))];
    try {
      for (const [controller, { parent, enable }] of places)
        if (enable) writeFileSync(`${parent}/cgroup.subtree_control`, `+${controller}`);
      for (const directory of this.directories) mkdirSync(directory);
      this.#limitMemory();
      this.#limitCpu();
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /**
   * Has `start` spawn a child in here: this thread joins, spawns and leaves in one go.
   * @throws PrisnError `unsupported` when the kernel refuses a step; the child is killed then. What `start` throws.
   */
  inside(start: () => ChildProcess): ChildProcess {
    const homes = new Map([...this.#places.values()].map((place) => [`${place.parent}/${this.#name}`, place]));
    const leave = (): void => {
      for (const { home } of homes.values()) writeFileSync(home, String(process.pid));
    };
    this.#step(() => {
      for (const [directory, { version }] of homes)
        writeFileSync(`${directory}/${version === 1 ? 'tasks' : 'cgroup.procs'}`, String(process.pid));
    });
    let child: ChildProcess | undefined;
    try {
      child = start();
    } finally {
      this.#step(leave, child);
    }
    // Only now, as our own threads would count.
    this.#step(() => this.#limitPids(), child);
    return child;
  }

  /** For a program that another process brings in. @throws PrisnError `unsupported` when the kernel refuses */
  open(): void {
    this.#step(() => this.#limitPids());
  }

  #step(write: () => void, child?: ChildProcess): void {
    try {
      write();
    } catch (error) {
      child?.kill('SIGKILL');
      throw new PrisnError('unsupported', `the limits cannot be enforced here: ${messageOf(error)}`, { cause: error });
    }
  }

  /** How often the kernel killed a member for want of memory. */
  oomKills(): number {
    const place = this.#places.get('memory');
    if (!place) return 0;
    const file = place.version === 1 ? 'memory.oom_control' : 'memory.events';
    return Number(/^oom_kill (\d+)$/m.exec(readText(`${place.parent}/${this.#name}/${file}`))?.[1] ?? 0);
  }

  /** The most memory that its members had at once, bytes; undefined where no limit of memory is held, or the kernel does not say. */
  peakBytes(): number | undefined {
    const place = this.#places.get('memory');
    if (!place) return undefined;
    // Since Linux 5.19 in version 2.
    const file = place.version === 1 ? 'memory.max_usage_in_bytes' : 'memory.peak';
    return Number.parseInt(readText(`${place.parent}/${this.#name}/${file}`), 10) || undefined;
  }

  /** Removes the directories, which must have no living member. */
  remove(): void {
    removeCgroups(this.directories);
  }

  #limitMemory(): void {
    const bytes = this.#limits.memoryBytes;
    if (bytes === undefined) return;
    if (this.#versionOf('memory') === 1) {
      this.#write('memory', 'memory.limit_in_bytes', bytes);
      // Without accounting of swap, at least do not swap.
      if (this.#has('memory', 'memory.memsw.limit_in_bytes')) this.#write('memory', 'memory.memsw.limit_in_bytes', bytes);
      else this.#write('memory', 'memory.swappiness', 0);
    } else {
      this.#write('memory', 'memory.max', bytes);
      this.#write('memory', 'memory.oom.group', 1);
      if (this.#has('memory', 'memory.swap.max')) this.#write('memory', 'memory.swap.max', 0);
    }
  }

  #limitCpu(): void {
    const { cpu } = this.#limits;
    if (cpu === undefined) return;
    // The kernel's least quota is 1 ms.
    const quotaUs = Math.max(1000, Math.round(cpu * cpuPeriodUs));
    if (this.#versionOf('cpu') === 1) {
      this.#write('cpu', 'cpu.cfs_period_us', cpuPeriodUs);
      this.#write('cpu', 'cpu.cfs_quota_us', quotaUs);
    } else this.#write('cpu', 'cpu.max', `${quotaUs} ${cpuPeriodUs}`);
  }

  #limitPids(): void {
    if (this.#limits.pids !== undefined) this.#write('pids', 'pids.max', this.#limits.pids);
  }

  #versionOf(controller: Controller): 1 | 2 | undefined {
    return this.#places.get(controller)?.version;
  }

  #has(controller: Controller, file: string): boolean {
    return existsSync(this.#path(controller, file));
  }

  #write(controller: Controller, file: string, value: number | string): void {
    writeFileSync(this.#path(controller, file), String(value));
  }

  #path(controller: Controller, file: string): string {
    return `${this.#places.get(controller)?.parent}/${this.#name}/${file}`;
  }
}

function nameOf(runId: string): string {
  return `prisn-${runId}`;
}

/** Directories of the cgroups that a run has here, also one of an earlier process of ours. */
export function cgroupsOf(runId: string): string[] {
  const parents = controllers.map(findPlace).flatMap((place) => (typeof place === 'string' ? [] : [place.parent]));
  return [...new Set(parents)].map((parent) => `${parent}/${nameOf(runId)}`).filter((path) => existsSync(path));
}

/** Removes directories of cgroups; one that still has a living member stays. */
export function removeCgroups(directories: readonly string[]): void {
  for (const directory of directories) {
    try {
      rmdirSync(directory);
    } catch {}
  }
}

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** proc(5), /proc/PID/mountinfo: id parent device root point options … - type source options */
function readMounts(): Mount[] {
  return readProc('self/mountinfo')
    .split('\n')
    .map((line) => {
      const [, , , root = '', point = ''] = line.split(' ');
      const [type = '', , options = ''] = line.slice(line.indexOf(' - ') + 3).split(' ');
      return { root, point, type, options: options.split(',') };
    })
    .filter(({ type }) => type.startsWith('cgroup'));
}

/** The directory of a cgroup as it shows in a mount, or undefined where the mount does not reach it. */
function directoryOf({ root, point }: Mount, path: string): string | undefined {
  const base = root === '/' ? '' : root;
  if (path.includes('/..') || !(path === root || path.startsWith(`${base}/`))) return undefined;
  const directory = `${point}${path.slice(base.length)}`.replace(/\/$/, '');
  return existsSync(directory) ? directory : undefined;
}

function writable(...paths: string[]): boolean {
  try {
    for (const path of paths) accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
