/** Fork servers for a test: a stand-in that plays tricks, or the real one. */
import { startForkedJob } from '../../../sandbox/process/fork-job.ts';
import type { Habits } from '../../../sandbox/process/fork-group.ts';
import type { ForkKind } from '../../../src/model/fork.ts';
import { ForkServers, type ForkServersOptions } from '../../../sandbox/process/fork-servers.ts';
import { type JobRunning, probeTier, type Tier } from '../../../sandbox/process/job.ts';
import type { Sink } from '../../../sandbox/sandbox.ts';
import type { ProcessTask } from '../../../src/model/task.ts';
import { Scratch } from '../../scratch.ts';
import { fixture, newRunId, python, recorder, taskOf, until } from './harness.ts';

export const stand: Pick<ForkServersOptions, 'script' | 'keyOf'> = {
  script: fixture('stand-in-forkserver.py'),
  keyOf: ({ LC_TEST_TRICK = '', LC_TEST_OTHER = '' }) => ({ env: { LC_TEST_TRICK, LC_TEST_OTHER } }),
};

export const withoutNamespace: Tier = { ...probeTier(), pidNamespace: false };

/** Habits that a test looks into. */
export class KnownHabits implements Habits {
  readonly learned: string[] = [];
  wanted: string[] = [];
  kinds: ForkKind[] = [];
  asked(): void {}
  imported(_: ForkKind, modules: readonly string[]): void {
    this.learned.push(...modules);
  }
  keepOut(): void {}
  keptOut(): readonly string[] {
    return [];
  }
  preloads(): readonly string[] {
    return this.wanted;
  }
  frequent(): readonly ForkKind[] {
    return this.kinds;
  }
  save(): void {}
}

export interface Forks {
  readonly servers: ForkServers;
  readonly habits: KnownHabits;
  readonly log: string[];
  /** Asks for a server until there is one. */
  readonly warm: (env?: Readonly<Record<string, string>>) => Promise<void>;
  /** A job of Python text, forked where a server is there at this moment. */
  readonly start: (source: string, more?: Partial<ProcessTask>, sink?: Sink, stdin?: string) => Started;
}

export interface Started extends JobRunning {
  readonly task: ProcessTask;
  /** Why it was not forked. */
  readonly spawned: readonly string[];
}

/** Fork servers that end with the test. */
export function forksOf(
  t: { after(clean: () => Promise<void> | void): void },
  more: Partial<ForkServersOptions> = {},
  tier: Tier = withoutNamespace,
): Forks {
  const scratch = new Scratch(t);
  const habits = new KnownHabits();
  const log: string[] = [];
  const servers = new ForkServers({
    ...stand,
    habits,
    tier: () => tier,
    maxServers: 4,
    idleMs: 60_000,
    maxBytes: 2 ** 40,
    leastAvailableBytes: 0,
    log: (_, message) => log.push(message),
    ...more,
  });
  t.after(() => servers.close());
  const find = (env: Readonly<Record<string, string>>): ReturnType<ForkServers['serverFor']> =>
    servers.serverFor({ domain: 'test', interpreter: python, env });
  const warm = (env: Readonly<Record<string, string>> = {}): Promise<void> =>
    until(`a server for ${JSON.stringify(env)}; ${log.join()}`, () => 'server' in find(env));
  return {
    servers,
    habits,
    log,
    warm,
    start: (source, taskMore = {}, sink = recorder(), stdin) => {
      const file = scratch.file(`${newRunId()}.py`, source);
      const task = taskOf(python, [file], { env: {}, ...taskMore });
      const spawned: string[] = [];
      const found = find(task.env);
      if ('why' in found) throw new Error(`no server: ${found.why}`);
      const options = {
        tier,
        server: found.server,
        onSpawn: (why: string) => spawned.push(why),
        ...(stdin !== undefined && { stdin: Buffer.from(stdin) }),
      };
      const job = startForkedJob(task, sink, options);
      return { exited: job.exited, stop: () => job.stop(), ...(job.process && { process: job.process }), task, spawned };
    },
  };
}
