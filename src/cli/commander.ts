/** The command lines that are not plain, and all help, by commander. It is made of the same declarations. */
import { Command as Commander, CommanderError, Option as CommanderOption } from 'commander';
import { nearest } from '../base/nearest.ts';
import { exitCodes } from '../base/exit-codes.ts';
import { type Command, noCommand, type Option } from './command.ts';
import { runHelp } from './run-help.ts';

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
      outputError: (text, write) => write(complaint(text, program, words)),
    })
    .configureHelp({
      subcommandTerm: (command) => `${command.name()} ${command.usage().replace(/ ?\[(?:options|command)\] ?/g, '')}`.trimEnd(),
    });
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

/** The command that a line is for, as deep as its first words name one, and those words. */
function commandOf(
  command: Command,
  [word = '', ...rest]: readonly string[],
  path = 'prisn',
): { command: Command; path: string } {
  const below = command.commands.find(({ name }) => name === word);
  return below ? commandOf(below, rest, `${path} ${word}`) : { command, path };
}

/** A mistake in prisn's words; what is near an unknown option is told as everywhere else. */
function complaint(text: string, program: Command, words: readonly string[]): string {
  const { command, path } = commandOf(program, words);
  const [, missing] = /missing required argument '(.+)'/.exec(text) ?? [];
  if (missing !== undefined) return `prisn: ${path} needs <${missing}>; see ${path} --help\n`;
  const [, strange] = /unknown command '(.+?)'/.exec(text) ?? [];
  if (strange !== undefined) return `prisn: ${noCommand(strange, command, path).message}\n`;
  const [, unknown] = /unknown option '([^'=]+)/.exec(text) ?? [];
  if (unknown === undefined) return text.replace(/^error: /, 'prisn: ');
  const shown = command.options.filter(({ isHidden }) => !isHidden).map(({ long }) => long);
  const near = nearest(unknown, [...shown, '--help']);
  return `prisn: ${path} has no option ${unknown}; ${near ? `did you mean ${near}?` : `see ${path} --help`}\n`;
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
