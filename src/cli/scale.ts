/** `prisn scale`: how many replicas a service has. The help does not list it, as a server without services refuses it. */
import type { Command } from './command.ts';
import { write } from './output.ts';
import { open, remoteCommand, type RemoteOptions, wholeNumber } from './remote.ts';

interface ScaleOptions extends RemoteOptions {
  readonly replicas: number;
}

export function scaleCommand(program: Command): void {
  const command = program
    .command('scale', { hidden: true })
    .description('set the number of replicas of a service')
    .argument('<deployment>')
    .requiredOption('--replicas <n>', 'how many', wholeNumber('--replicas', 0, 1000));
  remoteCommand(command, ['prisn scale api --replicas 3', 'prisn scale api --replicas 0    stops it']).action(
    async (name: string, options: ScaleOptions) => {
      const client = await open(options);
      const { namespace, replicas } = options;
      const scaled = await client.call('scaleDeployment', { params: { name }, query: { namespace }, body: { replicas } });
      await write(`${scaled.message}\n`);
    },
  );
}
