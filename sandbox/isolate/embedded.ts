/**
 * An isolate in this very process, for the one program that the process was started for (`prisn run x.js`).
 *
 * Of the ways to run a one-off script without a daemon this is the shortest (`bench/README.md`, "variants"): an isolate
 * host as a child costs a second Node start. What such a program can do to its process, it does to itself; where a limit
 * is asked for, the whole process runs below the process sandbox, which enforces it.
 *
 * Entries block the thread, so a signal ends the process as it would end node.
 */
import { readFileSync, writeSync } from 'node:fs';
import { errnoOf, messageOf } from '../../src/base/error.ts';
import { isTerminal, showsColors } from '../../src/base/terminal.ts';
import { exitCodeOfSignal, exitCodes } from '../../src/base/exit-codes.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { IsolateTask } from '../../src/model/task.ts';
import { loadPrelude } from './prelude.ts';
import { Session } from './session.ts';

/** Node's own default on a machine with enough memory; a limit below it is held for the whole process from outside. */
const defaultHeapBytes = 4096 * 2 ** 20;

/** Runs the program to its end; its output goes to this process's own descriptors, in order, each write finished. */
export async function runEmbedded(task: IsolateTask): Promise<Outcome> {
  adopt(task.env);
  const session = new Session(
    task,
    {
      write: (fd, data) => {
        try {
          writeFully(fd, typeof data === 'string' ? Buffer.from(data) : data);
        } catch (error) {
          session.end(unwritable(error));
        }
      },
      readInput: () => (isTerminal(0) ? undefined : readFileSync(0, 'utf8')),
      colors: { stdout: showsColors(1), stderr: showsColors(2) },
    },
    { prelude: await loadPrelude(), blocking: true, heapBytes: Math.max(defaultHeapBytes, task.limits.memoryBytes ?? 0) },
  );
  return session.start();
}

/** What V8 and the choice of colours read from this process and not from the program's environment. */
function adopt(env: Readonly<Record<string, string>>): void {
  for (const name of ['TZ', 'FORCE_COLOR', 'NO_COLOR', 'TERM']) {
    if (env[name] === process.env[name]) continue;
    if (env[name] === undefined) delete process.env[name];
    else process.env[name] = env[name];
  }
}

/** signal(7). */
const sigpipe = 13;

/** A reader that went away ends the program as SIGPIPE would, without a word. */
function unwritable(error: unknown): Outcome {
  if (errnoOf(error) === 'EPIPE') return { reason: 'signal', signal: 'SIGPIPE', exitCode: exitCodeOfSignal(sigpipe) };
  return { reason: 'crashed', exitCode: exitCodes.failed, message: `cannot write the program's output: ${messageOf(error)}` };
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** A pipe that somebody made non-blocking takes what fits and then refuses for a while. */
function writeFully(fd: number, data: Uint8Array): void {
  for (let offset = 0; offset < data.length; ) {
    try {
      offset += writeSync(fd, data, offset);
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}
