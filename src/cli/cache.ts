/** `prisn cache`: what was installed for programs on this machine. */
import { PrisnError } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import { parseDuration } from '../base/units.ts';
import type { ListedEnvironment } from '../environments/environments.ts';
import { ageOf } from './age.ts';
import type { Command } from './command.ts';
import { openEnvironments } from './environments.ts';
import { formatOption, type PlainFormat, structured, tableText, write } from './output.ts';

export function cacheCommand(program: Command, exit: (code: number) => void): void {
  const command = program.command('cache').description('what was installed for programs: list, clean, verify');
  command
    .command('list')
    .description('list the environments of programs, the last used first')
    .addOption(formatOption())
    .action(async ({ output }: { readonly output: PlainFormat }) => list(output));
  command
    .command('clean')
    .description('remove environments that nobody uses at the moment; the next run of a program makes its own anew')
    .argument('[key...]', 'which, by the beginnings of their keys; all of them without')
    .option('--unused <duration>', 'only those that nobody used for this time, such as 30d', (text: string) =>
      parseDuration(text, '--unused'),
    )
    .action(clean);
  command
    .command('verify')
    .description('compare the files of each environment with what was installed, and remove what is damaged')
    .action(async () => exit(await verify()));
}

async function list(format: PlainFormat): Promise<void> {
  const all = await (await openEnvironments()).list();
  if (format === 'table') {
    const rows = all.map(({ key, form, interpreter, bytes, usedAt, source }) => {
      const used = ageOf(usedAt.toISOString());
      return [key.slice(0, shownDigits), form, interpreter, megabytes(bytes), used, source];
    });
    return write(tableText([['KEY', 'FORM', 'FOR', 'SIZE', 'USED', 'FIRST ASKED FOR BY'], ...rows]));
  }
  const items = all.map(({ usedAt, ...environment }) => ({ ...environment, used_at: usedAt.toISOString() }));
  await write(await structured({ items, count: items.length }, format));
}

/** Of a key; as many tell them apart as of a commit. */
const shownDigits = 12;

async function clean(keys: readonly string[], { unused }: { readonly unused?: number }): Promise<void> {
  const environments = await openEnvironments();
  const all = await environments.list();
  for (const key of keys)
    if (!all.some((environment) => environment.key.startsWith(key)))
      throw new PrisnError('not_found', `no environment has a key that begins with '${key}'; see prisn cache list`);
  const before = Date.now() - (unused ?? 0);
  const isMeant = ({ key, usedAt }: ListedEnvironment): boolean =>
    (keys.length === 0 || keys.some((beginning) => key.startsWith(beginning))) && usedAt.getTime() <= before;
  const { removed, inUse } = await environments.clean(isMeant);
  const bytes = removed.reduce((sum, environment) => sum + environment.bytes, 0);
  await write(`removed ${removed.length} of ${all.length}, ${megabytes(bytes)}\n`);
  if (inUse.length > 0) await write(`prisn: ${inUse.length} of them stay, as programs that run use them\n`, 2);
}

async function verify(): Promise<number> {
  const environments = await openEnvironments();
  const problems: string[] = [];
  const { length } = await environments.list();
  const damaged = await environments.verify(({ key, source }, problem) => {
    if (problem !== undefined) problems.push(`prisn: ${key.slice(0, shownDigits)} (${source}): ${problem}; it is removed\n`);
  });
  await write(problems.join(''), 2);
  await write(`${length - damaged} of ${length} are as they were installed\n`);
  return damaged > 0 ? exitCodes.failure : 0;
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}
