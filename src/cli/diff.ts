/** `prisn diff`: what differs between two revisions of a deployment. */
import { type Command, Option } from './command.ts';
import type { ShownDeployment } from '../api/contract/schemas.ts';
import { PrisnError } from '../base/error.ts';
import { showsColors } from '../base/terminal.ts';
import { structured, write } from './output.ts';
import { open, remoteCommand, type RemoteOptions } from './remote.ts';
import { type Difference, differences } from './revisions.ts';
import { revisionNumber } from './rollback.ts';
import { escaped } from './text-width.ts';

interface DiffOptions extends RemoteOptions {
  readonly output?: 'json' | 'yaml';
}

export function diffCommand(program: Command): void {
  const command = program
    .command('diff')
    .summary('show what differs between two revisions')
    .description('show what differs between two revisions: of the configuration, and whether the source is another')
    .argument('<deployment>')
    .argument('[from]', 'a revision (default: the one before the present)', revisionNumber)
    .argument('[to]', 'a revision (default: the present one)', revisionNumber)
    .addOption(new Option('-o, --output <format>', 'print it for programs').choices(['json', 'yaml']));
  remoteCommand(command, ['prisn diff backup-job', 'prisn diff backup-job 2', 'prisn diff backup-job 2 5 -o json']).action(
    async (name: string, from: number | undefined, to: number | undefined, options: DiffOptions) => {
      const client = await open(options);
      const target = { params: { name }, query: { namespace: options.namespace } };
      const { items } = await client.call('listRevisions', target);
      const after = to === undefined ? items[0] : numbered(items, name, to);
      const before = from === undefined ? items[1] : numbered(items, name, from);
      if (after === undefined || before === undefined)
        throw new PrisnError('not_found', `${name} has one revision only; there is nothing to compare it with`);
      const found = differences(before, after);
      const range = { from: before.revision, to: after.revision };
      await write(options.output ? await structured({ ...range, changes: found }, options.output) : inWords(found, range));
    },
  );
}

function numbered(revisions: readonly ShownDeployment[], name: string, number: number): ShownDeployment {
  const found = revisions.find(({ revision }) => revision === number);
  if (found !== undefined) return found;
  throw new PrisnError(
    'not_found',
    `${name} has no revision ${number}, or none any more; prisn history ${name} lists those that are kept`,
  );
}

function inWords(found: readonly Difference[], { from, to }: { from: number; to: number }): string {
  if (found.length === 0) return `revisions ${from} and ${to} are the same\n`;
  const color = (code: number, line: string): string => (showsColors(1) ? `\x1b[${code}m${line}\x1b[39m\n` : `${line}\n`);
  const lines = found.flatMap(({ field, before, after }) => [
    ...(before === undefined ? [] : [color(31, `- ${field}: ${escaped(before)}`)]),
    ...(after === undefined ? [] : [color(32, `+ ${field}: ${escaped(after)}`)]),
  ]);
  return `--- revision ${from}\n+++ revision ${to}\n${lines.join('')}`;
}
