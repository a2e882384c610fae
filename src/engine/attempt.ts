/**
 * One attempt of an execution, from its slot to the end of its program:
 *
 * ```
 * the record says Running ┐
 * folder, secrets, mask   ┼▶ start ─▶ output into the log while it runs ─▶ outcome
 * prepared by the sandbox ┘
 * ```
 * Nothing starts before the store knows that it does (where a slot is free, from its acceptance on): a daemon that is killed leaves no run that its successor would
 * take for one that never began. A program that went down with its host through no fault of its own, and did nothing
 * outside yet, runs again at once.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, PrisnError } from '../base/error.ts';
import { removeFolder } from '../base/remove-folder.ts';
import type { BundleStore } from '../bundles/store.ts';
import type { LogWriter } from '../logs/writer.ts';
import type { Logs } from '../logs/logs.ts';
import type { Execution, ExecutionSpec, SecretReference } from '../model/execution.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Limits } from '../model/task.ts';
import type { Mask } from '../secrets/mask.ts';
import type { Executions } from '../store/executions.ts';
import type { Clock } from './clock.ts';
import { discardFolder } from './discard-folder.ts';
import { causedBy, type Ending, failedToBegin, resultOf, stopped } from './ending.ts';
import type { Journal } from './journal.ts';
import { known } from './known.ts';
import type { Live } from './live.ts';
import type { Log } from './log.ts';
import { Output } from './output.ts';
import type { PreparedWorkload, ProgramFiles, ProgramText, RunningWorkload, Workload, Workloads } from './ports.ts';
import { filesOf } from './programs.ts';
import type { SecretEnv } from './secrets.ts';
import type { ProgramInBundle } from './submission.ts';

export interface AttemptParts {
  readonly executions: Pick<Executions, 'spec'>;
  readonly bundles: Pick<BundleStore, 'copyTo' | 'open'>;
  readonly logs: Logs;
  readonly workloads: Pick<Workloads, 'prepare'>;
  readonly secretValues: (namespace: string, references: readonly SecretReference[]) => Promise<SecretEnv>;
  readonly mask: (values: readonly string[]) => Mask;
  readonly clock: Clock;
  readonly log: Log;
}

export interface AttemptOptions {
  /** Absolute paths: of the folders in which programs run, and of the data of deployments. */
  readonly workDir: string;
  readonly dataDir: string;
  /** Origin of the API, for `PRISN_API`, once it is known. */
  readonly api?: () => string | undefined;
}

export interface AttemptEnd extends Ending {
  /** Whether code of the program may have run. */
  readonly hasBegun: boolean;
  readonly output?: Output;
}

interface Ready {
  readonly prepared: PreparedWorkload;
  readonly mask: Mask | undefined;
}

const mostReruns = 3;

/** The name of the log of an attempt, and what marks its processes. */
export function attemptId(id: string, attempt: number): string {
  return `${id}.${attempt}`;
}

export class Attempts {
  readonly #parts: AttemptParts;
  readonly #options: AttemptOptions;
  readonly #journal: Journal;

  constructor(parts: AttemptParts, options: AttemptOptions, journal: Journal) {
    this.#parts = parts;
    this.#options = options;
    this.#journal = journal;
  }

  /** @throws PrisnError when the store was given up before the start was written */
  async run(live: Live): Promise<AttemptEnd> {
    const { clock, log, logs } = this.#parts;
    const queuedMs = clock.elapsed() - live.waitingSince;
    let written = live.record.status === 'Running' ? Promise.resolve() : this.#writeRunning(live);
    for (let rerun = 0; ; rerun++) {
      const end = await this.#once(live, queuedMs, written);
      written = Promise.resolve();
      if (!end.outcome.blameless || rerun === mostReruns || live.stopCause) return end;
      log.info({ id: live.id, why: end.outcome.message }, 'an execution that went down with its host is run again');
      await end.output?.end();
      // It may say nothing this time.
      await logs.release(attemptId(live.id, live.record.attempt));
      await logs.delete(attemptId(live.id, live.record.attempt));
    }
  }

  /** Removes the folder of an execution that belongs to no deployment; there may be none. */
  async clear(live: Live): Promise<void> {
    if (live.deployment !== undefined || live.kind === 'isolate') return;
    await removeFolder(join(this.#options.workDir, live.id)).catch((error: unknown) =>
      this.#parts.log.warn({ id: live.id }, `a work folder stays behind: ${messageOf(error)}`),
    );
  }

  async #writeRunning(live: Live): Promise<void> {
    const running = runningRecord(live.record, this.#parts.clock.now());
    live.record = running;
    if (!live.call) await this.#journal.update(live, running);
  }

  async #once(live: Live, queuedMs: number, written: Promise<void>): Promise<AttemptEnd> {
    const { clock } = this.#parts;
    const begunAt = clock.elapsed();
    const [preparing, writing] = await Promise.allSettled([this.#prepare(live), written]);
    if (writing.status === 'rejected') throw writing.reason;
    const times = { queuedMs, prepareMs: clock.elapsed() - begunAt };
    if (preparing.status === 'rejected') return { hasBegun: false, outcome: failedToBegin(preparing.reason), ...times };
    if (live.stopCause) return { hasBegun: false, outcome: stopped(live.stopCause, live.record.attempt), queuedMs };
    return { hasBegun: true, ...times, ...(await this.#start(live, preparing.value)) };
  }

  async #start(live: Live, { prepared, mask }: Ready): Promise<Omit<AttemptEnd, 'hasBegun' | 'queuedMs'>> {
    const { clock, logs } = this.#parts;
    const { tier } = prepared;
    const startedAt = clock.elapsed();
    let output: Output | undefined;
    let running: RunningWorkload;
    try {
      output = new Output(live, () => this.#openLog(live, logs), mask);
      running = prepared.start(output.sink);
    } catch (error) {
      return known({ outcome: failedToBegin(error), tier, output });
    }
    live.running = running;
    live.call?.started();
    const noting = running.process && this.#noteProcess(live, running.process, tier);
    const outcome = await new Promise<Outcome>((resolve) => {
      void running.exited.then(resolve);
      live.abandon = () => resolve(stopped('interrupted', live.record.attempt));
    });
    const ranMs = clock.elapsed() - startedAt;
    live.running = undefined;
    live.abandon = undefined;
    output.flush();
    await noting;
    const hide = mask && ((text: string): string => mask.text(text));
    const shown = hide && outcome.message !== undefined ? { ...outcome, message: hide(outcome.message) } : outcome;
    return { ...resultOf(causedBy(shown, live.stopCause), hide), tier, ranMs, output };
  }

  #openLog(live: Live, logs: Logs): LogWriter {
    const writer = logs.open(attemptId(live.id, live.record.attempt));
    live.beginLog();
    return writer;
  }

  /** What a successor needs to end what is left over; the mark in the environment finds it too. */
  async #noteProcess(live: Live, started: RunningWorkload['process'], tier: string): Promise<void> {
    if (live.call) return;
    const process = await started;
    if (!process) return;
    await this.#journal
      .update(live, { ...live.record, process, tier })
      .catch((error: unknown) => this.#parts.log.warn({ id: live.id }, messageOf(error)));
  }

  async #prepare(live: Live): Promise<Ready> {
    const { executions, secretValues, mask, workloads } = this.#parts;
    const spec = live.spec ?? (await executions.spec(live.id));
    if (!spec) throw new Error(`what ${live.id} runs is not in the store`);
    const { namespace } = live.record;
    const cwd = this.#cwdOf(live);
    const program = await this.#programOf(live, spec, cwd);
    const secrets = spec.secrets.length > 0 ? await secretValues(namespace, spec.secrets) : undefined;
    const workload: Workload = known({
      runId: attemptId(live.id, live.record.attempt),
      domain: namespace,
      program,
      args: spec.args,
      env: { ...spec.env, ...secrets?.env, ...this.#ownEnv(live) },
      cwd,
      ...inputsOf(live, spec),
      reuse: spec.reuse,
      hasSecrets: secrets && true,
      limits: limitsOf(spec),
    });
    const hidden = secrets && mask(secrets.values);
    try {
      return { prepared: await workloads.prepare(workload), mask: hidden };
    } catch (error) {
      // Such as a PATH that came from a secret, and in which nothing was found.
      throw hidden && error instanceof PrisnError ? new PrisnError(error.code, hidden.text(error.message)) : error;
    }
  }

  #cwdOf({ id, record, deployment }: Live): string {
    const { workDir } = this.#options;
    return deployment === undefined ? join(workDir, id) : join(workDir, deployment, String(record.revision));
  }

  /** An isolate has no file system: no folder is made for what runs in one. */
  #programOf(live: Live, { program }: ExecutionSpec, folder: string): ProgramFiles | ProgramText | Promise<ProgramFiles> {
    if (live.kind === 'isolate') return filesOf(program, this.#parts.bundles, ownerOf(live));
    if ('bundle' in program) return this.#copyTo(folder, program);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return program;
  }

  async #copyTo(folder: string, { bundle, entrypoint, runtime }: ProgramInBundle): Promise<ProgramFiles> {
    await this.#parts.bundles.copyTo(bundle, folder);
    // What an earlier execution did to its folder must not keep every later one from running.
    if (!existsSync(join(folder, entrypoint))) {
      discardFolder(folder, this.#parts.log);
      await this.#parts.bundles.copyTo(bundle, folder);
    }
    return known({ folder, entrypoint, runtime });
  }

  #ownEnv({ id, record, deployment, kind }: Live): Record<string, string> {
    const data = deployment === undefined ? undefined : join(this.#options.dataDir, deployment);
    if (data !== undefined && kind === 'process') mkdirSync(data, { recursive: true, mode: 0o700 });
    return known({
      PRISN_EXECUTION_ID: id,
      PRISN_NAMESPACE: record.namespace,
      PRISN_DEPLOYMENT: record.deployment,
      PRISN_REVISION: record.revision === undefined ? undefined : String(record.revision),
      PRISN_API: this.#options.api?.(),
      PRISN_DATA: data,
    });
  }
}

function ownerOf({ deployment, record }: Live): string {
  return deployment === undefined ? '' : `${deployment} ${record.revision}`;
}

/** The record of one that starts. */
export function runningRecord(record: Execution, nowMs: number): Execution {
  return known({ ...record, status: 'Running', started_at: new Date(nowMs).toISOString(), error: undefined });
}

/** A process has the body of a request as its standard input (RFC 3875, 4.2). */
function inputsOf({ call, kind }: Live, { input, stdin }: ExecutionSpec): Partial<Workload> {
  const text = stdin === undefined ? undefined : Buffer.from(stdin);
  if (!call) return known({ input, stdin: text });
  return known({ input, request: call.request, stdin: kind === 'process' ? (text ?? call.request.body) : undefined });
}

function limitsOf({ timeout_ms: timeoutMs, resources }: ExecutionSpec): Limits {
  const { memory_mb: memoryMb, cpu, pids } = resources ?? {};
  return known({ timeoutMs, memoryBytes: memoryMb === undefined ? undefined : memoryMb * 2 ** 20, cpu, pids });
}
