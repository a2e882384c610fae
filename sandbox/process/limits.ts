/**
 * The limits of a run (memory, cpu, pids): by a cgroup where one can be made, else memory by a watchdog that
 * samples /proc; what can be held by neither is refused before anything starts.
 *
 * The kernel kills one process (version 1) or the whole cgroup (version 2) when memory runs out. Either way the limit was
 * the whole tree's, so the run ends with it.
 */
import type { ChildProcess } from 'node:child_process';
import { PrisnError, messageOf } from '../../src/base/error.ts';
import type { Limits, ProcessTask } from '../../src/model/task.ts';
import { Cgroup, type Controller, controllers, findPlace, type Place } from './cgroup.ts';
import { hasProc, pageBytes, readProc, sampleMs } from '../proc.ts';
import type { Tree } from './tree.ts';

export interface LimitSupport {
  readonly memory: 'cgroup' | 'watchdog' | 'none';
  readonly cpu: boolean;
  readonly pids: boolean;
  /** For each limit that is not held exactly, why and how to get it. */
  readonly detail: string[];
}

/** What can be limited here, for `prisn doctor`. */
export function probeLimits(): LimitSupport {
  const places = controllers.map((controller) => [controller, findPlace(controller)] as const);
  const held = new Set(places.filter(([, place]) => typeof place !== 'string').map(([controller]) => controller));
  return {
    memory: held.has('memory') ? 'cgroup' : hasProc ? 'watchdog' : 'none',
    cpu: held.has('cpu'),
    pids: held.has('pids'),
    detail: places.flatMap(([controller, place]) => (typeof place === 'string' ? [`${controller}: ${place}`] : [])),
  };
}

/** What holds the limits of one run: the kernel by a cgroup, a watchdog for memory where there is none, or both. */
export class Enforcement {
  readonly #cgroup: Cgroup | undefined;
  /** What the watchdog allows the tree, bytes; undefined where the kernel holds the memory, or nobody asked. */
  readonly #watchedBytes: number | undefined;
  #seen = false;
  #peakBytes: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(cgroup: Cgroup | undefined, watchedBytes: number | undefined) {
    this.#cgroup = cgroup;
    this.#watchedBytes = watchedBytes;
  }

  /** Directories of the run's cgroup; none under the watchdog alone. */
  get cgroups(): readonly string[] {
    return this.#cgroup?.directories ?? [];
  }

  /** Whether the tree has passed its limit of memory, also when the watch has not seen it yet. */
  get exceeded(): boolean {
    return this.#seen || (this.#cgroup?.oomKills() ?? 0) > 0;
  }

  /** Spawns the program inside the limits. @throws PrisnError `unsupported`, and no program is left then */
  inside(start: () => ChildProcess): ChildProcess {
    return this.#cgroup ? this.#cgroup.inside(start) : start();
  }

  /** Makes them ready for a program that another process brings in: directories that it enters. @throws PrisnError `unsupported` */
  open(): readonly string[] {
    this.#cgroup?.open();
    return this.cgroups;
  }

  /** Calls `onExceeded`, once, when the tree has passed its limit of memory; ends with `release`. */
  watch(tree: Tree, onExceeded: () => void): void {
    const startedAt = performance.now();
    const watched = this.#watchedBytes;
    this.#seen = watched === undefined ? this.exceeded : residentBytes(tree, watched) > watched;
    if (this.#seen) return onExceeded();
    // On a machine of thousands of processes a look takes long; it may have a tenth of the time.
    const pause = Math.max(sampleMs, 9 * (performance.now() - startedAt));
    this.#timer = setTimeout(() => this.watch(tree, onExceeded), pause);
  }

  /** The most memory that the tree had at once, bytes: known once it is released, where a cgroup held it. */
  get peakBytes(): number | undefined {
    return this.#peakBytes;
  }

  /** Call when no member lives any more. */
  release(): void {
    clearTimeout(this.#timer);
    this.#peakBytes ??= this.#cgroup?.peakBytes();
    this.#cgroup?.remove();
  }
}

/**
 * Prepares what holds a task's limits, or returns undefined when it has none (the timeout is not held here).
 * @throws PrisnError `unsupported`, naming what is missing and how to get it
 */
export function enforce({ limits, runId }: ProcessTask): Enforcement | undefined {
  const asked = controllers.filter((controller) => limits[fieldOf[controller]] !== undefined);
  if (asked.length === 0) return undefined;
  const places = new Map<Controller, Place>();
  for (const controller of asked) {
    const place = findPlace(controller);
    if (typeof place !== 'string') places.set(controller, place);
    else if (controller !== 'memory' || !hasProc)
      throw new PrisnError('unsupported', `--${controller} cannot be enforced here: ${place}`);
  }
  const cgroup = places.size > 0 ? makeCgroup(places, limits, runId) : undefined;
  return new Enforcement(cgroup, places.has('memory') ? undefined : limits.memoryBytes);
}

const fieldOf = { memory: 'memoryBytes', cpu: 'cpu', pids: 'pids' } as const satisfies Record<Controller, keyof Limits>;

function makeCgroup(places: ReadonlyMap<Controller, Place>, limits: Limits, runId: string): Cgroup {
  try {
    return new Cgroup(places, limits, runId);
  } catch (error) {
    const names = [...places.keys()].map((name) => `--${name}`).join(', ');
    throw new PrisnError('unsupported', `${names} cannot be enforced here: no cgroup could be set up (${messageOf(error)})`, {
      cause: error,
    });
  }
}

/** Memory of the tree: what is resident, and once that is over the limit, with shared pages counted once (as forks share). */
function residentBytes(tree: Tree, limitBytes: number): number {
  const members = tree.scan();
  const resident = members.reduce((sum, { rssPages }) => sum + rssPages, 0) * pageBytes();
  return resident <= limitBytes ? resident : members.reduce((sum, { pid }) => sum + proportionalBytes(pid), 0);
}

/** proc(5), /proc/PID/smaps_rollup: shared pages are divided among those who map them. */
function proportionalBytes(pid: number): number {
  const fields = readProc(`${pid}/smaps_rollup`).matchAll(/^(?:Pss|SwapPss): +(\d+) kB$/gm);
  return [...fields].reduce((sum, [, kb]) => sum + Number(kb) * 1024, 0);
}
