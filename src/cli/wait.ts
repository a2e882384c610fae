/** `prisn wait`: until executions have ended, with their exit code. */
import type { Command } from './command.ts';
import { parseDuration } from '../base/units.ts';
import { exitCodeOf, failureCode, stateOf, waitForEnd } from './execution-end.ts';
import { hasEnded } from '../model/execution.ts';
import { write } from './output.ts';
import { checkExecutionId, open, remoteCommand, type RemoteOptions } from './remote.ts';
import { say } from './say.ts';

interface WaitOptions extends RemoteOptions {
  readonly timeout?: string;
}

export function waitCommand(program: Command, exit: (code: number) => void): void {
  const command = program
    .command('wait')
    .summary('wait until executions have ended')
    .description('wait until executions have ended; the exit code is that of the program, of several the first that is not 0')
    .argument('<id...>', 'ids of executions')
    .option('--timeout <duration>', 'give up after this time (exit code 124); they go on');
  remoteCommand(command, [
    'prisn wait exec-01k9…',
    'prisn wait --timeout 10m $(prisn trigger backup-job)',
    'prisn trigger a; prisn trigger b; prisn wait $(prisn get executions --status Running -o name)',
  ]).action(async (ids: string[], options: WaitOptions) => {
    const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout, '--timeout');
    for (const id of ids) checkExecutionId(id, 'wait');
    const client = await open(options);
    // Whether they are there is prisn's own matter; from here on the exit code is the program's.
    for (const id of ids) await client.call('getExecution', { params: { id } });
    try {
      const codes = await Promise.all(
        ids.map(async (id) => {
          const execution = await waitForEnd(client, id, timeoutMs);
          if (!hasEnded(execution)) say(`${id} has not ended within ${options.timeout}; it goes on`);
          else if (execution.error !== undefined) say(`${id}: ${execution.error}`);
          await write(`${id} ${stateOf(execution)}\n`);
          return exitCodeOf(execution);
        }),
      );
      exit(codes.find((code) => code !== 0) ?? 0);
    } catch (error) {
      exit(failureCode(error));
    }
  });
}
