/** To stay with an execution: its output here, its exit code as prisn's own. */
import { formatDuration } from '../base/units.ts';
import type { Client } from '../client/client.ts';
import { isTerminal } from '../base/terminal.ts';
import { hasEnded } from '../model/execution.ts';
import { exitCodes } from '../base/exit-codes.ts';
import { exitCodeOf, stateOf, waitForEnd } from './execution-end.ts';
import { mirror } from './log-stream.ts';
import { write } from './output.ts';
import { say } from './say.ts';

export interface Attention {
  /** The options that find it again: ` -n team`. */
  readonly where: string;
  /** After which it is left to itself. */
  readonly maxMs?: number;
}

/** Silence of that length asks for a reason. */
const hintMs = 1000;

/**
 * Shows the output of an execution until it has ended. Ctrl-C leaves it to itself: it goes on, and prisn says how to see
 * more of it.
 * @returns its exit code; 124 when the time was over first
 * @throws PrisnError as `Client.call`
 */
export async function attend(client: Client, id: string, { where, maxMs }: Attention): Promise<number> {
  const howOn = `prisn logs -f ${id}${where}, prisn wait ${id}${where} or prisn cancel ${id}${where}`;
  const leave = (): void => {
    say(`${id} goes on: ${howOn}`);
    // As a program that does not handle it, so that a shell ends its own loop.
    process.removeListener('SIGINT', leave);
    process.kill(process.pid, 'SIGINT');
  };
  process.on('SIGINT', leave);
  const over = new AbortController();
  const hint = isTerminal(2) ? setTimeout(() => void sayWhyItWaits(client, id), hintMs) : undefined;
  const clock = maxMs === undefined ? undefined : setTimeout(() => over.abort(), maxMs);
  try {
    await mirror(client, id, over.signal);
    const execution = await waitForEnd(client, id, undefined, over.signal);
    if (execution.result !== undefined) await write(`${JSON.stringify(execution.result)}\n`);
    if (hasEnded(execution) && execution.error !== undefined) say(execution.error);
    return exitCodeOf(execution);
  } catch (error) {
    if (!over.signal.aborted) throw error;
    say(`${id} has not ended within ${formatDuration(maxMs ?? 0)} and goes on: ${howOn}`);
    return exitCodes.timeout;
  } finally {
    clearTimeout(clock);
    clearTimeout(hint);
    process.removeListener('SIGINT', leave);
  }
}

async function sayWhyItWaits(client: Client, id: string): Promise<void> {
  const execution = await client.call('getExecution', { params: { id } }).catch(() => undefined);
  if (execution?.status === 'Pending') say(`${id}: ${stateOf(execution)}`);
}
