/** `prisn rollback`: makes an earlier revision the present one. */
import type { Command } from './command.ts';
import { printResult, resultOutput, type ResultFormat } from './output.ts';
import { open, remoteCommand, type RemoteOptions, sameTarget, wholeNumber } from './remote.ts';
import { deploymentView } from './views.ts';

interface RollbackOptions extends RemoteOptions {
  readonly output?: ResultFormat;
}

export function rollbackCommand(program: Command): void {
  const command = program
    .command('rollback')
    .summary('make an earlier revision the present one again')
    .description('make an earlier revision of a deployment the present one again, as a new revision')
    .argument('<deployment>')
    .argument('[revision]', 'its number in prisn history; the one before the present without', revisionNumber)
    .addOption(resultOutput());
  remoteCommand(command, ['prisn rollback backup-job', 'prisn rollback backup-job 2']).action(
    async (name: string, revision: number | undefined, options: RollbackOptions) => {
      const client = await open(options);
      const deployment = await client.call('rollbackDeployment', {
        params: { name },
        query: { namespace: options.namespace },
        body: { ...(revision !== undefined && { revision }) },
      });
      const what = `${deployment.name}: rolled back to ${revision === undefined ? 'the one before' : `revision ${revision}`}, as revision ${deployment.revision}`;
      await printResult(deploymentView, deployment, options.output, `${what}; see prisn history ${name}${sameTarget(options)}`);
    },
  );
}

export const revisionNumber = wholeNumber('revision', 1, 999_999_999);
