/**
 * An isolate in this very process, for the one program that the process was started for (`prisn run x.js`).
 *
 * Of the ways to run a one-off script without a daemon this is the shortest (`bench/README.md`, "variants"): an isolate
 * host as a child costs a second Node start. What such a program can do to its process, it does to itself; where a limit
 * is asked for, the whole process runs below the process sandbox, which enforces it.
 *
 * Entries block the thread, so a signal ends the process as it would end node.
 */
import { foregroundHeapBytes } from '../../src/model/foreground-run.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { IsolateTask } from '../../src/model/task.ts';
import { freshRooms, type Rooms } from './cell.ts';
import { loadPrelude, type Prelude } from './prelude.ts';
import { Session } from './session.ts';
import { standardIo } from './standard-io.ts';

/** A limit below the usual heap is held for the whole process from outside. */
function oneRoom(prelude: Prelude): Rooms {
  const { take, giveBack } = freshRooms(prelude, foregroundHeapBytes);
  return { take: (heapBytes = 0) => take(Math.max(heapBytes, foregroundHeapBytes)), giveBack };
}

/** Runs the program to its end; its output goes to this process's own descriptors, in order, each write finished. */
export async function runEmbedded(task: IsolateTask): Promise<Outcome> {
  const { write, readInput, colors } = standardIo(task.env, (outcome) => session.end(outcome));
  const session = new Session(
    task,
    { write, readInput: (answer) => answer(readInput()), colors },
    { rooms: oneRoom(await loadPrelude()), blocking: true },
  );
  return session.start();
}
