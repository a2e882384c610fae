/**
 * The full CLI: every command but `run`, whose own path is shorter (`prisn.ts`). One file a command, and only that of the
 * command that was typed is loaded; all of them for the help.
 */
import { readFileSync } from 'node:fs';
import { nearest } from '../base/nearest.ts';
import { PrisnError } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import { Command } from './command.ts';
import { plainCall } from './command-line.ts';
import { write } from './output.ts';
import { versionText } from './version-text.ts';

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
  cache: { group: 'This machine:', load: async () => (await import('./cache.ts')).cacheCommand },
  doctor: { group: 'This machine:', load: async () => (await import('./doctor.ts')).doctorCommand },
  version: { group: 'This machine:', load: async () => (await import('./version.ts')).versionCommand },
};

/**
 * @param words the command line after `prisn`
 * @returns the exit code
 */
export async function cli(words: readonly string[]): Promise<number> {
  if (words[0] === 'help' && words.length > 1) return cli([...words.slice(1), '--help']);
  const [word = ''] = words;
  refuseUnknown(word);
  if (words.length < 2) {
    if (['--version', '-V'].includes(word)) return shown(`${versionText()}\n`);
    const help = ['', '--help', '-h', 'help'].includes(word) && builtHelp();
    if (help) return word === '' ? shown(help, 2, exitCodes.usage) : shown(help);
  }
  let exitCode = 0;
  const program = await declared(word, (code) => {
    exitCode = code;
  });
  const call = plainCall(program, words);
  if (call) {
    await call();
    return exitCode;
  }
  const { readByCommander } = await import('./commander.ts');
  return (await readByCommander(program, versionText(), words)) ?? exitCode;
}

/** The command of this name, or all of them where it is none. */
async function declared(word: string, exit: (code: number) => void): Promise<Command> {
  const program = new Command('prisn');
  const one = commands[word];
  if (one) {
    (await one.load())(program, exit);
    return program;
  }
  program
    .description('Runs your code: a script once, a job on a trigger. One command, no containers.')
    .usage('<command> [options]')
    .note(examples);
  // Its own parser has taken every `prisn run` before; here it stands in the list and answers `prisn help run`.
  program.command('run').usage('<file> [args…]').description('run a file once, now').group = 'Run:';
  for (const { group, load } of Object.values(commands)) {
    const before = program.commands.length;
    (await load())(program, exit);
    for (const command of program.commands.slice(before)) command.group = group;
  }
  return program;
}

/** The help of all, which the build has written down: it takes every command, and commander. */
function builtHelp(): string | undefined {
  try {
    return readFileSync(new URL('help.txt', import.meta.url), 'utf8');
  } catch {
    return undefined;
  }
}

async function shown(text: string, descriptor: 1 | 2 = 1, exitCode = 0): Promise<number> {
  await write(text, descriptor);
  return exitCode;
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
