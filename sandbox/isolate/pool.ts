/**
 * Programs in isolates that live in child processes, the isolate hosts, seen from the one who starts them.
 *
 * Each trust domain has a host of its own, started when it first needs one, and one host more is kept ready for the next
 * domain, or for one that lost its own. A task is watched by this process's own clock; a host that a program crashes, fills
 * or keeps busy for ever is replaced (`host-process.ts`), as is one that has had its share of programs.
 *
 * Hosts that run nothing are kept for a while, and no more than some of them: the one that has been idle longest leaves
 * first, one that runs something never. One that has grown leaves within seconds, and the spare one is as good as it: V8
 * keeps the memory of isolates that ended for others of their process (50 MB after some hundred programs), and gives it up in
 * no other way that costs nothing while there is work. When the last domain has lost its host, the spare one goes too, until
 * somebody comes again.
 *
 * Where a host is lost and it cannot be told through which of its programs, those are suspects: the next time that one of
 * them is started, it runs with no other beside it (`quarantine.ts`), so that it is known then.
 */
import { QuietWatch } from '../../src/base/give-back.ts';
import type { FunctionHead, IsolateTask } from '../../src/model/task.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { Running, Sink } from '../sandbox.ts';
import { interrupted, refusedLimits } from './endings.ts';
import { IsolateHost } from './host-process.ts';
import { nameOf } from './hosted.ts';
import { Quarantine } from './quarantine.ts';

export interface IsolatePoolOptions {
  /** Threads of a host. */
  readonly threads: number;
  /** A host is killed when it has more than this resident, bytes: V8's heap limit does not count WebAssembly memory. */
  readonly maxHostBytes: number;
  /** The same for the hosts of these domains. */
  readonly maxDomainBytes?: Readonly<Record<string, number>>;
  /** What the hosts have as their environment: TZ, LANG. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether a host is kept ready for the next domain. */
  readonly spare?: boolean;
  /** Hosts that are kept though they run nothing, the spare one aside; 8 by default. */
  readonly maxIdleHosts?: number;
  /** A host that runs nothing for so long leaves; four minutes by default. */
  readonly idleMs?: number;
  /** A host that has grown leaves when it has run nothing for so long; 2.4 seconds by default. */
  readonly quietMs?: number;
  /** Output of a program that is not paced is dropped beyond this, bytes a stream; 10 MB by default. */
  readonly maxOutputBytes?: number;
}

/** Where a program's output goes, and what else it tells. A chunk is valid only during the call. */
export interface IsolateSink extends Sink {
  /** Nobody has seen stdout and stderr before the end, though the program is paced: they are no effect of it yet. */
  readonly keepsOutput?: boolean;
  /** Of a program that answers a request: once, before any `body`. */
  readonly head?: (head: FunctionHead) => void;
  /** A piece of the response; an empty one is its end, after which the program may go on. */
  readonly body?: (chunk: Uint8Array) => void;
  /** The program reads its standard input: `input` answers. */
  readonly inputWanted?: () => void;
}

export interface IsolateRunning extends Running {
  /** So many bytes of the output of a paced program have left: stdout, stderr and body together. */
  readonly taken: (bytes: number) => void;
  /** Answers `inputWanted` with all of standard input; undefined when there is none. */
  readonly input: (text: string | undefined) => void;
}

export interface PoolStats {
  readonly hosts: number;
  readonly threads: number;
  readonly running: number;
  /** Hosts that were lost to a program since the pool began. */
  readonly restarts: number;
}

/** With what a look comes too late, all are gone after five quiet minutes. */
const defaultIdleMs = 4 * 60_000;
const defaultIdleHosts = 8;
/** Between two looks for hosts that have been idle for too long: a part of that time. */
const looksPerIdle = 8;

const defaultQuietMs = 2400;
/** A host has grown when it has so much more than the spare one. */
const grownBytes = 32 * 2 ** 20;

/** A new spare host starts a little after the last was taken, so as not to compete with what that is for. */
const refillMs = 250;

/** Suspects that are remembered; the oldest are let go. */
const maxSuspects = 1000;

export class IsolatePool {
  readonly #options: IsolatePoolOptions;
  /** All there are. */
  readonly #hosts = new Set<IsolateHost>();
  readonly #domains = new Map<string, IsolateHost>();
  readonly #quarantines = new Map<string, Quarantine>();
  readonly #suspects = new Set<string>();
  readonly #quiet: QuietWatch;
  #spare: { readonly host: IsolateHost; readonly ready: Promise<unknown> } | undefined;
  #refilling: NodeJS.Timeout | undefined;
  #sweeping: NodeJS.Timeout | undefined;
  #restarts = 0;
  #closed: Promise<void> | undefined;

  constructor(options: IsolatePoolOptions) {
    this.#options = options;
    this.#quiet = new QuietWatch(this.#quietMs, () => this.#renew());
  }

  /**
   * Runs a program in a host of its domain.
   * @param domain who trusts whom: programs of one domain may share a host
   */
  start(task: IsolateTask, sink: IsolateSink, domain = ''): IsolateRunning {
    const { cpu, pids } = task.limits;
    if (cpu !== undefined || pids !== undefined) return ended(refusedLimits);
    if (this.#closed) return ended(interrupted);
    this.#quiet.touch();
    if (this.#suspects.size > 0 && this.#suspects.delete(suspect(domain, nameOf(task))))
      return this.#quarantine(domain).start(task, sink);
    return this.#hostOf(domain).start(task, sink);
  }

  /** Resolves when the spare host is ready; at once where none is kept. */
  async warm(): Promise<void> {
    this.#refill();
    await this.#spare?.ready;
  }

  stats(): PoolStats {
    const hosts = this.#hosts.size;
    const running = [...this.#hosts].reduce((sum, host) => sum + host.running, 0);
    return { hosts, threads: hosts * this.#options.threads, running, restarts: this.#restarts };
  }

  /** Kills the hosts. What still runs ends as `interrupted`, and so does what is started after. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    clearTimeout(this.#refilling);
    clearInterval(this.#sweeping);
    this.#quiet.end();
    for (const quarantine of this.#quarantines.values()) quarantine.close();
    await Promise.all([...this.#hosts].map((host) => host.close()));
  }

  #hostOf(domain: string): IsolateHost {
    const known = this.#domains.get(domain);
    if (known?.isServing) return known;
    const host = this.#takeHost(domain);
    this.#domains.set(domain, host);
    return host;
  }

  #quarantine(domain: string): Quarantine {
    let quarantine = this.#quarantines.get(domain);
    if (!quarantine) {
      quarantine = new Quarantine(
        () => this.#takeHost(domain),
        () => this.#quarantines.delete(domain),
      );
      this.#quarantines.set(domain, quarantine);
    }
    return quarantine;
  }

  /** The spare one, or a new one. */
  #takeHost(domain: string): IsolateHost {
    const spare = this.#spare?.host;
    this.#spare = undefined;
    this.#refillSoon();
    const host = spare?.isServing ? spare : this.#newHost();
    host.maxBytes = this.#options.maxDomainBytes?.[domain] ?? this.#options.maxHostBytes;
    void host.gone.then(({ isLost, suspects }) => {
      if (isLost) this.#restarts++;
      for (const name of suspects) this.#suspects.add(suspect(domain, name));
      while (this.#suspects.size > maxSuspects) this.#suspects.delete(this.#suspects.values().next().value as string);
    });
    return host;
  }

  #newHost(): IsolateHost {
    const host = new IsolateHost(this.#options, () => this.#trim());
    this.#hosts.add(host);
    void host.gone.then(() => this.#hosts.delete(host));
    this.#sweeping ??= setInterval(() => this.#sweep(), this.#idleMs / looksPerIdle).unref();
    return host;
  }

  #refillSoon(): void {
    if (this.#options.spare && !this.#closed) this.#refilling ??= setTimeout(() => this.#refill(), refillMs).unref();
  }

  #refill(): void {
    clearTimeout(this.#refilling);
    this.#refilling = undefined;
    if (!this.#options.spare || this.#closed || this.#spare) return;
    const host = this.#newHost();
    const spare = { host, ready: host.start(nothing, { stdout: () => {}, stderr: () => {} }).exited };
    this.#spare = spare;
    void host.gone.then(() => {
      if (this.#spare !== spare) return;
      this.#spare = undefined;
      this.#refillSoon();
    });
  }

  get #quietMs(): number {
    return this.#options.quietMs ?? defaultQuietMs;
  }

  get #idleMs(): number {
    return this.#options.idleMs ?? defaultIdleMs;
  }

  /** Ends the hosts that have run nothing for long. */
  #sweep(): void {
    for (const [domain, host] of this.#domains) if (host.idleMs >= this.#idleMs || !host.isServing) this.#dismiss(domain, host);
    if (this.#domains.size > 0) return;
    const spare = this.#spare?.host;
    if (spare && spare.idleMs >= this.#idleMs) {
      this.#spare = undefined;
      spare.leave();
    }
    if (this.#hosts.size > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }

  /** Ends those that have run nothing for longest, where they are too many. */
  #trim(): void {
    const { maxIdleHosts = defaultIdleHosts } = this.#options;
    if (this.#domains.size <= maxIdleHosts) return;
    const idle = [...this.#domains].filter(([, { running }]) => running === 0).toSorted(([, a], [, b]) => a.idleMs - b.idleMs);
    for (const [domain, host] of idle.slice(maxIdleHosts)) this.#dismiss(domain, host);
  }

  /** Ends those that have grown, since the spare one is there for who comes next; those that ran until now are looked at again. */
  #renew(): void {
    if (!this.#options.spare) return;
    const spare = this.#spare?.host;
    // One that is still being started is no good yet.
    const most = spare?.isServing && spare.running === 0 ? spare.residentBytes + grownBytes : undefined;
    for (const [domain, host] of this.#domains) {
      if (most === undefined || host.idleMs < this.#quietMs) this.#quiet.touch();
      else if (!host.keepsPrograms && host.residentBytes > most) this.#dismiss(domain, host);
    }
  }

  #dismiss(domain: string, host: IsolateHost): void {
    this.#domains.delete(domain);
    host.leave();
  }
}

function suspect(domain: string, name: string): string {
  return `${domain}\0${name}`;
}

/** Has a host load all that it needs. */
const nothing: IsolateTask = {
  program: { entry: '/warm.js', modules: { '/warm.js': { format: 'script', code: '', imports: {} } } },
  args: [],
  env: {},
  cwd: '/',
  limits: {},
};

function ended(outcome: Outcome): IsolateRunning {
  return { exited: Promise.resolve(outcome), stop: () => {}, taken: () => {}, input: () => {} };
}
