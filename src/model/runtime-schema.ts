/**
 * What each field of a runtime may hold. What a user wrote becomes a runtime here, or a list of problems, each with the
 * path of what is wrong, by which the reader of the file finds its line. The runtimes that prisn brings pass it too, says
 * `test/model/runtime-schema.test.ts`.
 */
import { nearest } from '../base/nearest.ts';
import type { BuildStep, DependencyStep, ProcessRuntime, VersionCheck } from './runtime.ts';

export interface Problem {
  /** Keys from the top, such as `['version', 'pattern']`; the last need not be there. */
  readonly path: readonly string[];
  /** Such as `extensions must be a list of strings, each with its dot, such as ".awk"`. */
  readonly message: string;
}

/** What a key may hold. */
interface Rule {
  /** Ends the sentence "KEY must be …". */
  readonly must: string;
  readonly holds: (value: unknown) => boolean;
  readonly required?: boolean;
  /** Keys of a table, which are looked at each by itself. */
  readonly keys?: Rules;
}

type Rules = Readonly<Record<string, Rule>>;

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
const isTextTable = (value: unknown): boolean => isTable(value) && Object.values(value).every((item) => typeof item === 'string');

const text: Rule = { must: 'a string', holds: isText };

function texts(such: string, form = /./): Rule {
  return {
    must: `a list of strings${such}`,
    holds: (value) => Array.isArray(value) && value.every((item) => isText(item) && form.test(item)),
  };
}

/** A list of strings that has all these placeholders, `{args}` as an item of its own. */
function template(...placeholders: readonly string[]): Rule {
  const lacks = (items: readonly string[]) => (name: string) => !items.some((item) => item.includes(name));
  const has = placeholders.map((name) => (name === '{args}' ? `${name} as an item` : name));
  return {
    must: `a list of strings with ${has.join(' and ')}`,
    holds: (value) =>
      Array.isArray(value) &&
      value.every((item) => typeof item === 'string' && (item === '{args}' || !item.includes('{args}'))) &&
      !placeholders.some(lacks(value as string[])),
  };
}

function table(keys: Rules): Rule {
  return { must: `a table with ${Object.keys(keys).join(', ')}`, holds: isTable, keys };
}

const textTable: Rule = { must: 'a table of strings', holds: isTextTable };
const words = (such: string): Rule => texts(such, /^[^\s/]+$/);
const named = (rule: Rule): Rule => ({ ...rule, required: true });

const version = {
  args: named(texts(' that make the command print its version')),
  pattern: named({ must: 'a regular expression whose first group is the version', holds: hasGroup }),
  minimum: { must: 'a string such as "3.8"', holds: (value) => isText(value) && /^\d+(?:\.\d+)*$/.test(value) },
} satisfies Record<keyof VersionCheck, Rule>;

const build = {
  args: named(template('{file}', '{out}')),
  inputs: template('{file}'),
  variables: texts(', names of variables', /^[A-Za-z_][A-Za-z0-9_]*$/),
} satisfies Record<keyof BuildStep, Rule>;

const dependencies = {
  install: named(texts(', a command line')),
  env: textTable,
} satisfies Record<keyof DependencyStep, Rule>;

const fields = {
  id: named({
    must: 'a string of up to 32 small letters, digits, - and _, which begins with a letter',
    holds: (value) => isText(value) && /^[a-z][a-z0-9_-]{0,31}$/.test(value),
  }),
  name: text,
  aliases: words(', words for --runtime'),
  extensions: texts(', each with its dot and in small letters, such as ".awk"', /^\.[^\s./A-Z]+$/),
  manifests: words(', names of files'),
  shebangs: words(', names of interpreters'),
  ambiguous: { must: 'true or false', holds: (value) => typeof value === 'boolean' },
  command: named({
    must: 'a string, or a list of strings of which the first that is found is taken',
    holds: (value) => isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
  }),
  prefixes: words(', names of variables that hold the folder of an installation'),
  args: template('{file}', '{args}'),
  exec: template('{code}', '{args}'),
  stdin: template('{args}'),
  build: table(build),
  env: textTable,
  version: table(version),
  fallback: { must: 'an absolute path', holds: (value) => isText(value) && value.startsWith('/') },
  install: textTable,
  dependencies: table(dependencies),
  hello: text,
} satisfies Record<Exclude<keyof ProcessRuntime, 'kind'>, Rule>;

/** All keys of a file, for the documentation. */
export const runtimeKeys: readonly string[] = Object.entries<Rule>(fields).flatMap(([key, { keys }]) =>
  keys ? Object.keys(keys).map((inner) => `${key}.${inner}`) : [key],
);

type Written = Omit<Partial<ProcessRuntime>, 'command' | 'build' | 'dependencies'> & {
  readonly id: string;
  readonly command: string | readonly string[];
  readonly build?: Partial<BuildStep> & Pick<BuildStep, 'args'>;
  readonly dependencies?: Partial<DependencyStep> & Pick<DependencyStep, 'install'>;
};

/**
 * @param data what a user wrote, as parsed
 * @returns the runtime with all that was left out, or all problems
 */
export function readRuntime(
  data: Readonly<Record<string, unknown>>,
): { readonly runtime: ProcessRuntime } | { readonly problems: readonly Problem[] } {
  const rules = isTable(data['build']) ? { ...fields, args: template('{args}') } : { ...fields, args: named(fields.args) };
  const problems = problemsOf(data, rules, []);
  return problems.length > 0 ? { problems } : { runtime: complete(data as unknown as Written) };
}

function complete(written: Written): ProcessRuntime {
  const { command, build: step, dependencies: needs, args = ['{args}'], ...rest } = written;
  return {
    name: written.id,
    aliases: [],
    extensions: [],
    manifests: [],
    shebangs: [],
    prefixes: [],
    env: {},
    install: {},
    ...rest,
    kind: 'process',
    command: typeof command === 'string' ? [command] : command,
    args,
    ...(step && { build: { variables: [], ...step } }),
    ...(needs && { dependencies: { env: {}, ...needs } }),
  };
}

function problemsOf(data: Readonly<Record<string, unknown>>, rules: Rules, above: readonly string[]): Problem[] {
  const known = Object.keys(rules);
  const unknown = Object.keys(data).filter((key) => !Object.hasOwn(rules, key));
  const missing = known.filter((key) => rules[key]?.required === true && !Object.hasOwn(data, key));
  const inside = above.length === 0 ? 'a runtime' : above.join('.');
  return [
    ...unknown.map((key) => ({ path: [...above, key], message: unknownKey(key, inside, known) })),
    ...missing.map((key) => ({ path: above, message: `${[...above, key].join('.')} is missing: ${rules[key]?.must}` })),
    ...known.flatMap((key) => (Object.hasOwn(data, key) ? problemsWith(data[key], rules[key] as Rule, [...above, key]) : [])),
  ];
}

function problemsWith(value: unknown, rule: Rule, path: readonly string[]): Problem[] {
  if (!rule.holds(value)) return [{ path, message: `${path.join('.')} must be ${rule.must}` }];
  return rule.keys ? problemsOf(value as Readonly<Record<string, unknown>>, rule.keys, path) : [];
}

function unknownKey(key: string, inside: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return `${inside} has no '${key}'; ${meant === undefined ? `there are ${known.join(', ')}` : `did you mean ${meant}?`}`;
}

function hasGroup(value: unknown): boolean {
  if (!isText(value)) return false;
  try {
    // With an alternative that matches nothing, any text shows how many groups there are.
    return (new RegExp(`${value}|`).exec('')?.length ?? 0) > 1;
  } catch {
    return false;
  }
}
