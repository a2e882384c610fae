/** `prisn delete`: a deployment with its revisions and its data. */
import type { Command } from './command.ts';
import { PrisnError } from '../base/error.ts';
import { write } from './output.ts';
import { confirmByName } from './prompt.ts';
import { isExecutionId, open, remoteCommand, type RemoteOptions } from './remote.ts';

interface DeleteOptions extends RemoteOptions {
  readonly yes?: boolean;
}

export function deleteCommand(program: Command): void {
  const command = program
    .command('delete')
    .summary('delete a deployment with its data folder')
    .description('delete a deployment: what runs of it is ended, its data folder is removed, its executions stay listed')
    .argument('<deployment>')
    .option('-y, --yes', 'do not ask for its name');
  remoteCommand(command, ['prisn delete backup-job', 'prisn delete backup-job --yes    in a script']).action(
    async (name: string, options: DeleteOptions) => {
      if (isExecutionId(name))
        throw new PrisnError('usage', `${name} is an execution; prisn cancel ends it, and its record goes by itself in time`);
      const client = await open(options);
      const target = { params: { name }, query: { namespace: options.namespace } };
      const found = await client.call('getDeployment', target);
      await confirmByName(`deleting deployment '${found.name}' with its data folder`, found.name, options.yes === true);
      await client.call('deleteDeployment', target);
      await write(`${found.name} deleted\n`);
    },
  );
}
