/** `prisn logs`: the output of an execution, or of a deployment's. */
import { type Command, Option } from './command.ts';
import type { Client } from '../client/client.ts';
import { hasEnded } from '../model/execution.ts';
import { stateOf } from './execution-end.ts';
import type { LogSelection } from './log-stream.ts';
import {
  checkNoFile,
  isExecutionId,
  open,
  remoteCommand,
  type RemoteOptions,
  sameTarget,
  sinceOf,
  wholeNumber,
} from './remote.ts';
import { say } from './say.ts';

interface LogsOptions extends RemoteOptions {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly since?: string;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly timestamps?: boolean;
}

export function logsCommand(program: Command): void {
  const command = program
    .command('logs')
    .summary('show the output of an execution or a deployment')
    .description('show the output of an execution, or of the last one of a deployment')
    .argument('<deployment|execution>')
    .option('-f, --follow', 'go on with what comes: of an execution until it ends, of a deployment with the next one')
    .option('--tail <n>', 'the last lines only', wholeNumber('--tail', 0, 999_999_999))
    .option('--since <time>', 'what was written since then: 5m, 2h, or RFC 3339', sinceOf)
    .option('--stdout', 'stdout only')
    .addOption(new Option('--stderr', 'stderr only').conflicts('stdout'))
    .option('--timestamps', 'the time before each line');
  remoteCommand(command, [
    'prisn logs backup-job',
    'prisn logs -f --tail 20 backup-job',
    'prisn logs exec-01k9… --stderr --since 5m --timestamps',
  ]).action(async (word: string, options: LogsOptions) => {
    checkNoFile(word, 'logs');
    const client = await open(options);
    const { showLog, showTimedLog } = await import('./log-stream.ts');
    const { follow, tail, since, namespace } = options;
    const selection: LogSelection = {
      ...(follow && { follow }),
      ...(tail !== undefined && { tail }),
      ...(since !== undefined && { since }),
      ...(options.stdout && { stream: 'stdout' }),
      ...(options.stderr && { stream: 'stderr' }),
    };
    const show = options.timestamps ? showTimedLog : showLog;
    const source = isExecutionId(word) ? { execution: word } : { deployment: word, namespace };
    const isEmpty = !(await show(client, source, selection));
    const isWhole = [follow, tail, since, options.stdout, options.stderr].every((option) => !option);
    if (isEmpty && isWhole) await sayWhyNothing(client, word, options);
  });
}

/** Nothing at all could be a mistake in the name, or in the program. */
async function sayWhyNothing(client: Client, word: string, options: LogsOptions): Promise<void> {
  const where = sameTarget(options);
  const execution = isExecutionId(word)
    ? await client.call('getExecution', { params: { id: word } })
    : (await client.call('listExecutions', { query: { namespace: options.namespace, deployment_id: word, limit: 1 } })).items[0];
  if (!execution) say(`${word} has not run yet; prisn trigger ${word}${where} runs it`);
  else if (!hasEnded(execution)) say(`${execution.id} (${stateOf(execution)}) has written nothing yet`);
  else say(`${execution.id} (${stateOf(execution)}) wrote nothing; prisn describe ${execution.id}${where} shows its result`);
}
