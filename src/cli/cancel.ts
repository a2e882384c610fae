/** `prisn cancel`: ends executions, waiting or running. */
import type { Command } from './command.ts';
import type { ShownExecution } from '../api/contract/schemas.ts';
import { PrisnError } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import type { Client } from '../client/client.ts';
import { hasEnded } from '../model/execution.ts';
import { stateOf, waitForEnd } from './execution-end.ts';
import { write } from './output.ts';
import { checkExecutionId, open, remoteCommand, type RemoteOptions } from './remote.ts';
import { say } from './say.ts';

/** Longer than it takes to end a process tree that does not want to. */
const endsWithinMs = 30_000;

export function cancelCommand(program: Command, exit: (code: number) => void): void {
  const command = program
    .command('cancel')
    .summary('end executions, with everything that they started')
    .description('end executions, with everything that they started; those that wait never start')
    .argument('<id...>', 'ids of executions');
  remoteCommand(command, [
    'prisn cancel exec-01k9…',
    'prisn cancel $(prisn get executions --deployment crawl --status Pending -o name)',
  ]).action(async (ids: string[], options: RemoteOptions) => {
    for (const id of ids) checkExecutionId(id, 'cancel');
    const client = await open(options);
    const codes: number[] = [];
    for (const id of ids) codes.push(await cancel(client, id));
    exit(codes.find((code) => code !== 0) ?? 0);
  });
}

/** One that fails does not keep the others from being ended. @returns the exit code */
async function cancel(client: Client, id: string): Promise<number> {
  try {
    const before = await client.call('getExecution', { params: { id } });
    const execution = hasEnded(before) ? before : await endOf(client, id);
    if (execution.reason === 'canceled') {
      await write(`${id} ${execution === before ? 'was canceled already' : 'canceled'}\n`);
      return 0;
    }
    say(hasEnded(execution) ? `${id} had ended before: ${stateOf(execution)}` : `${id} is told to end, and has not yet`);
    return hasEnded(execution) ? exitCodes.conflict : exitCodes.failure;
  } catch (error) {
    if (!(error instanceof PrisnError)) throw error;
    say(error.message);
    return error.exitCode;
  }
}

async function endOf(client: Client, id: string): Promise<ShownExecution> {
  const answer = await client.call('cancelExecution', { params: { id } });
  return hasEnded(answer) ? answer : waitForEnd(client, id, endsWithinMs);
}
