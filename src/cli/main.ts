/** The full CLI: every command but `run`, whose own path is shorter (`prisn.ts`). One file a command. */
import { Command, CommanderError } from 'commander';
import { nearest } from '../base/nearest.ts';
import { PrisnError } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import { doctorCommand } from './doctor.ts';
import { runHelp } from './run-help.ts';
import { runtimeCommand } from './runtime.ts';
import { versionCommand, versionText } from './version.ts';

/**
 * @param words the command line after `prisn`
 * @returns the exit code
 */
export async function cli(words: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = new Command('prisn')
    .description('Runs your code: a script once, now. One command, no containers.')
    .version(versionText(), '-V, --version', 'show the version')
    .usage('<command> [options]')
    .exitOverride()
    .showHelpAfterError(false)
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'prisn: ').replace(/\n\(Did (.*)\)/, '; did $1')),
    })
    .addHelpText('after', examples);
  // Its own parser has taken every `prisn run` before; here it stands in the list and answers `prisn help run`.
  program.command('run').description('run a file once, in the foreground').helpInformation = runHelp;
  for (const command of [runtimeCommand, doctorCommand, versionCommand]) {
    command(program, (code) => {
      exitCode = code;
    });
  }
  if (words.length === 0) {
    program.outputHelp({ error: true });
    return exitCodes.usage;
  }
  refuseUnknown(program, words[0] as string);
  try {
    await program.parseAsync(words, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
    throw error;
  }
}

const examples = `
Examples:
  prisn run hello.js                      run a script once
  prisn run --timeout 30s crawl.py --all  with a time limit; --all goes to the script
  prisn runtime list                      what can be run here
  prisn doctor                            what can be limited and isolated here

Help on a command: prisn <command> --help`;

/** A file in the place of a command is what a newcomer types first. */
function refuseUnknown(program: Command, word: string): void {
  if (word.startsWith('-')) return;
  const names = [...program.commands.map((command) => command.name()), 'help'];
  if (names.includes(word)) return;
  const meant = /[./]/.test(word) ? `run ${word}` : nearest(word, names);
  throw new PrisnError('usage', `there is no command '${word}'; ${meant ? `did you mean prisn ${meant}?` : 'see prisn --help'}`);
}
