/** The standard descriptors of this process as a program's own, whose isolate is held here or elsewhere. */
import { readFileSync, writeSync } from 'node:fs';
import { errnoOf, messageOf } from '../../src/base/error.ts';
import { exitCodeOfSignal, exitCodes } from '../../src/base/exit-codes.ts';
import { isTerminal, showsColors } from '../../src/base/terminal.ts';
import type { Outcome } from '../../src/model/outcome.ts';

export interface StandardIo {
  /** Writes all of it, in order, before it returns. */
  readonly write: (fd: 1 | 2, data: string | Uint8Array) => void;
  /** Standard input to its end; undefined for a terminal. It blocks. */
  readonly readInput: () => string | undefined;
  readonly colors: { readonly stdout: boolean; readonly stderr: boolean };
}

/**
 * @param env the program's environment
 * @param end hears how a program has to end whose output cannot be written
 */
export function standardIo(env: Readonly<Record<string, string>>, end: (outcome: Outcome) => void): StandardIo {
  adopt(env);
  return {
    write: (fd, data) => {
      try {
        writeFully(fd, typeof data === 'string' ? Buffer.from(data) : data);
      } catch (error) {
        end(unwritable(error));
      }
    },
    readInput: () => (isTerminal(0) ? undefined : readFileSync(0, 'utf8')),
    colors: { stdout: showsColors(1), stderr: showsColors(2) },
  };
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
