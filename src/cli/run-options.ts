/**
 * The options of `prisn run`: one declaration for the parser of the start path, the help, and whatever else speaks for
 * `run`. No library here: this file is on the path of every run.
 */
import { PrisnError } from '../base/error.ts';
import { nearest } from '../base/nearest.ts';

export interface RunOption {
  readonly long: string;
  readonly short?: string;
  /** What stands for the value in the help; a flag has none. */
  readonly value?: string;
  readonly repeatable?: boolean;
  /** It says something about an execution, so it needs `--detach`. */
  readonly detached?: boolean;
  /** The daemon understands it too (`src/launch.ts`), so the native launcher may send it there. */
  readonly launched?: boolean;
  readonly help: string;
}

export const runOptions = [
  {
    long: '--runtime',
    value: '<id>',
    launched: true,
    help: 'run it with this runtime (prisn runtime list) instead of finding one out',
  },
  {
    long: '--env',
    short: '-e',
    value: '<KEY=VALUE>',
    repeatable: true,
    launched: true,
    help: 'set a variable of its environment (repeatable)',
  },
  {
    long: '--env-file',
    value: '<file>',
    repeatable: true,
    help: 'set the variables of a file of KEY=VALUE lines (repeatable; -e wins)',
  },
  { long: '--workdir', value: '<directory>', launched: true, help: 'run it in this directory' },
  { long: '--timeout', value: '<duration>', help: 'end it after this time, such as 30s or 5m (exit code 124)' },
  { long: '--memory', value: '<size>', help: 'end it when it and its children use more, such as 256mb (exit code 137)' },
  { long: '--cpu', value: '<cores>', help: 'let it use this many cores at most, such as 0.5' },
  { long: '--pids', value: '<n>', help: 'let it have this many processes and threads at most' },
  {
    long: '--with',
    value: '<requirement>',
    repeatable: true,
    help: 'install this for a Python program too, such as requests==2.32 (repeatable)',
  },
  { long: '--python', value: '<version>', help: 'run it with this Python, such as 3.12' },
  { long: '--frozen', help: 'install only what is locked: hashes, uv.lock, package-lock.json' },
  { long: '--no-deps', help: 'install nothing that it needs' },
  { long: '--exec', value: '<code>', help: 'run this code instead of a file (needs --runtime)' },
  {
    long: '--input',
    value: '<json>',
    launched: true,
    help: 'call the default export of a JavaScript program with this value',
  },
  { long: '--detach', short: '-d', help: 'run it in the background: prints the id of its execution' },
  { long: '--name', value: '<name>', detached: true, help: 'with --detach: what the execution is called' },
  { long: '--namespace', short: '-n', value: '<name>', detached: true, help: 'with --detach: the namespace it belongs to' },
  { long: '--server', value: '<address>', detached: true, help: 'with --detach: the server that runs it' },
  { long: '--verbose', short: '-v', launched: true, help: 'say on stderr what is run, how, and why' },
  { long: '--help', short: '-h', help: 'show this help' },
] as const satisfies readonly RunOption[];

export type OptionName = (typeof runOptions)[number]['long'];

export interface RunArguments {
  /** The values of each option in the order given; a flag has one empty value. */
  readonly options: ReadonlyMap<OptionName, readonly string[]>;
  /** The file, `-` for standard input; undefined with `--exec`. */
  readonly file: string | undefined;
  /** What belongs to the program. */
  readonly args: readonly string[];
  /** An option of prisn's that stands after the file, where it is the program's. */
  readonly misplaced: string | undefined;
}

/**
 * Splits the words after `run`. Options end at the first word that is none, or at `--`.
 * @throws PrisnError `usage`
 */
export function parseRunArguments(words: readonly string[]): RunArguments {
  const options = new Map<OptionName, string[]>();
  let index = 0;
  let closed = false;
  for (; index < words.length; index++) {
    const word = words[index] as string;
    if (word === '--') {
      closed = true;
      index++;
      break;
    }
    if (!word.startsWith('-') || word === '-') break;
    const { option, inline } = lookUp(word);
    const value = inline ?? ('value' in option ? words[++index] : '');
    if (value === undefined) throw new PrisnError('usage', `${option.long} needs a value: ${option.long} ${valueOf(option)}`);
    if (inline !== undefined && !('value' in option)) throw new PrisnError('usage', `${option.long} takes no value`);
    const values = options.get(option.long);
    if (values && !('repeatable' in option) && 'value' in option)
      throw new PrisnError('usage', `${option.long} was given twice; give it once`);
    options.set(option.long, values ? [...values, value] : [value]);
  }
  const inlineCode = options.has('--exec');
  const file = inlineCode ? undefined : words[index++];
  const args = words.slice(index);
  return { options, file, args, misplaced: closed ? undefined : args.find(isLongOption) };
}

/** The value of an option that may be given once, or the last of several. */
export function last({ options }: RunArguments, name: OptionName): string | undefined {
  return options.get(name)?.at(-1);
}

function lookUp(word: string): { option: (typeof runOptions)[number]; inline: string | undefined } {
  const equals = word.startsWith('--') ? word.indexOf('=') : -1;
  const name = equals < 0 ? word : word.slice(0, equals);
  const option = runOptions.find((option) => option.long === name || ('short' in option && option.short === name));
  if (option) return { option, inline: equals < 0 ? undefined : word.slice(equals + 1) };
  const attached = runOptions.find((option) => 'short' in option && 'value' in option && name.startsWith(option.short));
  if (attached && !name.startsWith('--')) return { option: attached, inline: name.slice(2) };
  const near = nearest(
    name,
    runOptions.map((option) => option.long),
  );
  const advice = near ? `did you mean ${near}?` : 'see prisn run --help';
  throw new PrisnError('usage', `prisn run has no option ${name}; ${advice} (a file of that name: prisn run -- ${word})`);
}

function valueOf(option: RunOption): string {
  return option.value ?? '';
}

function isLongOption(word: string): boolean {
  const name = word.split('=', 1)[0];
  return runOptions.some((option) => option.long === name && warnsAfterFile(option));
}

/** Whether it is said that an option after the file goes to the program: not of those that programs have too. */
export function warnsAfterFile(option: RunOption): boolean {
  return option.detached !== true && !['--help', '--verbose'].includes(option.long);
}
