/** `prisn logs`: the output of an execution, or of a deployment's. */
import { type Command, Option } from 'commander';
import type { LogSelection } from './log-stream.ts';
import { isExecutionId, open, remoteCommand, type RemoteOptions, wholeNumber } from './remote.ts';

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
    .option('--since <time>', 'what was written since then: 5m, 2h, or RFC 3339')
    .option('--stdout', 'stdout only')
    .addOption(new Option('--stderr', 'stderr only').conflicts('stdout'))
    .option('--timestamps', 'the time before each line');
  remoteCommand(command, [
    'prisn logs backup-job',
    'prisn logs -f --tail 20 backup-job',
    'prisn logs exec-01k9… --stderr --since 5m --timestamps',
  ]).action(async (word: string, options: LogsOptions) => {
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
    if (isExecutionId(word)) return show(client, { execution: word }, selection);
    await show(client, { deployment: word, namespace }, selection);
  });
}
