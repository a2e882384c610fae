/**
 * The process tree of a run, and its end.
 *
 * A process belongs to a run when it descends from the run's root, is in a session or a group that a member leads,
 * carries the run's id in its environment, or is in the run's cgroup. Each of these alone can be shed: a double fork
 * loses the parent, `setsid` the group, `env -i` the id. Who sheds all of them at once escapes, unless a cgroup holds it.
 *
 * A process is (pid, start time), as a pid alone may by now be a stranger's. The end of a tree is: stop every member and
 * look again until a look finds nobody new (a stopped process cannot fork), then kill, then look whether all are gone.
 *
 * Zombies count as gone. As PID 1 of a container prisn becomes the parent of orphans, and Node reaps only its own
 * children: their zombies stay until the container ends; `docker run --init` reaps them.
 *
 * Without /proc (macOS) the tree is the group that the root leads, or the root alone where it leads none.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { hasProc, type ProcessId, readStatus, type Status, type TreeSpec, trySend } from '../proc.ts';

/** Looks in a row that must find nobody: one may miss a process that is just being forked. */
const quietLooks = 3;

/** How long SIGKILL may take, as in uninterruptible sleep, before the wait for it is given up. */
const goneMs = 2000;

export class Tree {
  readonly spec: TreeSpec;
  readonly #carriesId: RegExp;
  /** pid → start of those known to belong, of those known not to, and of the sessions and groups that members lead. */
  readonly #members = new Map<number, string>();
  readonly #strangers = new Map<number, string>();
  readonly #led = new Map<number, string>();
  /** Nobody older than the root belongs to it. */
  readonly #since: number;
  /** Whether the last look met a process that may belong and does not show its environment. */
  #isUnsure = false;

  constructor(spec: TreeSpec) {
    this.spec = spec;
    this.#carriesId = new RegExp(`(?:^|\0)PRISN_RUN_(?:ID|PARENTS)=(?:[^\0]*,)?${RegExp.escape(spec.runId)}(?:,|\0|$)`);
    this.#since = Number(spec.root.start);
    this.#members.set(spec.root.pid, spec.root.start);
    if (spec.leads) this.#led.set(spec.root.pid, spec.root.start);
  }

  /** The living members, as they are now. */
  scan(): Status[] {
    const table = readTable(this.#since);
    this.#isUnsure = table === undefined;
    if (!table) return [];
    const held = new Set(this.spec.cgroups.flatMap(readMembers));
    this.#forget(table);
    for (let grown = true; grown; ) {
      grown = false;
      for (const status of table.values()) {
        if (this.#members.has(status.pid) || !(held.has(status.pid) || this.#belongs(status))) continue;
        this.#members.set(status.pid, status.start);
        grown = true;
      }
      for (const { pid, start, session, group } of table.values()) {
        if ((session === pid || group === pid) && this.#members.has(pid)) this.#led.set(pid, start);
      }
    }
    return [...table.values()].filter(({ pid, state }) => this.#members.has(pid) && state !== 'Z' && state !== 'X');
  }

  /** Sends each member the signals, in order, but to those that only hold the program. @returns whether there was any */
  signal(...signals: NodeJS.Signals[]): boolean {
    if (!hasProc) {
      signalWithoutProc(this.spec, signals);
      return true;
    }
    const { holders, root } = this.spec;
    const holds = ({ pid, parent }: Status): boolean =>
      (holders !== undefined && pid === root.pid) || (holders === 'root and child' && parent === root.pid);
    const members = this.scan().filter((member) => !holds(member));
    for (const member of members) send(member, signals);
    return members.length > 0;
  }

  /** Ends what the root left behind when it exited: where one look finds nobody, and can tell, there is nobody. */
  async clear(): Promise<void> {
    if (!hasProc || this.scan().length > 0 || this.#isUnsure) await this.kill();
  }

  /** Ends every member; resolves when all are gone, at the latest after two seconds. */
  async kill(): Promise<void> {
    if (!hasProc) return signalWithoutProc(this.spec, ['SIGKILL']);
    const deadline = Date.now() + goneMs;
    for (let quiet = 0; quiet < quietLooks && Date.now() < deadline; ) {
      quiet = this.#freeze(deadline) ? 0 : quiet + 1;
      for (const member of this.scan()) send(member, ['SIGKILL']);
      this.#signalGroups('SIGKILL');
      if (quiet < quietLooks) await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** @returns whether there was anyone */
  #freeze(deadline: number): boolean {
    const frozen = new Set<number>();
    while (Date.now() < deadline) {
      const fresh = this.scan().filter(({ pid }) => !frozen.has(pid));
      if (fresh.length === 0) break;
      this.#signalGroups('SIGSTOP');
      for (const member of fresh) {
        send(member, ['SIGSTOP']);
        frozen.add(member.pid);
      }
    }
    return frozen.size > 0;
  }

  /** The kernel signals a group in one go: who forks and leaves all the time slips by a signal to his pid, not by this. */
  #signalGroups(signal: NodeJS.Signals): void {
    for (const group of this.#led.keys()) trySend(-group, signal);
  }

  /** Drops who is gone or whose pid came back as another process; a session outlives its leader while it has members. */
  #forget(table: ReadonlyMap<number, Status>): void {
    const inUse = new Set([...table.values()].flatMap(({ session, group }) => [session, group]));
    const reused = (pid: number, start: string) => table.has(pid) && table.get(pid)?.start !== start;
    for (const [pid, start] of this.#led) if (!inUse.has(pid) || reused(pid, start)) this.#led.delete(pid);
    for (const known of [this.#members, this.#strangers]) {
      for (const [pid, start] of known) if (table.get(pid)?.start !== start) known.delete(pid);
    }
  }

  #belongs({ pid, start, state, parent, group, session }: Status): boolean {
    if (this.#members.has(parent) || this.#led.has(session) || this.#led.has(group)) return true;
    if (this.#strangers.has(pid)) return false;
    const environment = readEnvironment(pid);
    if (environment === undefined) return false;
    if (this.#carriesId.test(environment)) return true;
    // An empty one says nothing: it also shows for an instant within exec.
    if (environment === '') this.#isUnsure ||= state !== 'Z';
    else this.#strangers.set(pid, start);
    return false;
  }
}

/** Never ourselves, nor who is older than `since`, in the unit of `start`. @returns undefined when no descriptor is left */
function readTable(since: number): Map<number, Status> | undefined {
  const table = new Map<number, Status>();
  const names = readNames('/proc');
  if (names.length === 0) return undefined;
  for (const name of names) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const status = readStatus(pid);
    if (status && !status.isKernelThread && Number(status.start) >= since) table.set(pid, status);
  }
  return table;
}

function readNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** @returns undefined for a process that is gone, or another user's */
function readEnvironment(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return undefined;
  }
}

function readMembers(cgroup: string): number[] {
  try {
    return readFileSync(`${cgroup}/cgroup.procs`, 'latin1').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function send({ pid, start }: ProcessId, signals: readonly NodeJS.Signals[]): void {
  if (readStatus(pid)?.start !== start) return;
  for (const signal of signals) trySend(pid, signal);
}

function signalWithoutProc({ root, leads }: TreeSpec, signals: readonly NodeJS.Signals[]): void {
  for (const signal of signals) trySend(leads ? -root.pid : root.pid, signal);
}
