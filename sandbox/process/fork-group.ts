/**
 * The fork servers of one kind of runs, and their succession.
 *
 * A server imports ahead what runs of its kind import (`Habits`), and joins when it has: before that it is nobody's, so
 * that no run waits for an import. What was learned since, its count of runs or its age (the hash seed) make it due: a
 * successor is started, and when that joins, the old one takes no more runs and leaves with its last. A second one joins
 * where one is the bottleneck.
 *
 * Servers that fail, or are lost soon, are tried again after a pause that doubles; so are lessons that follow each other.
 */
import type { ForkKind } from '../../src/model/fork.ts';
import { ForkServer } from './fork-server.ts';

/** What runs do, kept over restarts of the daemon. */
export interface Habits {
  asked(kind: ForkKind): void;
  /** @param modules that one run imported and its server had not */
  imported(kind: ForkKind, modules: readonly string[]): void;
  /** Modules that a server must not import ahead. */
  keepOut(kind: ForkKind, modules: readonly string[]): void;
  keptOut(kind: ForkKind): readonly string[];
  /** What to import ahead, the most frequent first. */
  preloads(kind: ForkKind): readonly string[];
  /** Whose server should be there before they are asked for, the most frequent first. */
  frequent(): readonly ForkKind[];
  save(): void;
}

export interface GroupParts {
  /** What becomes a server of this kind, with its arguments. */
  readonly command: readonly string[];
  readonly habits: Habits;
  /** Above so much memory a server imports no more. */
  readonly maxBytes: number;
  /** Until a successor takes its place. */
  readonly maxRuns: number;
  readonly maxAgeMs: number;
  /** @returns why no server may be started now */
  readonly refusal: () => string | undefined;
  readonly log: (message: string) => void;
}

/** A server with its place in a group. */
export interface Member {
  readonly server: ForkServer;
  readonly startedAt: number;
  /** Modules that it was asked to import. */
  readonly tried: Set<string>;
  hasJoined: boolean;
  /** Runs import what it has not. */
  isBehind: boolean;
  idleSince: number;
}

/**
 * So many that wait for their fork make one server the bottleneck. Its own part of a run is 0.9 of 6 ms of CPU, and 1.8 of 12
 * with the modules of a web client: it takes seven cores of programs to keep one busy.
 */
const crowd = 4;
const mostOfAKind = 2;
/** After a failure, and before another successor only for what was learned. */
const leastPauseMs = 1000;
const mostPauseMs = 10 * 60_000;
/** One that lived for so long did not fail. */
const soundMs = 60_000;
/** Modules imported at a time, with a look at the memory in between. */
const batch = 16;

export class ForkGroup {
  readonly kind: ForkKind;
  readonly #parts: GroupParts;
  readonly #keptOut: Set<string>;
  readonly #failures = new Pause();
  readonly #lessons = new Pause();
  #members: Member[] = [];
  #failure = '';
  askedAt = Number.NEGATIVE_INFINITY;
  /** Servers that were lost. */
  lost = 0;

  constructor(kind: ForkKind, parts: GroupParts) {
    this.kind = kind;
    this.#parts = parts;
    this.#keptOut = new Set(parts.habits.keptOut(kind));
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** The server for a run that comes now; where it has none, why. */
  choose(): ForkServer | string {
    const member = this.#leastBusy();
    if (!member) return this.isGettingReady ? 'its fork server is still getting ready' : 'no fork server waits for it';
    if (this.#isDue(member) || (member.server.waiting >= crowd && this.#members.length < mostOfAKind)) this.start();
    return member.server;
  }

  get isGettingReady(): boolean {
    return this.#members.some(({ hasJoined }) => !hasJoined);
  }

  /** Starts a server, unless one is on its way. @returns why not */
  start(): string | undefined {
    if (this.isGettingReady) return undefined;
    if (!this.#failures.isOver) return `its last fork server failed: ${this.#failure}`;
    const refusal = this.#parts.refusal();
    if (refusal === undefined) this.#add();
    return refusal;
  }

  #leastBusy(): Member | undefined {
    let best: Member | undefined;
    for (const member of this.#members)
      if (member.hasJoined && member.server.isReady && !(best && best.server.waiting <= member.server.waiting)) best = member;
    return best;
  }

  #isDue({ server, startedAt, isBehind }: Member): boolean {
    const { maxRuns, maxAgeMs } = this.#parts;
    return server.served >= maxRuns || performance.now() - startedAt >= maxAgeMs || (isBehind && this.#lessons.isOver);
  }

  #add(): void {
    const { command, log } = this.#parts;
    const server = new ForkServer({
      command,
      env: this.kind.env,
      complain: (line) => log(`a fork server says: ${line}`),
      onReady: () => void this.#join(member),
      onIdle: () => {
        member.idleSince = performance.now();
      },
      onImports: (modules) => this.#learn(member, modules),
      onGone: (why) => this.#lose(member, why),
    });
    const now = performance.now();
    const member: Member = { server, startedAt: now, tried: new Set(), hasJoined: false, isBehind: false, idleSince: now };
    this.#members.push(member);
  }

  /** Imports ahead what is known by now; then it takes runs, and those before it that are due leave. */
  async #join(member: Member): Promise<void> {
    const { server, tried } = member;
    for (let bytes = 0; bytes < this.#parts.maxBytes; ) {
      const modules = this.#untried(member).slice(0, batch);
      if (modules.length === 0) break;
      for (const name of modules) tried.add(name);
      const { rssBytes, keptOut } = await server.preload(modules);
      for (const name of keptOut) this.#keptOut.add(name);
      this.#parts.habits.keepOut(this.kind, keptOut);
      bytes = rssBytes;
    }
    for (const other of this.#members) if (other.hasJoined && this.#isDue(other)) other.server.leave();
    if (this.#members.some(({ isBehind }) => isBehind)) this.#lessons.grow();
    member.hasJoined = true;
    member.idleSince = performance.now();
  }

  #learn(member: Member, modules: readonly string[]): void {
    const news = modules.filter((name) => this.#isUntried(member, name));
    // Every run tells what it imported, also where that is the same each time, and kept out.
    if (news.length === 0) return;
    this.#parts.habits.imported(this.kind, news);
    member.isBehind ||= this.#untried(member).length > 0;
    if (member.isBehind && !member.server.isLeaving && this.#lessons.isOver) this.start();
  }

  #untried(member: Member): string[] {
    return this.#parts.habits.preloads(this.kind).filter((name) => this.#isUntried(member, name));
  }

  #isUntried({ tried }: Member, name: string): boolean {
    return !tried.has(name) && !this.#keptOut.has(name);
  }

  /** @param why where nobody asked for it */
  #lose(member: Member, why: string | undefined): void {
    this.#members = this.#members.filter((one) => one !== member);
    if (why === undefined) return;
    this.lost++;
    this.#failure = why;
    this.#parts.log(`a fork server was lost: ${why}`);
    if (performance.now() - member.startedAt < soundMs) this.#failures.grow();
    else this.start();
  }
}

/** A pause that doubles each time, less the time that was calm since the last one. */
class Pause {
  #ms = leastPauseMs / 2;
  #until = Number.NEGATIVE_INFINITY;

  get isOver(): boolean {
    return performance.now() >= this.#until;
  }

  grow(): void {
    const now = performance.now();
    const calmMs = now - this.#until;
    this.#ms = Math.min(Math.max(2 * this.#ms - calmMs, leastPauseMs), mostPauseMs);
    this.#until = now + this.#ms;
  }
}
