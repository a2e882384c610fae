/** Questions on the terminal. They go to stderr, so that stdout has only what was asked for. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { PrisnError } from '../base/error.ts';
import { isTerminal } from '../base/terminal.ts';

/** Whether somebody can answer. */
export function canAsk(): boolean {
  return isTerminal(0) && isTerminal(2);
}

/**
 * @param question with the space that follows it
 * @returns the line that was typed; undefined at its end (Ctrl-D)
 */
export async function ask(question: string): Promise<string | undefined> {
  return readLine(question, process.stderr);
}

/** As `ask`, and what is typed is not shown. */
export async function askHidden(question: string): Promise<string | undefined> {
  // The line editor shows what is typed by writing it here.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const line = readLine('', nowhere);
  // Not before the terminal is told to be silent, which is done by now.
  process.stderr.write(question);
  try {
    return await line;
  } finally {
    process.stderr.write('\n');
  }
}

async function readLine(question: string, output: NodeJS.WritableStream): Promise<string | undefined> {
  const lines = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  // In raw mode Ctrl-C is a character; it shall do what it does everywhere.
  lines.once('SIGINT', () => {
    lines.close();
    process.kill(process.pid, 'SIGINT');
  });
  const closed = new Promise<undefined>((resolve) => lines.once('close', () => resolve(undefined)));
  try {
    return await Promise.race([lines.question(question), closed]);
  } finally {
    lines.close();
  }
}

/**
 * Lets a user confirm what cannot be undone by typing a name.
 * @param yes whether `--yes` was given
 * @throws PrisnError `usage` when nobody can be asked, or the answer is another
 */
export async function confirmByName(what: string, name: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!canAsk())
    throw new PrisnError('usage', `${what} cannot be undone, and nobody can be asked here; say that you mean it with --yes`);
  const answer = await ask(`${what.charAt(0).toUpperCase()}${what.slice(1)} cannot be undone. Type its name to go on: `);
  if (answer?.trim() !== name) throw new PrisnError('usage', `that is not ${name}; nothing was deleted`);
}
