/**
 * The server's log on its standard output: readable lines on a terminal, JSON elsewhere.
 *
 * Whoever reads it may stop reading, or go: writing to a terminal or a pipe would then block the whole server, so each write
 * is handed to a thread, what waits is bounded, and what is beyond the bound is left out and counted.
 */
import { write } from 'node:fs';
import { pino } from 'pino';
import { errnoOf } from '../base/error.ts';
import { isTerminal } from '../base/terminal.ts';
import type { Settings } from '../model/settings.ts';
import { readableLine } from './log-lines.ts';

const maxWaitingBytes = 2 ** 20;
const retryMs = 50;

export interface ServerLog {
  readonly log: pino.Logger;
  /** Resolves when all is written, or after so many milliseconds. */
  flush(withinMs: number): Promise<void>;
}

export function openLog(level: Settings['log_level'], fd = 1): ServerLog {
  const output = new LogOutput(fd);
  const isReadable = isTerminal(fd);
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => output.add(isReadable ? `${readableLine(line.trimEnd())}\n` : line) },
  );
  return { log, flush: (withinMs) => output.flush(withinMs) };
}

class LogOutput {
  readonly #fd: number;
  #waiting = '';
  #leftOut = 0;
  #isWriting = false;
  #isBroken = false;
  #idle: (() => void)[] = [];

  constructor(fd: number) {
    this.#fd = fd;
  }

  add(line: string): void {
    if (this.#isBroken) return;
    if (this.#waiting.length + line.length > maxWaitingBytes) {
      this.#leftOut++;
      return;
    }
    if (this.#leftOut > 0) this.#waiting += `{"level":"warn","msg":"${this.#leftOut} lines are left out: nobody read them"}\n`;
    this.#leftOut = 0;
    this.#waiting += line;
    if (!this.#isWriting) this.#next();
  }

  async flush(withinMs: number): Promise<void> {
    if (!this.#isWriting) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#idle.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #next(): void {
    const bytes = Buffer.from(this.#waiting);
    this.#waiting = '';
    this.#isWriting = bytes.length > 0;
    if (this.#isWriting) this.#write(bytes);
    else for (const tell of this.#idle.splice(0)) tell();
  }

  #write(bytes: Buffer): void {
    write(this.#fd, bytes, (error, written) => {
      if (error && errnoOf(error) === 'EAGAIN') setTimeout(() => this.#write(bytes), retryMs);
      else if (!error && written < bytes.length) this.#write(bytes.subarray(written));
      else {
        // Nobody reads any more; a full disk may take bytes again.
        this.#isBroken = errnoOf(error) === 'EPIPE';
        this.#next();
      }
    });
  }
}
