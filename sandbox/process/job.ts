/**
 * A job: a recorded run of tier T1 (`tier.ts`). Its program has pipes, a clean environment and no descriptor of ours,
 * leads its own session, and ends with everything that it started.
 *
 * Unlike in the foreground, background children end with the program: nobody could see, stop or account for them.
 *
 * Measured on two busy cores, the least of 200 runs from the call to the outcome, ms:
 *
 *                         true   python3 -c pass
 *   spawn of Node alone    2.1   10.7
 *   without a chain        4.6   13.2   of it 2: the look at /proc for what was left behind, which a namespace saves
 *   behind setpriv         7.1   15.0
 *   in a pid namespace     7.1   15.3
 */
import { messageOf, PrisnError } from '../../src/base/error.ts';
import { exitCodes } from '../../src/base/exit-codes.ts';
import { processId } from '../../src/base/process-id.ts';
import type { ProcessRecord } from '../../src/model/execution.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { ProcessTask } from '../../src/model/task.ts';
import { hasProc, type ProcessId, type TreeSpec } from '../proc.ts';
import type { Running, Sink } from '../sandbox.ts';
import { Connections } from './connections.ts';
import { watchOver } from './guard.ts';
import { cpuMsIn, hasBegun, ownOutcome, residentsOfInit } from './init.ts';
import { exitOf, launch } from './launch.ts';
import { type Enforcement, enforce } from './limits.ts';
import { Supervision } from './supervision.ts';
import { chainOf, probeTier, type Tier } from './tier.ts';

export { probeTier, type Tier };

export interface JobRunning extends Running {
  /** The root of its process tree, which ends with all below it, once it is known; absent where nothing was started. */
  readonly process?: ProcessRecord | Promise<ProcessRecord | undefined>;
}

export interface JobOptions {
  /** What the program reads; without it stdin is empty. */
  readonly stdin?: Uint8Array;
  /** What stands around it: what `probeTier` found, or less. */
  readonly tier: Tier;
}

/**
 * Starts a program, in this tick: output goes to the sink, chunk by chunk. To be called on the main thread, since the
 * death signal is that of the thread which forked.
 * @returns the run; a task that cannot be started, or whose limits cannot be held here, has ended as `invalid`
 */
export function startJob(task: ProcessTask, sink: Sink, { stdin, tier }: JobOptions): JobRunning {
  const startedAt = performance.now();
  const chain = chainOf(tier, task.env);
  let enforcement: Enforcement | undefined;
  try {
    enforcement = enforce(withResidents(task, chain.hasInit ? residentsOfInit : 0));
  } catch (error) {
    return ended(Promise.resolve(failed('invalid', error)));
  }
  const connections = new Connections(stdin, chain.hasInit);
  const launched = launch(task, connections.stdio, true, enforcement, chain.command);
  if ('refused' in launched) {
    connections.discard();
    enforcement?.release();
    return ended(launched.refused);
  }
  const { child } = launched;
  const tree: TreeSpec = { ...launched.tree, ...(chain.hasInit && { holders: 'root and child' }) };
  const release = watchOver(tree);
  const supervision = new Supervision(task.limits, tree, enforcement);
  let startMs = performance.now() - startedAt;
  connections.attach(child, sink, () => {
    startMs = performance.now() - startedAt;
  });

  const settle = async (): Promise<Outcome> => {
    const bare = await exitOf(child);
    // A namespace is empty when its init has ended, and unshare ends after that; unless it was killed itself.
    const isGone = chain.hasInit && bare.reason === 'exit';
    const outcome = await supervision.settle(chain.hasInit ? ownOutcome(bare) : bare, !isGone);
    release();
    await connections.drain();
    if (chain.hasInit && outcome.reason === 'exit' && !hasBegun(connections.report)) return notBegun;
    const maxRssBytes = enforcement?.peakBytes;
    return {
      ...outcome,
      usage: { startMs, ...(chain.hasInit && cpuMsIn(connections.report)), ...(maxRssBytes !== undefined && { maxRssBytes }) },
    };
  };
  const record = recordOf(tree.root);
  return {
    exited: settle().catch((error) => failed('crashed', error)),
    stop: () => supervision.end('canceled'),
    ...(record && { process: record }),
  };
}

/** The limit of processes is the program's, and so many live beside it. */
function withResidents(task: ProcessTask, count: number): ProcessTask {
  const { pids } = task.limits;
  return pids === undefined ? task : { ...task, limits: { ...task.limits, pids: pids + count } };
}

let boot: string | undefined;

export function recordOf({ pid, start }: ProcessId): ProcessRecord | undefined {
  if (!hasProc) return undefined;
  boot ??= processId(process.pid)?.boot ?? '';
  return { pid, start, boot };
}

export function ended(exited: Promise<Outcome>): JobRunning {
  return { exited, stop: () => {} };
}

const notBegun: Outcome = {
  reason: 'crashed',
  exitCode: exitCodes.failed,
  errorCode: 'internal',
  message: 'the program was not started: a command of the chain that starts it failed, and says why on stderr; see prisn doctor',
};

export function failed(reason: 'crashed' | 'invalid', error: unknown): Outcome {
  const errorCode = error instanceof PrisnError ? error.code : 'internal';
  return { reason, exitCode: exitCodes.failed, errorCode, message: messageOf(error) };
}
