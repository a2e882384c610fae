/** `prisn config list | get | set | unset`: the settings of the server, and where each comes from. */
import type { Command } from './command.ts';
import { availableParallelism } from 'node:os';
import { readRecord } from '../client/record.ts';
import { flagOf, formatSetting, resolveSettings, settingNames, settings, variableOf } from '../model/settings.ts';
import { configPath, removeSetting, settingName, writeSetting } from './config-file.ts';
import { homeDir, openHome } from './home.ts';
import { formatOption, type PlainFormat, structured, tableText, write } from './output.ts';
import { say } from './say.ts';
import { loadSettings } from './settings.ts';

export function configCommand(program: Command): void {
  const config = program.command('config').description('the settings of the server');
  config
    .command('list')
    .description('all settings, and where each comes from')
    .addOption(formatOption())
    .action(async ({ output }: { output: PlainFormat }) => list(output));
  config.command('get').description('one setting').argument('<name>').action(get);
  config
    .command('set')
    .description('write a setting into config.toml')
    .argument('<name>')
    .argument('<value>')
    .note('\nExamples:\n  prisn config set concurrency 8\n  prisn config set timeout 10m')
    .action(set);
  config.command('unset').description('take a setting out of config.toml').argument('<name>').action(unset);
}

async function list(format: PlainFormat): Promise<void> {
  const resolved = await loadSettings(homeDir(process.env), {}, process.env);
  const items = settingNames.map((name) => ({
    name,
    value: formatSetting(name, resolved.settings[name]),
    source: resolved.sources[name],
    flag: flagOf(name),
    variable: variableOf(name),
    help: settings[name].help,
  }));
  if (format !== 'table') return write(await structured({ file: configPath(homeDir(process.env)), items }, format));
  const rows = items.map(({ name, value, source, help }) => [name, value || '-', source, help]);
  await write(tableText([['NAME', 'VALUE', 'SOURCE', 'WHAT IT IS'], ...rows]));
}

async function get(word: string): Promise<void> {
  const name = settingName(word);
  const resolved = await loadSettings(homeDir(process.env), {}, process.env);
  await write(`${formatSetting(name, resolved.settings[name])}\n`);
}

function set(word: string, value: string): void {
  const name = settingName(word);
  const home = openHome(process.env);
  // What the server would refuse is not written.
  resolveSettings({ flags: {}, variables: {}, file: { [name]: value } }, { home, cores: availableParallelism() });
  writeSetting(home, name, value);
  tellWhen(home, name);
}

function unset(word: string): void {
  const home = openHome(process.env);
  // A key of the file that is no setting can be taken out as well: the server refuses it.
  if (removeSetting(home, word)) {
    const name = settingNames.find((known) => known === word);
    if (name) tellWhen(home, name);
    return;
  }
  const name = settingName(word);
  say(`${configPath(home)} does not set ${name}; nothing was changed`);
}

/** When the change shows, where that is not obvious. */
function tellWhen(home: string, name: (typeof settingNames)[number]): void {
  if (process.env[variableOf(name)]) say(`${variableOf(name)} is set, and wins over the file`);
  if (readRecord(home)) say('the server that runs keeps its settings until it is started again: prisn server stop');
}
