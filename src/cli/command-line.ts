/**
 * Reads plain command lines: known options written out, a value in the next word or behind `=`, as many arguments as
 * declared. Anything else (help, `-ab`, `--`, a mistake) is left to commander, unread.
 */
import type { Argument, Command, Option } from './command.ts';

/** A word for an option; a flag has none. */
interface Given {
  readonly option: Option;
  readonly text: string | undefined;
}

/** The action of the command that was typed, with its values; undefined where the line is not plain. @throws what parsers of values throw */
export function plainCall(command: Command, words: readonly string[]): (() => void | Promise<void>) | undefined {
  const below = command.commands.find(({ name }) => name === words[0]);
  if (below) return plainCall(below, words.slice(1));
  const { run, passesOptionsOn } = command;
  const line = run && !passesOptionsOn && splitLine(command, words);
  if (!line || !isComplete(command, line.given, line.rest)) return undefined;
  const options = optionValues(command, line.given);
  const values = [...argumentValues(command.arguments, line.rest), options];
  return () => run(...(values as never[]));
}

function splitLine(command: Command, words: readonly string[]): { given: Given[]; rest: string[] } | undefined {
  const given: Given[] = [];
  const rest: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as string;
    if (!word.startsWith('-') || word === '-') {
      rest.push(word);
      continue;
    }
    const equals = word.startsWith('--') ? word.indexOf('=') : -1;
    const name = equals < 0 ? word : word.slice(0, equals);
    const option = command.options.find(({ long, short }) => long === name || short === name);
    if (!option || (option.value === 'none' && equals >= 0)) return undefined;
    let text = equals < 0 ? undefined : word.slice(equals + 1);
    if (option.value === 'required' && text === undefined) {
      text = words[++index];
      if (text === undefined || text.startsWith('-')) return undefined;
    }
    // What follows may be its value or an argument.
    if (option.value === 'optional' && text === undefined && index < words.length - 1) return undefined;
    given.push({ option, text });
  }
  return { given, rest };
}

function isComplete(command: Command, given: readonly Given[], rest: readonly string[]): boolean {
  const declared = command.arguments;
  const least = declared.filter(({ isRequired }) => isRequired).length;
  const most = declared.some(({ isVariadic }) => isVariadic) ? Number.POSITIVE_INFINITY : declared.length;
  // An argument of a command that has others below it may be one of them, mistyped or in another place.
  if (rest.length < least || rest.length > most || (rest.length > 0 && command.commands.length > 0)) return false;
  const has = (key: string): boolean => given.some(({ option }) => option.key === key);
  return (
    command.options.every(({ isRequired, key }) => !isRequired || has(key)) &&
    given.every(({ option: { rival, words }, text = '' }) => (!rival || !has(rival)) && (!words || words.includes(text)))
  );
}

function optionValues(command: Command, given: readonly Given[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const { key, standard } of command.options) if (standard !== undefined) values[key] = standard;
  for (const { option, text } of given) {
    const { key, parse, isNegated } = option;
    values[key] = text === undefined ? !isNegated : parse ? parse(text, values[key] as never) : text;
  }
  return values;
}

function argumentValues(declared: readonly Argument[], rest: readonly string[]): unknown[] {
  return declared.map(({ isVariadic, parse }, index) => {
    if (isVariadic) return rest.slice(index);
    const text = rest[index];
    return text === undefined || !parse ? text : parse(text, undefined as never);
  });
}
