/** `prisn diff`: what differs between two revisions of a deployment. */
import { type Command, Option } from './command.ts';
import type { ShownDeployment } from '../api/contract/schemas.ts';
import { PrisnError } from '../base/error.ts';
import { isTerminal, showsColors } from '../base/terminal.ts';
import { structured, write } from './output.ts';
import { open, remoteCommand, type RemoteOptions } from './remote.ts';
import { type Difference, differences } from './revisions.ts';
import { revisionNumber } from './rollback.ts';
import type { FileChange } from './source-diff.ts';
import { escaped } from './text-width.ts';

interface DiffOptions extends RemoteOptions {
  readonly output?: 'json' | 'yaml';
}

export function diffCommand(program: Command): void {
  const command = program
    .command('diff')
    .summary('show what differs between two revisions')
    .description('show what differs between two revisions: of the configuration, and of the files of the source')
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
      const changes = differences(before, after);
      const { fileChanges } = await import('./source-diff.ts');
      const isSame = before.source_hash === after.source_hash;
      const files = isSame ? [] : await fileChanges(client, before.source_hash, after.source_hash);
      const found = { from: before.revision, to: after.revision, changes, files };
      await write(options.output ? await structured(found, options.output) : inWords(found));
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

interface Found {
  readonly from: number;
  readonly to: number;
  readonly changes: readonly Difference[];
  readonly files: readonly FileChange[];
}

function inWords({ from, to, changes, files }: Found): string {
  if (changes.length === 0) return `revisions ${from} and ${to} are the same\n`;
  const lines = changes.flatMap(({ field, before, after }) => [
    ...(before === undefined ? [] : [`- ${field}: ${escaped(before)}`]),
    ...(after === undefined ? [] : [`+ ${field}: ${escaped(after)}`]),
  ]);
  const [old, now] = [`revision ${from}`, `revision ${to}`];
  const all = [`--- ${old}`, `+++ ${now}`, ...lines, ...files.flatMap((file) => ['', ...fileLines(file, old, now)])];
  return all.map((line) => `${shown(line)}\n`).join('');
}

/** As patch(1) takes it, where it is a text. */
function fileLines({ path, change, kind, diff }: FileChange, old: string, now: string): string[] {
  const name = escaped(path);
  const lines =
    kind === undefined ? [] : [`${name} is ${kind === 'file' ? 'a plain file' : `now ${kind === 'link' ? 'a link' : kind}`}`];
  if (diff === undefined) return [...lines, `${name}: ${change}`];
  if (diff.length === 0) return change === 'changed' ? lines : [`${name}: ${change}, and empty`];
  const [from, to] = [change === 'added' ? '/dev/null' : name, change === 'removed' ? '/dev/null' : name];
  return [...lines, `--- ${from}\t${old}`, `+++ ${to}\t${now}`, ...diff];
}

/** On a terminal without what would move its cursor, and in colours. */
function shown(line: string): string {
  const text = isTerminal(1) ? line.split('\t').map(escaped).join('\t') : line;
  const color = { '-': 31, '+': 32, '@': 36 }[line.charAt(0)];
  return color !== undefined && showsColors(1) ? `\x1b[${color}m${text}\x1b[39m` : text;
}
