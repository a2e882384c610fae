/** `prisn get`: lists, and `-w` to see them change. */
import type { Command } from './command.ts';
import { PrisnError } from '../base/error.ts';
import type { Client } from '../client/client.ts';
import { executionStatuses } from '../model/execution.ts';
import { type Filter, type Kind, kindOf, kinds, type Listing, type ListOptions } from './kinds.ts';
import { type Format, headOf, outputOption, rowsOf, structured, tableText, write } from './output.ts';
import { open, remoteCommand, sinceOf, wholeNumber } from './remote.ts';

interface GetOptions extends ListOptions {
  readonly output: Format;
  readonly watch?: boolean;
  readonly headers: boolean;
}

export function getCommand(program: Command): void {
  const command = program
    .command('get')
    .summary('list executions, deployments, apps, secrets and others')
    .description('list what there is: executions, deployments, apps, secrets, runtimes, nodes')
    .argument('<kind>', 'what is listed, see below')
    .argument('[names...]', 'only these')
    .option('-w, --watch', 'show changes as they come, until Ctrl-C')
    .addOption(outputOption())
    .option('--no-headers', 'leave the head of the table out')
    .option('--limit <n>', 'how many at most', wholeNumber('--limit', 1, 1_000_000), 100)
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('--status <status>', `executions in this state only: ${executionStatuses.join(', ')}`, statusOf)
    .option('--since <time>', 'executions since then: 5m, 2h, or RFC 3339', sinceOf)
    .option('--deployment <name>', 'executions of this deployment only')
    .option('-l, --selector <key=value>', 'deployments with this label only')
    .note(`\nKinds:\n${kinds.map(({ words: [name, ...short] }) => `  ${name} (${short.join(', ')})`).join('\n')}`);
  remoteCommand(command, [
    'prisn get apps -w                              every deployment and its state, live',
    'prisn get executions --status Failed --since 1d',
    'prisn get deployments -l team=data -o json',
    'prisn get executions -o name | head -1         the id of the latest',
  ]).action(async (word: string, names: string[], options: GetOptions) => {
    const kind = options.allNamespaces ? withNamespaces(kindOf(word)) : kindOf(word);
    checkFilters(kind, names, options);
    const client = await open(options);
    const fetch = () => listing(kind, client, names, options);
    if (options.watch) {
      const { watch } = await import('./watch.ts');
      await watch(kind, async () => (await fetch()).items, options);
      return;
    }
    await show(kind, await fetch(), names, options);
  });
}

/** Prints a list once. */
export async function show(
  kind: Kind<unknown>,
  listed: Listing<unknown>,
  names: readonly string[],
  options: Pick<GetOptions, 'output' | 'headers'>,
): Promise<void> {
  const { items, total } = listed;
  const { output } = options;
  if (output === 'json' || output === 'yaml')
    return write(await structured(names.length === 1 ? items[0] : { items, count: items.length, total }, output));
  if (output === 'name') return write(items.map((item) => `${kind.nameOf(item)}\n`).join(''));
  const wide = output === 'wide';
  const head = options.headers ? [headOf(kind, wide)] : [];
  if (items.length > 0) await write(tableText([...head, ...rowsOf(kind, items, wide)]));
  if (items.length === 0) await write(`no ${kind.words[0]} found\n`, 2);
  else if (total > items.length) await write(`${items.length} of ${total}; --limit ${total} shows all\n`, 2);
}

function withNamespaces(kind: Kind<unknown>): Kind<unknown> {
  return { ...kind, columns: kind.columns.map((column) => (column.head === 'NAMESPACE' ? { ...column, wide: false } : column)) };
}

function statusOf(text: string): (typeof executionStatuses)[number] {
  const found = executionStatuses.find((status) => status.toLowerCase() === text.toLowerCase());
  if (found !== undefined) return found;
  throw new PrisnError('usage', `--status: '${text}' is none of ${executionStatuses.join(', ')}`);
}

async function listing(
  kind: Kind<unknown>,
  client: Client,
  names: readonly string[],
  options: ListOptions,
): Promise<Listing<unknown>> {
  if (names.length === 0) return kind.list(client, options);
  const items: unknown[] = [];
  for (const name of names) items.push(await kind.one(client, name, options));
  return { items, total: items.length };
}

const filterFlags: Readonly<Record<Filter, string>> = {
  status: '--status',
  since: '--since',
  deployment: '--deployment',
  selector: '--selector',
};

/** An option that changes nothing would let a user believe that what is shown is all there is. */
function checkFilters(kind: Kind<unknown>, names: readonly string[], options: GetOptions): void {
  for (const filter of Object.keys(filterFlags) as Filter[]) {
    if (options[filter] === undefined) continue;
    if (!kind.filters.includes(filter))
      throw new PrisnError('usage', `${filterFlags[filter]} says nothing about ${kind.words[0]}; leave it out`);
    if (names.length > 0) throw new PrisnError('usage', `${filterFlags[filter]} chooses from a list; leave it out, or the names`);
  }
}
