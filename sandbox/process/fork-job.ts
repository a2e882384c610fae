/**
 * A job whose program a fork server starts: the same as one that is spawned (`job.ts`), but for what starts it.
 *
 * ```
 * ordered ──started──▶ running ──ended, or the server is lost──▶ settled
 *    └─────refused────▶ spawned
 * ```
 * What the server cannot do, or does not come to do, is spawned, which also says what is wrong with the task where
 * something is.
 *
 * The root of the tree is the run's monitor: the parent of its orphans, or the init of its pid namespace. It ends the tree
 * when the program has ended or the server is gone, which goes when we do; so there is no guard, and a look at /proc for
 * what was left behind only where the monitor did not come to it.
 */
import { exitCodeOfSignal, exitCodes } from '../../src/base/exit-codes.ts';
import type { ProcessRecord } from '../../src/model/execution.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { ProcessTask } from '../../src/model/task.ts';
import { readStatus, type TreeSpec } from '../proc.ts';
import type { Sink } from '../sandbox.ts';
import { Connections } from './connections.ts';
import { type ForkEnd, orderLine } from './fork-protocol.ts';
import type { ForkServer, RunOrder } from './fork-server.ts';
import { failed, type JobOptions, type JobRunning, recordOf, startJob } from './job.ts';
import { environmentOf } from './launch.ts';
import { type Enforcement, enforce } from './limits.ts';
import { outcomeOf, Supervision } from './supervision.ts';

export interface ForkedJobOptions extends JobOptions {
  /** One that is ready. */
  readonly server: ForkServer;
  /** Called when the program is spawned in the end. */
  readonly onSpawn: (why: string) => void;
}

/** A longer one may be more than the kernel takes for a spawn, which then says so. */
const longestOrder = 64 * 1024;

/**
 * Starts a program of the server's interpreter.
 * @param task what a spawn would execute, with the program's file as the first of its arguments
 */
export function startForkedJob(task: ProcessTask, sink: Sink, options: ForkedJobOptions): JobRunning {
  const job = new ForkedJob(task, sink, options);
  return { exited: job.exited, process: job.process, stop: () => job.stop() };
}

/** What it takes a server to tell that a monitor is gone. */
const toldMs = 1000;

class ForkedJob {
  readonly #task: ProcessTask;
  readonly #sink: Sink;
  readonly #options: ForkedJobOptions;
  readonly #startedAt = performance.now();
  readonly #exited = Promise.withResolvers<Outcome>();
  readonly #begun = Promise.withResolvers<ProcessRecord | undefined>();
  #stopRunning: (() => void) | undefined;
  #isStopped = false;

  constructor(task: ProcessTask, sink: Sink, options: ForkedJobOptions) {
    this.#task = task;
    this.#sink = sink;
    this.#options = options;
    this.#order();
  }

  get exited(): Promise<Outcome> {
    return this.#exited.promise;
  }

  get process(): Promise<ProcessRecord | undefined> {
    return this.#begun.promise;
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopRunning?.();
  }

  #order(): void {
    const { stdin, server, tier } = this.#options;
    const connections = new Connections(stdin, false);
    let enforcement: Enforcement | undefined;
    try {
      enforcement = enforce(this.#task);
      const order = orderOf(this.#task, connections, enforcement?.open() ?? [], tier.pidNamespace);
      if ('why' in order) return this.#spawn(order.why, connections, enforcement);
      this.#hearServer(server, order, connections, enforcement);
    } catch (error) {
      connections.discard();
      enforcement?.release();
      this.#settle(failed('invalid', error));
    }
  }

  #hearServer(server: ForkServer, order: RunOrder, connections: Connections, enforcement: Enforcement | undefined): void {
    connections.hear(this.#sink);
    let end: ((outcome: Outcome, told?: ForkEnd) => void) | undefined;
    server.run(order, {
      started: (pid) => {
        end = this.#run(pid, connections, enforcement);
      },
      refused: (why) => this.#spawn(why, connections, enforcement),
      ended: (told) => end?.(ownOutcome(told), told),
      lost: () => end?.(lost),
    });
  }

  /** @returns what is to be called when the program has ended */
  #run(pid: number, connections: Connections, enforcement: Enforcement | undefined): (outcome: Outcome, end?: ForkEnd) => void {
    const { limits, runId } = this.#task;
    const startMs = performance.now() - this.#startedAt;
    const root = { pid, start: readStatus(pid)?.start ?? '' };
    this.#begun.resolve(recordOf(root));
    const tree: TreeSpec = { runId, root, leads: false, cgroups: enforcement?.cgroups ?? [], holders: 'root' };
    // Who has killed the monitor cannot rely on its word, but on the server's.
    const onKilled = (): void => void setTimeout(() => hasEnded || this.#options.server.giveUp(runId), toldMs).unref();
    const supervision = new Supervision(limits, tree, enforcement, onKilled);
    this.#stopRunning = () => supervision.end('canceled');
    if (this.#isStopped) this.#stopRunning();
    const settle = async (own: Outcome, told: ForkEnd | undefined): Promise<Outcome> => {
      // Not sooner: it may open them at any time after its start.
      connections.release();
      // A monitor that was killed is told of like this; a namespace goes with it.
      const isLeft = told === undefined || (told.signal === 'SIGKILL' && !this.#options.tier.pidNamespace);
      const outcome = await supervision.settle(own, isLeft);
      await connections.drain();
      const peak = enforcement?.peakBytes ?? told?.maxRssBytes;
      const usage = { startMs, ...(told && { cpuMs: told.cpuMs }), ...(peak !== undefined && { maxRssBytes: peak }) };
      return { ...outcome, usage };
    };
    let hasEnded = false;
    return (own, told) => {
      hasEnded = true;
      settle(own, told).then(
        (outcome) => this.#settle(outcome),
        (error) => this.#settle(failed('crashed', error)),
      );
    };
  }

  #spawn(why: string, connections: Connections, enforcement: Enforcement | undefined): void {
    connections.discard();
    enforcement?.release();
    if (this.#isStopped) return this.#settle(outcomeOf('canceled', this.#task.limits));
    const { stdin, tier, onSpawn } = this.#options;
    onSpawn(why);
    const job = startJob(this.#task, this.#sink, { tier, ...(stdin && { stdin }) });
    this.#stopRunning = job.stop;
    this.#begun.resolve(job.process);
    void job.exited.then((outcome) => this.#settle(outcome));
  }

  #settle(outcome: Outcome): void {
    this.#begun.resolve(undefined);
    this.#exited.resolve(outcome);
  }
}

function orderOf(
  task: ProcessTask,
  connections: Connections,
  cgroups: readonly string[],
  pidNamespace: boolean,
): RunOrder | { readonly why: string } {
  const { paths } = connections;
  if (!paths) return { why: 'there is no pipe that another process can open' };
  const [file = '', ...args] = task.args;
  const { runId: id, cwd } = task;
  const line = orderLine({ id, file, args, env: environmentOf(task), cwd, ...paths, cgroups, pid_namespace: pidNamespace });
  if (line.length > longestOrder) return { why: 'its arguments and variables are long' };
  return line.includes('\\u0000') ? { why: 'an argument or a variable has a NUL byte' } : { id, line };
}

function ownOutcome({ code, signal }: ForkEnd): Outcome {
  if (signal === null) return { reason: 'exit', exitCode: code ?? exitCodes.failed };
  const { signals } = process.getBuiltinModule('node:os').constants;
  return { reason: 'signal', exitCode: exitCodeOfSignal(signals[signal]), signal };
}

const lost: Outcome = {
  reason: 'crashed',
  exitCode: exitCodes.failed,
  errorCode: 'internal',
  message: 'the program was ended: the fork server that it came from is gone, killed or out of memory',
};
