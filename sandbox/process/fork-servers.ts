/**
 * The fork servers of the daemon: a group a kind of runs (`fork-group.ts`), which is its way, trust domain, interpreter and
 * the variables that act before a program does. A run could kill or trace its server, and what one server forks shares
 * its start and its hash seed.
 *
 * A run never waits for a server: where none can take it at this moment it is told why, and is spawned. Behind it a server
 * is started: for the foreground at once, as somebody sits there and will come again; for recorded runs with the second
 * one in five minutes, as a server costs as much as a spawn, and some 10 MB. What ran often is started with the daemon.
 *
 * Their number is bounded: one that has been idle for a while gives way to another kind. Idle ones end after a time, and
 * sooner, the longest idle first, when all together have too much memory or the machine is short of it.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { ForkKind, ForkRequest } from '../../src/model/fork.ts';
import { readProc, residentBytes } from '../proc.ts';
import { ForkGroup, type Habits, type Member } from './fork-group.ts';
import type { ForkServer } from './fork-server.ts';
import { chainOf, type Tier } from './tier.ts';

export interface ForkServersOptions {
  /** Absolute path of the program by which an interpreter becomes a server. */
  readonly script: string;
  /** The variables of an environment that act before a program does, or why no fork can stand for a start with them. */
  readonly keyOf: (env: ForkRequest['env']) => { readonly env: ForkRequest['env'] } | { readonly why: string };
  readonly habits: Habits;
  /** What stands around recorded runs. */
  readonly tier: () => Tier;
  /** How many at once; 0 for none. */
  readonly maxServers: number;
  readonly idleMs: number;
  /** Of all together. */
  readonly maxBytes: number;
  /** With less memory left on the machine idle ones end and none starts; without, a sixteenth of it. */
  readonly leastAvailableBytes?: number;
  /** When a successor takes the place of one: 10,000 runs, an hour. */
  readonly maxRuns?: number;
  readonly maxAgeMs?: number;
  readonly log: (fields: object, message: string) => void;
}

export interface ForkStats {
  readonly servers: number;
  readonly runs: number;
  /** Since the start: runs that went to a server, runs that did not, and servers that were lost. */
  readonly forked: number;
  readonly declined: number;
  readonly lost: number;
}

type Declined = { readonly why: string };

/** A second run within this time is what a server is started for. */
const secondWithinMs = 5 * 60_000;
/** One that has been idle for so long gives way to another kind. */
const yieldsMs = 10_000;
const startedAhead = 2;
const mostGroups = 256;
/** Between two looks at what is idle and how much memory there is. */
const lookMs = 5000;

export class ForkServers {
  readonly #options: ForkServersOptions;
  readonly #groups = new Map<string, ForkGroup>();
  readonly #leastAvailable: number;
  #looking: NodeJS.Timeout | undefined;
  #forked = 0;
  #declined = 0;
  /** By groups that are forgotten. */
  #lost = 0;
  #isClosed = false;

  constructor(options: ForkServersOptions) {
    this.#options = options;
    this.#leastAvailable = options.leastAvailableBytes ?? totalmem() / 16;
  }

  /** Starts servers for what ran often. */
  startAhead(): void {
    if (this.#options.maxServers === 0) return;
    for (const kind of this.#options.habits.frequent().slice(0, startedAhead)) this.#groupOf(kind).start();
  }

  /** For a program in the foreground, whose caller goes to the server itself; or why there is none. */
  ticket(request: ForkRequest): { readonly socket: string; readonly ticket: string } | Declined {
    const found = this.#count(this.#find('foreground', request));
    if ('why' in found) return found;
    const ticket = randomBytes(16).toString('hex');
    found.server.expect(ticket);
    return { socket: found.server.socket, ticket };
  }

  /** A server for a recorded run, to be used in this tick; or why there is none. */
  serverFor(request: ForkRequest): { readonly server: ForkServer } | Declined {
    return this.#count(this.#find('recorded', request));
  }

  stats(): ForkStats {
    const groups = [...this.#groups.values()];
    const servers = groups.flatMap(({ members }) => members.map(({ server }) => server));
    return {
      servers: servers.length,
      runs: servers.reduce((sum, { runs }) => sum + runs, 0),
      forked: this.#forked,
      declined: this.#declined,
      lost: groups.reduce((sum, { lost }) => sum + lost, this.#lost),
    };
  }

  /** Ends all, with what they run. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#looking);
    this.#options.habits.save();
    await Promise.all(this.#members().map(({ server }) => server.close()));
  }

  #count<T extends object>(found: T): T {
    if ('why' in found) this.#declined++;
    else this.#forked++;
    return found;
  }

  #find(way: ForkKind['way'], request: ForkRequest): { readonly server: ForkServer } | Declined {
    const { maxServers, keyOf, habits } = this.#options;
    if (maxServers === 0) return { why: 'fork servers are switched off (fork_servers is 0)' };
    const key = keyOf(request.env);
    if ('why' in key) return key;
    const { domain, interpreter } = request;
    const group = this.#groupOf({ way, domain, interpreter, env: key.env });
    const lastAskedAt = group.askedAt;
    group.askedAt = performance.now();
    habits.asked(group.kind);
    const chosen = group.choose();
    if (typeof chosen !== 'string') return { server: chosen };
    if (group.isGettingReady) return { why: chosen };
    if (way === 'recorded' && group.askedAt - lastAskedAt > secondWithinMs)
      return { why: `${chosen}, as it is the first of its kind in a while` };
    return { why: group.start() ?? `${chosen}; one is started for the next` };
  }

  #groupOf(kind: ForkKind): ForkGroup {
    const { way, domain, interpreter, env } = kind;
    const id = JSON.stringify([way, domain, interpreter, stampOf(interpreter), env]);
    const known = this.#groups.get(id);
    if (known) return known;
    if (this.#groups.size >= mostGroups) this.#forget();
    const { script, habits, maxBytes, maxRuns = 10_000, maxAgeMs = 3_600_000, tier, log } = this.#options;
    // A recorded run can gain no privileges and ends with the daemon; in the foreground it is as its caller is.
    const before = way === 'recorded' ? chainOf({ ...tier(), pidNamespace: false }, env).command : [];
    const startsAnother = isScript(interpreter);
    const group: ForkGroup = new ForkGroup(kind, {
      command: [...before, interpreter, script],
      habits,
      maxBytes: maxBytes / 2,
      maxRuns,
      maxAgeMs,
      refusal: () => (startsAnother ? 'its interpreter is a script, which may set variables' : this.#refusal(group)),
      log: (message) => log({ interpreter, domain }, message),
    });
    this.#groups.set(id, group);
    this.#looking ??= setInterval(() => this.#look(), Math.min(lookMs, this.#options.idleMs)).unref();
    return group;
  }

  /** Drops those that nobody asked for lately. */
  #forget(): void {
    const since = performance.now() - secondWithinMs;
    for (const [id, { members, askedAt, lost }] of this.#groups) {
      if (members.length > 0 || (askedAt > since && this.#groups.size < mostGroups)) continue;
      this.#groups.delete(id);
      this.#lost += lost;
    }
  }

  /** @returns why no server of this group may be started */
  #refusal(group: ForkGroup): string | undefined {
    if (this.#isClosed) return 'the daemon stops';
    const { maxServers } = this.#options;
    // A successor takes the place of one that leaves.
    if (group.members.length === 0 && this.#members().length >= maxServers && !this.#yield())
      return `all ${maxServers} fork servers are in use (fork_servers)`;
    return this.#trim() > 0 ? 'there is no memory for another fork server (fork_memory)' : undefined;
  }

  /** Ends the one that has been idle for the longest. @returns whether there was one */
  #yield(): boolean {
    const [first] = this.#idle(yieldsMs);
    void first?.server.close();
    return first !== undefined;
  }

  #look(): void {
    for (const { server } of this.#idle(this.#options.idleMs)) void server.close();
    this.#trim();
  }

  /** Ends idle ones until there is memory enough. @returns how many bytes are missing then */
  #trim(): number {
    const used = this.#members().reduce((sum, { server }) => sum + residentBytes(server.pid), 0);
    let missing = Math.max(used - this.#options.maxBytes, this.#leastAvailable - availableBytes());
    for (const { server } of this.#idle(0)) {
      if (missing <= 0) break;
      missing -= residentBytes(server.pid);
      void server.close();
    }
    return missing;
  }

  /** Those without a run for so long, the longest first. */
  #idle(ms: number): Member[] {
    const since = performance.now() - ms;
    return this.#members()
      .filter(({ server, hasJoined, idleSince }) => hasJoined && !server.isLeaving && server.runs === 0 && idleSince <= since)
      .toSorted((one, other) => one.idleSince - other.idleSince);
  }

  #members(): Member[] {
    return [...this.#groups.values()].flatMap(({ members }) => members);
  }
}

/** An interpreter that is replaced is another one. */
function stampOf(interpreter: string): string {
  try {
    const { mtimeMs, ino, size } = statSync(interpreter);
    return `${mtimeMs}:${ino}:${size}`;
  } catch {
    return '';
  }
}

/** Whether the kernel starts another program for it; of one that cannot be read nobody knows. */
function isScript(path: string): boolean {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const bytes = Buffer.alloc(2);
    readSync(fd, bytes, 0, 2, 0);
    return bytes.toString('latin1') === '#!';
  } catch {
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Without /proc there is always enough. */
function availableBytes(): number {
  const kb = /^MemAvailable: +(\d+) kB$/m.exec(readProc('meminfo'))?.[1];
  return kb === undefined ? Number.POSITIVE_INFINITY : Number(kb) * 1024;
}
