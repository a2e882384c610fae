/** The command lines that are not plain, and all help, by commander. It is made of the same declarations. */
import { Command as Commander, CommanderError, Help, Option as CommanderOption } from 'commander';
import { exitCodes } from '../base/exit-codes.ts';
import type { Command, Option } from './command.ts';
import { runHelp } from './run-help.ts';

/** Of commander itself. */
const help = new Help();

/**
 * @param program the whole, or the part of it that was asked for
 * @param words the command line after `prisn`
 * @returns the exit code, if commander dealt with it by itself; undefined after an action
 */
export async function readByCommander(program: Command, version: string, words: readonly string[]): Promise<number | undefined> {
  const root = new Commander(program.name)
    .version(version, '-V, --version', 'show the version')
    .exitOverride()
    .showHelpAfterError(false)
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'prisn: ').replace(/\n\(Did (.*)\)/, '; did $1')),
    })
    .configureHelp({ subcommandTerm: (command) => help.subcommandTerm(command).replace(' [options]', '') });
  fill(root, program);
  if (words.length === 0) {
    root.outputHelp({ error: true });
    return exitCodes.usage;
  }
  try {
    await root.parseAsync(words, { from: 'user' });
    return undefined;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
    throw error;
  }
}

function fill(target: Commander, command: Command): void {
  const { about, short, shape, notes, hasPositionalOptions, passesOptionsOn, run } = command;
  target.description(about);
  if (short !== undefined) target.summary(short);
  if (shape !== undefined) target.usage(shape);
  if (hasPositionalOptions) target.enablePositionalOptions();
  if (passesOptionsOn) target.passThroughOptions();
  for (const option of command.options) target.addOption(optionOf(option));
  for (const { text, description, parse } of command.arguments)
    if (parse) target.argument(text, description, parse as (text: string, before: unknown) => unknown);
    else target.argument(text, description);
  for (const note of notes) target.addHelpText('after', note);
  if (run) target.action(run as (...values: unknown[]) => void | Promise<void>);
  for (const below of command.commands) {
    if (below.group !== undefined) target.commandsGroup(below.group);
    const made = target.command(below.name, { hidden: below.isHidden });
    // `prisn run` has a parser and a help of its own.
    if (command.name === 'prisn' && below.name === 'run') made.helpInformation = runHelp;
    fill(made, below);
  }
}

function optionOf({
  flags,
  description,
  words,
  parse,
  standard,
  isNegated,
  rival,
  isHidden,
  isRequired,
}: Option): CommanderOption {
  const option = new CommanderOption(flags, description);
  if (words) option.choices(words);
  if (parse) option.argParser(parse as (text: string, before: unknown) => unknown);
  if (standard !== undefined && !isNegated) option.default(standard);
  if (rival !== undefined) option.conflicts(rival);
  return option.hideHelp(isHidden).makeOptionMandatory(isRequired);
}
