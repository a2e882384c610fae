/** Runs one program in an isolate of its own, in this process, as the command does, and keeps each of its writes. */
import { freshRooms } from '../../sandbox/isolate/cell.ts';
import { loadPrelude } from '../../sandbox/isolate/prelude.ts';
import { Session } from '../../sandbox/isolate/session.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import { scriptTask } from './recording.ts';

export interface Write {
  readonly fd: 1 | 2;
  readonly text: string;
}

export interface GuestRun {
  readonly outcome: Outcome;
  readonly writes: readonly Write[];
  readonly stdout: string;
  readonly stderr: string;
}

const rooms = freshRooms(await loadPrelude(), 512 * 2 ** 20);

/** @param colors whether its streams show colours */
export async function runGuest(code: string, colors = false): Promise<GuestRun> {
  const writes: Write[] = [];
  const io = {
    write: (fd: 1 | 2, data: string | Uint8Array) => void writes.push({ fd, text: Buffer.from(data).toString() }),
    readInput: (answer: (text: string | undefined) => void) => answer(undefined),
    colors: { stdout: colors, stderr: colors },
  };
  const outcome = await new Session(scriptTask(code), io, { rooms, blocking: true }).start();
  const textOf = (fd: 1 | 2): string =>
    writes
      .filter((write) => write.fd === fd)
      .map(({ text }) => text)
      .join('');
  return { outcome, writes, stdout: textOf(1), stderr: textOf(2) };
}
