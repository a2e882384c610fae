/**
 * The full CLI: every command but `run`, whose own path is shorter (`prisn.ts`). One file a command, and only that of the
 * command that was typed is loaded; all of them for the help.
 */
import { Command, CommanderError, Help } from 'commander';
import { nearest } from '../base/nearest.ts';
import { PrisnError } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import { runHelp } from './run-help.ts';
import { versionText } from './version.ts';

/** Adds a command; one whose exit code is not simply 0 hands it over. */
type Declare = (program: Command, exit: (code: number) => void) => void;

/** In the order of the help. */
const commands: Readonly<Record<string, { readonly group: string; readonly load: () => Promise<Declare> }>> = {
  deploy: { group: 'Deployments:', load: async () => (await import('./deploy.ts')).deployCommand },
  trigger: { group: 'Deployments:', load: async () => (await import('./trigger.ts')).triggerCommand },
  history: { group: 'Deployments:', load: async () => (await import('./history.ts')).historyCommand },
  rollback: { group: 'Deployments:', load: async () => (await import('./rollback.ts')).rollbackCommand },
  diff: { group: 'Deployments:', load: async () => (await import('./diff.ts')).diffCommand },
  scale: { group: 'Deployments:', load: async () => (await import('./scale.ts')).scaleCommand },
  delete: { group: 'Deployments:', load: async () => (await import('./delete.ts')).deleteCommand },
  secret: { group: 'Deployments:', load: async () => (await import('./secret.ts')).secretCommand },
  get: { group: 'What runs, and what ran:', load: async () => (await import('./get.ts')).getCommand },
  describe: { group: 'What runs, and what ran:', load: async () => (await import('./describe.ts')).describeCommand },
  logs: { group: 'What runs, and what ran:', load: async () => (await import('./logs.ts')).logsCommand },
  wait: { group: 'What runs, and what ran:', load: async () => (await import('./wait.ts')).waitCommand },
  cancel: { group: 'What runs, and what ran:', load: async () => (await import('./cancel.ts')).cancelCommand },
  bench: { group: 'What runs, and what ran:', load: async () => (await import('./bench.ts')).benchCommand },
  server: { group: 'The server:', load: async () => (await import('./server.ts')).serverCommand },
  config: { group: 'The server:', load: async () => (await import('./config.ts')).configCommand },
  backup: { group: 'The server:', load: async () => (await import('./backup.ts')).backupCommand },
  restore: { group: 'The server:', load: async () => (await import('./backup.ts')).restoreCommand },
  runtime: { group: 'This machine:', load: async () => (await import('./runtime.ts')).runtimeCommand },
  doctor: { group: 'This machine:', load: async () => (await import('./doctor.ts')).doctorCommand },
  version: { group: 'This machine:', load: async () => (await import('./version.ts')).versionCommand },
};

/** Of commander itself. */
const help = new Help();

/**
 * @param words the command line after `prisn`
 * @returns the exit code
 */
export async function cli(words: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = new Command('prisn')
    .description('Runs your code: a script once, a job on a trigger. One command, no containers.')
    .version(versionText(), '-V, --version', 'show the version')
    .usage('<command> [options]')
    .exitOverride()
    .showHelpAfterError(false)
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'prisn: ').replace(/\n\(Did (.*)\)/, '; did $1')),
    })
    .configureHelp({ subcommandTerm: (command) => help.subcommandTerm(command).replace(' [options]', '') })
    .addHelpText('after', examples);
  const [word = ''] = words;
  refuseUnknown(word);
  if (word === 'help') refuseUnknown(words[1] ?? '');
  await declare(program, word, (code) => {
    exitCode = code;
  });
  if (words.length === 0) {
    program.outputHelp({ error: true });
    return exitCodes.usage;
  }
  try {
    await program.parseAsync(words, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
    throw error;
  }
}

/** The command of this name, or all of them where it is none. */
async function declare(program: Command, word: string, exit: (code: number) => void): Promise<void> {
  const one = commands[word];
  if (one) return (await one.load())(program, exit);
  // Its own parser has taken every `prisn run` before; here it stands in the list and answers `prisn help run`.
  program.commandsGroup('Run:').command('run').description('run a file once, now').helpInformation = runHelp;
  for (const { group, load } of Object.values(commands)) {
    program.commandsGroup(group);
    (await load())(program, exit);
  }
}

const examples = `
Examples:
  prisn run hello.js                      run a script once
  prisn run --timeout 30s crawl.py --all  with a time limit; --all goes to the script
  prisn deploy backup.py                  make it a job
  prisn trigger backup --wait             run the job, see its output
  prisn logs backup                       what it wrote
  prisn doctor                            what can be run, limited and isolated here

Help on a command: prisn <command> --help`;

/** What other tools have at the top. */
const elsewhere: Readonly<Record<string, string>> = {
  status: 'server status',
  start: 'server start',
  stop: 'server stop',
  ps: 'get executions --status Running',
  list: 'get apps',
  ls: 'get apps',
};

/** A file in the place of a command is what a newcomer types first. */
function refuseUnknown(word: string): void {
  const names = ['run', ...Object.keys(commands), 'help'];
  if (word === '' || word.startsWith('-') || names.includes(word)) return;
  const meant = /[./]/.test(word) ? `run ${word}` : (elsewhere[word] ?? nearest(word, names));
  throw new PrisnError('usage', `there is no command '${word}'; ${meant ? `did you mean prisn ${meant}?` : 'see prisn --help'}`);
}
