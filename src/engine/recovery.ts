/**
 * What the last daemon left unfinished, in the order in which it was accepted. Those that waited wait again. Those that
 * ran are ended first, wherever processes of theirs are left, and then fail as `interrupted`, or wait again where retries
 * are left.
 */
import { messageOf } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import type { BundleStore } from '../bundles/store.ts';
import type { Execution, ExecutionSpec } from '../model/execution.ts';
import type { Outcome } from '../model/outcome.ts';
import { decideRetry } from '../model/retry.ts';
import type { Deployments } from '../store/deployments.ts';
import type { Executions } from '../store/executions.ts';
import type { Versioned } from '../store/keyspace.ts';
import { attemptId } from './attempt.ts';
import type { Clock } from './clock.ts';
import { endedRecord, pendingAgain } from './ending.ts';
import type { Journal } from './journal.ts';
import { Live } from './live.ts';
import type { Log } from './log.ts';
import type { WorkloadKind, Workloads } from './ports.ts';
import { filesOf } from './programs.ts';

export interface RecoveryParts {
  readonly executions: Executions;
  readonly deployments: Pick<Deployments, 'byId'>;
  readonly bundles: Pick<BundleStore, 'open'>;
  readonly workloads: Pick<Workloads, 'resolve' | 'endLeftover'>;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
}

/** Looking for leftovers reads the process table. */
const atOnce = 8;

const interrupted: Outcome = {
  reason: 'interrupted',
  exitCode: exitCodes.failed,
  message: 'the server ended while the program ran, or was about to begin',
};

export class Recovery {
  readonly #parts: RecoveryParts;
  readonly #kinds = new Map<string | undefined, WorkloadKind>();
  readonly #limits = new Map<string, number | undefined>();

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** @returns those that wait, in order */
  async run(): Promise<Live[]> {
    const { executions, log } = this.#parts;
    const unfinished = await executions.unfinished();
    const running = unfinished.filter(({ record }) => record.status === 'Running');
    await this.#endLeftovers(running.map(({ record }) => record));
    const waiting: Live[] = [];
    for (const one of unfinished) {
      const live = await this.#liveOf(one);
      if (one.record.status === 'Pending' || (await this.#tryAgain(live))) waiting.push(live);
    }
    if (unfinished.length > 0)
      log.info({ waiting: waiting.length, interrupted: running.length }, 'the executions of the last server are taken over');
    return waiting;
  }

  async #endLeftovers(running: readonly Execution[]): Promise<void> {
    const { workloads, log } = this.#parts;
    const rest = running.values();
    const endEach = async (): Promise<void> => {
      for (const { id, attempt, process } of rest) {
        const found = await workloads.endLeftover(attemptId(id, attempt), process);
        if (found > 0) log.warn({ id, processes: found }, 'an execution was left over from the last server, and is ended');
      }
    };
    await Promise.all(Array.from({ length: atOnce }, endEach));
  }

  /** @returns false when it has failed for good */
  async #tryAgain(live: Live): Promise<boolean> {
    const { journal, clock } = this.#parts;
    const { record, retries } = live;
    const decision = decideRetry(interrupted, record.attempt, retries, 0);
    if (decision.retry) {
      const why = `attempt ${record.attempt} of ${retries + 1} failed: ${interrupted.message}`;
      await journal.update(live, pendingAgain(record, record.attempt + 1, why));
      live.logAttempt = record.attempt;
      return true;
    }
    const durationMs = clock.elapsed() - live.bornAt;
    const started = record.started_at === undefined ? 0 : Date.parse(record.started_at) - Date.parse(record.created_at);
    const ended = endedRecord(
      record,
      { outcome: interrupted, queuedMs: started },
      { nowMs: clock.now(), durationMs, truncated: false },
    );
    await journal.end(live, ended, undefined);
    return false;
  }

  async #liveOf({ record, revision }: Versioned<Execution>): Promise<Live> {
    const { executions, clock, log } = this.#parts;
    const spec = await executions.spec(record.id).catch((error: unknown) => {
      log.error({ id: record.id }, `what an execution runs cannot be read, it will fail: ${messageOf(error)}`);
      return undefined;
    });
    const program = spec?.program;
    return new Live(
      {
        record,
        revision,
        retries: spec?.retries ?? 0,
        kind: program ? await this.#kindOf(record, program) : 'process',
        concurrency: await this.#concurrencyOf(record),
        bundle: program && 'bundle' in program ? program.bundle : undefined,
      },
      clock,
    );
  }

  /** One of each runtime is looked at; what has no runtime any more fails when its turn comes, and says why. */
  async #kindOf({ runtime }: Execution, program: ExecutionSpec['program']): Promise<WorkloadKind> {
    const { workloads, bundles } = this.#parts;
    const known = this.#kinds.get(runtime);
    if (known) return known;
    let kind: WorkloadKind = 'process';
    try {
      ({ kind } = await workloads.resolve(filesOf(program, bundles)));
    } catch {
      return kind;
    }
    this.#kinds.set(runtime, kind);
    return kind;
  }

  async #concurrencyOf({ deployment_id: id }: Execution): Promise<number | undefined> {
    if (id === undefined) return undefined;
    if (!this.#limits.has(id)) this.#limits.set(id, (await this.#parts.deployments.byId(id))?.record.concurrency);
    return this.#limits.get(id);
  }
}
