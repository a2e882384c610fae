/**
 * What Python programs do, kept in a file of the cache from one daemon to the next: how often each kind of them runs,
 * and what they import. Fork servers are started ahead by the one, and import ahead by the other.
 *
 * In the foreground somebody sits there who will run the same program again: one run makes a module worth it, and a few a
 * day a server. Of recorded runs it takes more. A module is forgotten when no run imported it for a week, as its server has
 * it from then on and nobody sees any more who imports it. For as long one that was kept out is not tried again.
 */
import type { ForkKind } from '../../src/model/fork.ts';
import { replaceFile, readOwn } from '../kept-file.ts';
import { forkKey } from './fork-key.ts';

interface Habit {
  readonly kind: ForkKind;
  /** Runs, of which a day halves the weight. */
  weight: number;
  /** ms since 1970. */
  askedAt: number;
  readonly modules: Map<string, Lesson[1]>;
}

/** A module, in how many runs it was seen, and when at last; and when a server kept it out. */
type Lesson = readonly [name: string, seen: { count: number; seenAt: number; keptOutAt?: number }];

const dayMs = 86_400_000;
/** Runs of late that a server is started ahead for, and runs that imported a module. */
const oftenWeight = { foreground: 2, recorded: 10 } as const;
const leastCount = { foreground: 1, recorded: 2 } as const;
const moduleMs = 7 * dayMs;
const mostModules = 256;
const mostRemembered = 4 * mostModules;
const mostKinds = 32;
const saveAfterMs = 30_000;

export class ForkHabits {
  readonly #path: string;
  readonly #now: () => number;
  readonly #habits = new Map<string, Habit>();
  #saving: NodeJS.Timeout | undefined;

  /** @param path of the file, which need not be there */
  constructor(path: string, now: () => number = Date.now) {
    this.#path = path;
    this.#now = now;
    for (const habit of read(path)) this.#habits.set(idOf(habit.kind), habit);
  }

  asked(kind: ForkKind): void {
    const habit = this.#habitOf(kind);
    habit.weight = weightAt(habit, this.#now()) + 1;
    habit.askedAt = this.#now();
    this.#saveLater();
  }

  imported(kind: ForkKind, names: readonly string[]): void {
    const { modules } = this.#habitOf(kind);
    const seenAt = this.#now();
    for (const name of names) {
      const known = modules.get(name);
      modules.set(name, { ...known, count: (known?.count ?? 0) + 1, seenAt });
    }
    if (modules.size > mostRemembered) this.#forget(modules);
    this.#saveLater();
  }

  keepOut(kind: ForkKind, names: readonly string[]): void {
    const { modules } = this.#habitOf(kind);
    const keptOutAt = this.#now();
    for (const name of names) modules.set(name, { count: 0, seenAt: keptOutAt, ...modules.get(name), keptOutAt });
    this.#saveLater();
  }

  keptOut(kind: ForkKind): readonly string[] {
    return this.#lessonsOf(kind).flatMap(([name, { keptOutAt }]) => (this.#isOfLate(keptOutAt) ? [name] : []));
  }

  /**
   * Names of modules, the most frequent first, then those that were seen last. Of one run the last first: a module is there
   * when it is whole, after all that it imports, so it brings them along, and is found out before them.
   */
  preloads(kind: ForkKind): readonly string[] {
    return this.#lessonsOf(kind)
      .reverse()
      .filter(([, { count, seenAt }]) => count >= leastCount[kind.way] && this.#isOfLate(seenAt))
      .filter(([, { keptOutAt }]) => !this.#isOfLate(keptOutAt))
      .toSorted(([, one], [, other]) => other.count - one.count || other.seenAt - one.seenAt)
      .slice(0, mostModules)
      .map(([name]) => name);
  }

  /** Those that ran often of late, the most frequent first. */
  frequent(): readonly ForkKind[] {
    return this.#byWeight()
      .filter((habit) => weightAt(habit, this.#now()) >= oftenWeight[habit.kind.way])
      .map(({ kind }) => kind);
  }

  save(): void {
    if (!this.#saving) return;
    clearTimeout(this.#saving);
    this.#saving = undefined;
    // What only looks like a setting may be a secret.
    const kept = this.#byWeight().filter(({ kind }) => isPlain(kind));
    const shown = kept.slice(0, mostKinds).map(({ modules, ...habit }) => ({ ...habit, modules: [...modules] }));
    try {
      replaceFile(this.#path, JSON.stringify(shown));
    } catch {
      // A cache that cannot be written is learned anew.
    }
  }

  #saveLater(): void {
    this.#saving ??= setTimeout(() => this.save(), saveAfterMs).unref();
  }

  #lessonsOf(kind: ForkKind): Lesson[] {
    return [...(this.#habits.get(idOf(kind))?.modules ?? [])];
  }

  #isOfLate(at = Number.NEGATIVE_INFINITY): boolean {
    return at > this.#now() - moduleMs;
  }

  /** The oldest go first, so that what is new can be learned. */
  #forget(modules: Habit['modules']): void {
    const oldest = [...modules].toSorted(([, one], [, other]) => one.seenAt - other.seenAt);
    for (const [name] of oldest.slice(0, modules.size - mostModules)) modules.delete(name);
  }

  #habitOf(kind: ForkKind): Habit {
    const id = idOf(kind);
    const known = this.#habits.get(id);
    if (known) return known;
    if (this.#habits.size >= 2 * mostKinds)
      for (const { kind: rare } of this.#byWeight().slice(mostKinds)) this.#habits.delete(idOf(rare));
    const habit = { kind, weight: 0, askedAt: this.#now(), modules: new Map() };
    this.#habits.set(id, habit);
    return habit;
  }

  #byWeight(): Habit[] {
    const now = this.#now();
    return [...this.#habits.values()].toSorted((one, other) => weightAt(other, now) - weightAt(one, now));
  }
}

function idOf({ way, domain, interpreter, env }: ForkKind): string {
  return JSON.stringify([way, domain, interpreter, env]);
}

function weightAt({ weight, askedAt }: Habit, now: number): number {
  return weight * 2 ** (-Math.max(0, now - askedAt) / dayMs);
}

function isPlain({ env }: ForkKind): boolean {
  const key = forkKey(env);
  return 'env' in key && key.isPlain;
}

/** Only this user can have written it; one of another version is as good as none. */
function read(path: string): Habit[] {
  try {
    const habits = JSON.parse(readOwn(path) ?? '[]') as readonly (Omit<Habit, 'modules'> & {
      readonly modules: readonly Lesson[];
    })[];
    return habits.map((habit) => ({ ...habit, modules: new Map(habit.modules) })).filter(({ kind }) => isPlain(kind));
  } catch {
    return [];
  }
}
