/**
 * The limits of a run (memory, cpu, pids): by a cgroup where one can be made, else memory by a watchdog that
 * samples /proc; what can be held by neither is refused before anything starts.
 *
 * The kernel kills one process (version 1) or the whole cgroup (version 2) when memory runs out. Either way the limit was
 * the whole tree's, so the run ends with it.
 */
import { PrisnError, messageOf } from '../../src/base/error.ts';
import type { Limits, ProcessTask } from '../../src/model/task.ts';
import { Cgroup, type Controller, controllers, findPlace, type Place } from './cgroup.ts';
import { hasProc, readProc } from './proc.ts';
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

/** What holds the limits of one run. */
export interface Enforcement {
  /** Directories of the run's cgroup; none under the watchdog. */
  readonly cgroups: readonly string[];
  /** Spawns the program inside the limits. */
  readonly inside: <T>(start: () => T) => T;
  /** Calls `onExceeded`, once, when the tree has passed its limit of memory; ends with `release`. */
  readonly watch: (tree: Tree, onExceeded: () => void) => void;
  /** Whether the limit of memory was passed, also when the watch has not seen it yet. */
  readonly exceeded: () => boolean;
  /** Call when no member lives any more. */
  readonly release: () => void;
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
  return places.has('memory') || limits.memoryBytes === undefined ? byCgroup(cgroup) : byWatchdog(limits.memoryBytes, cgroup);
}

const fieldOf = { memory: 'memoryBytes', cpu: 'cpu', pids: 'pids' } as const satisfies Record<Controller, keyof Limits>;
/** A hog fills some 50 MB between two looks at this interval. */
const sampleMs = 25;

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

function byCgroup(cgroup: Cgroup | undefined): Enforcement {
  if (!cgroup) throw new TypeError('no cgroup for the limits');
  const exceeded = () => cgroup.oomKills() > 0;
  let timer: NodeJS.Timeout | undefined;
  return {
    cgroups: cgroup.directories,
    inside: (start) => cgroup.inside(start),
    watch: (_tree, onExceeded) => {
      timer = setInterval(() => exceeded() && onExceeded(), sampleMs);
    },
    exceeded,
    release: () => {
      clearInterval(timer);
      cgroup.remove();
    },
  };
}

function byWatchdog(limitBytes: number, cgroup: Cgroup | undefined): Enforcement {
  let timer: NodeJS.Timeout | undefined;
  let exceeded = false;
  let released = false;
  const look = (tree: Tree, onExceeded: () => void): void => {
    const startedAt = performance.now();
    exceeded ||= residentBytes(tree, limitBytes) > limitBytes;
    if (exceeded) onExceeded();
    // On a machine of thousands of processes a look takes long; it may have a tenth of the time.
    else if (!released) timer = setTimeout(look, Math.max(sampleMs, 9 * (performance.now() - startedAt)), tree, onExceeded);
  };
  return {
    cgroups: cgroup?.directories ?? [],
    inside: (start) => (cgroup ? cgroup.inside(start) : start()),
    watch: look,
    exceeded: () => exceeded,
    release: () => {
      released = true;
      clearTimeout(timer);
      cgroup?.remove();
    },
  };
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

/** getauxval(3): pairs of words, of which key 6 (AT_PAGESZ) is the size of a page. */
function pageBytes(): number {
  const auxv = Buffer.from(readProc('self/auxv'), 'latin1');
  for (let at = 0; at + 16 <= auxv.length; at += 16)
    if (auxv.readBigUInt64LE(at) === 6n) return Number(auxv.readBigUInt64LE(at + 8));
  return 4096;
}
