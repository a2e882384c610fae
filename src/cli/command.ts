/**
 * A command line as data: what each command file declares, by commander's own words.
 *
 * ```
 * declaration (Command, Option) ─┬▶ command-line.ts   plain command lines, at no cost
 *                                └▶ commander.ts      help, mistakes, and all that is not plain
 * ```
 * Commander takes 6 ms to load, a quarter of a Node's whole start, so it is left to those who wait for it: who reads help, or
 * has mistyped. Both read this one declaration, and `test/cli/command-line.test.ts` holds them together.
 */
import { PrisnError } from '../base/error.ts';
import { nearest } from '../base/nearest.ts';

/** Gets the values of the arguments in their order, then the options by their names. */
export type Action = (...values: never[]) => void | Promise<void>;

/** @param before the value so far, of an option that was given before, or has a default */
export type Parse = (text: string, before: never) => unknown;

/** `-o, --output <format>`, `--wait [time]`, `--no-headers`. */
export class Option {
  readonly flags: string;
  readonly description: string;
  readonly short: string | undefined;
  readonly long: string;
  readonly value: 'none' | 'optional' | 'required';
  /** The key among the options of an action. */
  readonly key: string;
  readonly isNegated: boolean;
  parse: Parse | undefined;
  words: readonly string[] | undefined;
  standard: unknown;
  rival: string | undefined;
  isHidden = false;
  isRequired = false;

  constructor(flags: string, description = '') {
    this.flags = flags;
    this.description = description;
    this.short = /^-\w(?=,)/.exec(flags)?.[0];
    this.long = /--[\w-]+/.exec(flags)?.[0] ?? '';
    this.value = flags.endsWith('>') ? 'required' : flags.endsWith(']') ? 'optional' : 'none';
    this.isNegated = this.long.startsWith('--no-');
    this.key = this.long.slice(this.isNegated ? 5 : 2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    if (this.isNegated) this.standard = true;
  }

  choices(words: readonly string[]): this {
    this.words = words;
    return this;
  }

  default(value: unknown): this {
    this.standard = value;
    return this;
  }

  argParser(parse: Parse): this {
    this.parse = parse;
    return this;
  }

  /** @param key of an option that may not be given beside this one */
  conflicts(key: string): this {
    this.rival = key;
    return this;
  }

  hideHelp(): this {
    this.isHidden = true;
    return this;
  }
}

/** `<name>`, `[name]`, `<name...>`. */
export interface Argument {
  readonly text: string;
  readonly description: string;
  readonly parse: Parse | undefined;
  readonly isRequired: boolean;
  readonly isVariadic: boolean;
}

export class Command {
  readonly name: string;
  readonly isHidden: boolean;
  readonly commands: Command[] = [];
  readonly options: Option[] = [];
  readonly arguments: Argument[] = [];
  /** What stands below the help, in this order. */
  readonly notes: string[] = [];
  group: string | undefined;
  about = '';
  short: string | undefined;
  shape: string | undefined;
  run: Action | undefined;
  /** Options after the name of a subcommand are that one's, though this has options of the same names. */
  hasPositionalOptions = false;
  /** Options after its first argument belong to something else. */
  passesOptionsOn = false;

  constructor(name: string, isHidden = false) {
    this.name = name;
    this.isHidden = isHidden;
  }

  /** Adds a command below this one. */
  command(name: string, { hidden = false }: { readonly hidden?: boolean } = {}): Command {
    const command = new Command(name, hidden);
    this.commands.push(command);
    return command;
  }

  description(text: string): this {
    this.about = text;
    return this;
  }

  /** Its line in the help of the command above, where that is not its description. */
  summary(text: string): this {
    this.short = text;
    return this;
  }

  usage(text: string): this {
    this.shape = text;
    return this;
  }

  argument(text: string, description = '', parse?: Parse): this {
    const isRequired = text.startsWith('<');
    this.arguments.push({ text, description, parse, isRequired, isVariadic: /\.\.\.[>\]]$/.test(text) });
    return this;
  }

  option(flags: string, description = '', parse?: Parse, standard?: unknown): this {
    const option = new Option(flags, description);
    if (parse !== undefined) option.argParser(parse);
    if (standard !== undefined) option.default(standard);
    return this.addOption(option);
  }

  requiredOption(flags: string, description: string, parse: Parse): this {
    const option = new Option(flags, description).argParser(parse);
    option.isRequired = true;
    return this.addOption(option);
  }

  addOption(option: Option): this {
    // `--no-x` beside `--x`: neither given says nothing.
    if (option.isNegated && this.options.some(({ key }) => key === option.key)) option.standard = undefined;
    this.options.push(option);
    return this;
  }

  note(text: string): this {
    this.notes.push(text);
    return this;
  }

  enablePositionalOptions(): this {
    this.hasPositionalOptions = true;
    return this;
  }

  passThroughOptions(): this {
    this.passesOptionsOn = true;
    return this;
  }

  action(run: Action): this {
    this.run = run;
    return this;
  }
}

/** @param path of the command above, as it is typed */
export function noCommand(word: string, { commands }: Command, path: string): PrisnError {
  const names = commands.map(({ name }) => name);
  const meant = word === 'restart' && names.includes('stop') ? 'stop, and then start' : nearest(word, names);
  const advice = meant === undefined ? `there are ${names.join(', ')}` : `did you mean ${meant}?`;
  return new PrisnError('usage', `there is no command '${path} ${word}'; ${advice}`);
}
