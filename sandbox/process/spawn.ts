/**
 * A recorded run: a program with pipes, which leads its own session and ends with everything that it started.
 *
 * Unlike in the foreground, background children end with the program: nobody could see, stop or account for them.
 * The run ends on the program's exit, not on the end of its output, which a grandchild that left the tree could hold
 * open for ever.
 */
import type { ChildProcess } from 'node:child_process';
import { PrisnError, messageOf } from '../../src/base/error.ts';
import { exitCodes } from '../../src/base/exit-codes.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { ProcessTask } from '../../src/model/task.ts';
import type { Running, Sink } from '../sandbox.ts';
import { watchOver } from './guard.ts';
import { exitOf, launch } from './launch.ts';
import { type Enforcement, enforce } from './limits.ts';
import { Supervision } from './supervision.ts';

/** After the exit, output is read until the pipes are silent for this long, at most `drainMs` in all. */
const silenceMs = 50;
const drainMs = 2000;

/**
 * Starts a program with pipes, in this tick: output goes to the sink, chunk by chunk.
 * @param options.stdin what the program reads; without it stdin is empty
 * @returns the run; a task that cannot be started, or whose limits cannot be held here, has ended as `invalid`
 */
export function startProcess(task: ProcessTask, sink: Sink, options: { readonly stdin?: Uint8Array } = {}): Running {
  let enforcement: Enforcement | undefined;
  try {
    enforcement = enforce(task);
  } catch (error) {
    return ended(Promise.resolve(refusedLimit(error)));
  }
  const launched = launch(task, [options.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'], true, enforcement);
  if ('refused' in launched) {
    enforcement?.release();
    return ended(launched.refused);
  }
  const { child, tree } = launched;
  const release = watchOver(tree);
  const supervision = new Supervision(task.limits, tree, enforcement);
  const drained = drainAfter(child, sink);
  // A program need not read its input.
  child.stdin?.on('error', () => {}).end(options.stdin);

  const settle = async (): Promise<Outcome> => {
    const outcome = await supervision.settle(await exitOf(child), true);
    release();
    await drained();
    return outcome;
  };
  return { exited: settle(), stop: () => supervision.end('canceled') };
}

/** Passes the output on; the returned function waits until what is in the pipes has arrived, and closes them. */
function drainAfter(child: ChildProcess, sink: Sink): () => Promise<void> {
  let heardAt = 0;
  let open = true;
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]
      ?.on('error', () => {})
      .on('data', (chunk: Buffer) => {
        heardAt = performance.now();
        sink[name](chunk);
      });
  }
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => {
      open = false;
      resolve();
    });
  });
  return async () => {
    const startedAt = performance.now();
    const stop = (): void => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    };
    const timer = setInterval(() => {
      const now = performance.now();
      if (now - Math.max(heardAt, startedAt) >= silenceMs || now - startedAt >= drainMs) stop();
    }, silenceMs);
    if (open) await closed;
    clearInterval(timer);
  };
}

function ended(exited: Promise<Outcome>): Running {
  return { exited, stop: () => {} };
}

function refusedLimit(error: unknown): Outcome {
  const errorCode = error instanceof PrisnError ? error.code : 'internal';
  return { reason: 'invalid', exitCode: exitCodes.failed, errorCode, message: messageOf(error) };
}
