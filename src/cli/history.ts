/** `prisn history`: the revisions of a deployment, and what each changed. */
import type { Command } from './command.ts';
import type { ShownDeployment } from '../api/contract/schemas.ts';
import { ageOf } from './age.ts';
import { type Format, headOf, outputOption, rowsOf, structured, tableText, type View, write } from './output.ts';
import { open, remoteCommand, type RemoteOptions } from './remote.ts';
import { differences } from './revisions.ts';
import { shortHash } from './views.ts';

interface HistoryOptions extends RemoteOptions {
  readonly output: Format;
}

export function historyCommand(program: Command): void {
  const command = program
    .command('history')
    .description('list the revisions of a deployment, newest first')
    .argument('<deployment>')
    .addOption(outputOption());
  remoteCommand(command, ['prisn history backup-job', 'prisn diff backup-job 2 3', 'prisn rollback backup-job 2']).action(
    async (name: string, options: HistoryOptions) => {
      const client = await open(options);
      const target = { params: { name }, query: { namespace: options.namespace } };
      const revisions = await client.call('listRevisions', target);
      const { output } = options;
      if (output === 'json' || output === 'yaml') return write(await structured(revisions, output));
      const view = historyView(revisions.items);
      if (output === 'name') return write(revisions.items.map((item) => `${view.nameOf(item)}\n`).join(''));
      return write(tableText([headOf(view, output === 'wide'), ...rowsOf(view, revisions.items, output === 'wide')]));
    },
  );
}

function historyView(revisions: readonly ShownDeployment[]): View<ShownDeployment> {
  const changes = (revision: ShownDeployment): string => {
    const before = revisions[revisions.indexOf(revision) + 1];
    if (before === undefined) return revision.revision === 1 ? 'created' : '';
    return differences(before, revision)
      .map(({ field }) => field)
      .join(', ');
  };
  return {
    nameOf: ({ revision }) => revision.toString(),
    columns: [
      { head: 'REVISION', cell: ({ revision }) => revision.toString() },
      { head: 'AGE', cell: ({ updated_at }, now) => ageOf(updated_at, now) },
      { head: 'SOURCE', cell: ({ source_hash }) => shortHash(source_hash) },
      { head: 'CHANGED', cell: changes },
      { head: 'ENTRYPOINT', wide: true, cell: ({ entrypoint }) => entrypoint },
      { head: 'RUNTIME', wide: true, cell: ({ runtime }) => runtime },
    ],
  };
}
