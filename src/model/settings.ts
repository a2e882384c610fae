/**
 * Every setting of the server, declared once: flag, variable, key in the file, default, help. `prisn server`'s flags,
 * `prisn config` and the docs come from this table. Of several places the flag wins, then the variable, then the file.
 *
 * The flag is `--` and the key with dashes, the variable `PRISN_` and the key in capitals: `log_level`, `--log-level`,
 * `PRISN_LOG_LEVEL`.
 */
import { PrisnError } from '../base/error.ts';
import { formatBytes, formatDuration, parseBytes, parseDuration } from '../base/units.ts';
import { formatListenAddress, type ListenAddress, parseListenAddress } from './listen-address.ts';

/** How values are written, checked and shown. */
interface Kind<T> {
  /** What stands for a value in the help. */
  readonly value: string;
  /** @throws PrisnError `usage` */
  parse(text: string, name: string): T;
  format(value: T): string;
}

const path: Kind<string> = { value: '<path>', parse: nonEmpty, format: (value) => value };
const address: Kind<ListenAddress | 'off'> = {
  value: '<host:port>',
  parse: (value, name) => (value === 'off' ? value : parseListenAddress(value, name)),
  format: (value) => (value === 'off' ? value : formatListenAddress(value)),
};
const duration: Kind<number> = { value: '<duration>', parse: parseDuration, format: formatDuration };
const bytes: Kind<number> = { value: '<size>', parse: parseBytes, format: formatBytes };
const names: Kind<readonly string[]> = {
  value: '<name,…>',
  parse: (value) =>
    value
      .split(',')
      .map((name) => name.trim().toLowerCase())
      .filter((name) => name !== ''),
  format: (value) => value.join(','),
};

function count(least: number, most: number): Kind<number> {
  return {
    value: '<n>',
    parse: (value, name) => {
      const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
      if (number >= least && number <= most) return number;
      throw new PrisnError('usage', `${name}: '${value}' is not a whole number from ${least} to ${most}`);
    },
    format: String,
  };
}

function choice<const Words extends readonly string[]>(words: Words): Kind<Words[number]> {
  return {
    value: `<${words.join('|')}>`,
    parse: (value, name) => {
      const found = words.find((word) => word === value);
      if (found !== undefined) return found;
      throw new PrisnError('usage', `${name}: '${value}' is none of ${words.join(', ')}`);
    },
    format: String,
  };
}

function nonEmpty(value: string, name: string): string {
  if (value !== '') return value;
  throw new PrisnError('usage', `${name} needs a path`);
}

export interface Surroundings {
  /** Absolute path of `PRISN_HOME`. */
  readonly home: string;
  readonly cores: number;
}

interface Setting<T> {
  readonly kind: Kind<T>;
  readonly default: (surroundings: Surroundings) => T;
  readonly help: string;
}

function setting<T>(kind: Kind<T>, value: T | ((surroundings: Surroundings) => T), help: string): Setting<T> {
  return { kind, default: typeof value === 'function' ? (value as (surroundings: Surroundings) => T) : () => value, help };
}

export const settings = {
  addr: setting(
    address,
    { host: '127.0.0.1', port: 7331 },
    'where HTTP is served: a loopback address with a port, or off for the socket alone',
  ),
  socket: setting(path, ({ home }) => `${home}/prisn.sock`, 'path of the unix socket'),
  data_dir: setting(path, ({ home }) => `${home}/data`, 'folder of everything that is stored'),
  log_level: setting(choice(['debug', 'info', 'warn', 'error']), 'info', 'what the server tells in its log'),
  public_host: setting(names, [], 'host names under which web hooks arrive; they reach /fn and nothing else'),
  concurrency: setting(count(1, 10_000), ({ cores }) => 2 * cores, 'executions in processes at once'),
  isolate_concurrency: setting(count(1, 10_000), ({ cores }) => 16 * cores, 'executions in isolates at once'),
  isolate_threads: setting(count(1, 256), ({ cores }) => cores, 'threads of an isolate host'),
  isolate_memory: setting(bytes, 2 ** 30, 'memory of an isolate host, all its isolates together'),
  isolate_hosts: setting(
    count(0, 10_000),
    8,
    'isolate hosts, one a namespace, that are kept for four minutes though they run nothing',
  ),
  fork_servers: setting(count(0, 64), 8, 'warm interpreters that Python programs are forked from, at most; 0 starts each anew'),
  fork_idle: setting(duration, 5 * 60_000, 'when a fork server that has nothing to do ends'),
  fork_memory: setting(bytes, 512 * 2 ** 20, 'memory of all fork servers together; idle ones end above it'),
  queue: setting(count(0, 1_000_000), 20_000, 'executions that may wait; beyond that they are refused'),
  timeout: setting(duration, 3_600_000, 'wall clock of an attempt, where neither deployment nor request says'),
  retention_age: setting(duration, 7 * 86_400_000, 'how long ended executions are kept'),
  retention_count: setting(count(0, 100_000_000), 100_000, 'how many ended executions are kept'),
  output_limit: setting(bytes, 10 * 2 ** 20, 'output of an execution that is kept, a stream; head and tail of longer ones'),
  body_limit: setting(bytes, 10 * 2 ** 20, 'size of a request'),
  bundle_limit: setting(bytes, 100 * 2 ** 20, 'size of an uploaded bundle, compressed'),
  build_timeout: setting(duration, 10 * 60_000, 'how long it may take to install what a program needs'),
  environments_size: setting(bytes, 10 * 2 ** 30, 'size of all that was installed for programs; what is unused for longest goes'),
  sync: setting(
    choice(['on', 'off']),
    'on',
    'whether what is accepted is synced to the disk before it is answered; off is faster, and a power cut loses the last moments',
  ),
  drain: setting(duration, 30_000, 'how long a server that stops waits for what runs'),
  idle_exit: setting(duration, 15 * 60_000, 'when a server that was started by itself, has nothing deployed and is idle, leaves'),
} as const;

export type SettingName = keyof typeof settings;
export type Settings = { readonly [Name in SettingName]: (typeof settings)[Name] extends Setting<infer T> ? T : never };

export const settingNames = Object.keys(settings) as SettingName[];

export function flagOf(name: SettingName): string {
  return `--${name.replaceAll('_', '-')}`;
}

export function variableOf(name: SettingName): string {
  return `PRISN_${name.toUpperCase()}`;
}

/** Where the value of a setting comes from. */
export type Source = 'default' | 'file' | 'variable' | 'flag';

export interface Resolved {
  readonly settings: Settings;
  readonly sources: Readonly<Record<SettingName, Source>>;
}

/** What each place says, as text by name of the setting, flag or variable. */
export interface Given {
  readonly flags: Readonly<Partial<Record<SettingName, string>>>;
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly file: Readonly<Partial<Record<SettingName, string>>>;
}

/** @throws PrisnError `usage` that names the flag, the variable or the key of the file */
export function resolveSettings(given: Given, surroundings: Surroundings): Resolved {
  const values: Record<string, unknown> = {};
  const sources: Record<string, Source> = {};
  for (const name of settingNames) {
    const { value, source } = resolveOne(name, given, surroundings);
    values[name] = value;
    sources[name] = source;
  }
  return { settings: values as Settings, sources: sources as Record<SettingName, Source> };
}

function resolveOne(
  name: SettingName,
  { flags, variables, file }: Given,
  surroundings: Surroundings,
): { value: unknown; source: Source } {
  const setting: Setting<unknown> = settings[name];
  const places: readonly (readonly [Source, string | undefined, string])[] = [
    ['flag', flags[name], flagOf(name)],
    ['variable', variables[variableOf(name)] || undefined, variableOf(name)],
    ['file', file[name], `${name} in config.toml`],
  ];
  const found = places.find(([, text]) => text !== undefined);
  if (found === undefined) return { value: setting.default(surroundings), source: 'default' };
  const [source, text, where] = found;
  return { value: setting.kind.parse(text as string, where), source };
}

/** The value as a user would write it. */
export function formatSetting(name: SettingName, value: Settings[SettingName]): string {
  const { kind } = settings[name] as Setting<unknown>;
  return kind.format(value);
}
