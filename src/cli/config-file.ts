/**
 * `config.toml` in `PRISN_HOME`: settings as `key = value`.
 *
 * It belongs to its user, who writes comments into it, so it is changed in place: one value is replaced, one line added or
 * taken out, and all other bytes stay. Where a value begins and ends the TOML parser itself says: a statement is the least
 * number of lines that it accepts.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { errnoOf, messageOf, PrisnError } from '../base/error.ts';
import { nearest } from '../base/nearest.ts';
import { realPath } from '../base/real-path.ts';
import { type SettingName, settingNames } from '../model/settings.ts';

export type ConfigValues = Readonly<Partial<Record<SettingName, string>>>;

export function configPath(home: string): string {
  return join(home, 'config.toml');
}

/**
 * @returns each setting of the file as the text that a flag would have; none when there is no file
 * @throws PrisnError `usage` with the line, for what is no TOML, an unknown key and a value that cannot be a setting's
 */
export function readConfig(home: string): ConfigValues {
  const path = configPath(home);
  const text = readText(path);
  const values: Partial<Record<SettingName, string>> = {};
  for (const [key, value] of Object.entries(parseWhole(text, path))) {
    const line = lineOf(text, key);
    values[keyOf(key, path, line)] = textOf(value, `${path}, line ${line}: ${key}`);
  }
  return values;
}

/** @throws PrisnError `usage` */
export function settingName(text: string): SettingName {
  const found = settingNames.find((name) => name === text);
  if (found) return found;
  const meant = nearest(text.replaceAll('-', '_'), settingNames);
  throw new PrisnError(
    'usage',
    `there is no setting '${text}'; ${meant ? `did you mean ${meant}?` : `there are ${settingNames.join(', ')}`}`,
  );
}

/** @param path of the file @throws PrisnError `usage` that says how to get rid of it */
function keyOf(text: string, path: string, line: number): SettingName {
  const found = settingNames.find((name) => name === text);
  if (found) return found;
  const meant = nearest(text.replaceAll('-', '_'), settingNames);
  throw new PrisnError(
    'usage',
    `${path}, line ${line}: there is no setting '${text}'${meant ? `, did you mean ${meant}` : ''}; ` +
      `change or remove the line, or: prisn config unset ${text}`,
  );
}

/** Changes or adds one setting. */
export function writeSetting(home: string, name: SettingName, value: string): void {
  // The server would refuse the file for another key all the same.
  readConfig(home);
  change(home, (text) => withSetting(text, name, value));
}

/** @param name of a setting, or a key that is none @returns whether it was there */
export function removeSetting(home: string, name: string): boolean {
  return change(home, (text) => withoutSetting(text, name));
}

/** The text with one value changed, or with a line more. */
export function withSetting(text: string, name: SettingName, value: string): string {
  const literal = /^\d{1,15}$/.test(value) ? value : JSON.stringify(value);
  const found = statements(text).find((statement) => statement.key === name);
  if (!found) {
    const eol = text.includes('\r\n') ? '\r\n' : '\n';
    return `${text}${text === '' || text.endsWith('\n') ? '' : eol}${name} = ${literal}${eol}`;
  }
  const statement = text.slice(found.start, found.end);
  const from = /^[^=]*=[ \t]*/.exec(statement)?.[0].length ?? 0;
  return text.slice(0, found.start + from) + literal + text.slice(found.start + endOfValue(statement));
}

/** The text without a setting, its own comment on the same line included. */
export function withoutSetting(text: string, name: string): string {
  const found = statements(text).find((statement) => statement.key === name);
  return found ? text.slice(0, found.start) + text.slice(found.end) : text;
}

interface Statement {
  readonly key: string;
  /** Offsets in the text; the end is after the line's end. */
  readonly start: number;
  readonly end: number;
}

function statements(text: string): Statement[] {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const found: Statement[] = [];
  let start = 0;
  for (let i = 0; i < lines.length; ) {
    let part = '';
    let keys: string[] | undefined;
    while (i < lines.length && keys === undefined) {
      part += lines[i++];
      keys = keysOf(part);
    }
    const [key] = keys ?? [];
    if (key !== undefined) found.push({ key, start, end: start + part.length });
    start += part.length;
  }
  return found;
}

/** @returns undefined for what is not whole */
function keysOf(part: string): string[] | undefined {
  try {
    return Object.keys(parse(part));
  } catch {
    return undefined;
  }
}

/** Where the value of a statement ends: before the blanks and the comment that may follow it. */
function endOfValue(statement: string): number {
  const whole = JSON.stringify(parse(statement));
  for (let end = statement.indexOf('=') + 1; end < statement.length; end++) {
    const head = statement.slice(0, end);
    // A number is whole after its first digit already, so the value has to be the same.
    if (keysOf(head) !== undefined && JSON.stringify(parse(head)) === whole) return end;
  }
  return statement.length;
}

function change(home: string, edit: (text: string) => string): boolean {
  const path = configPath(home);
  const before = readText(path);
  // A file that is not understood is not changed either.
  parseWhole(before, path);
  const after = edit(before);
  if (after === before) return false;
  writeWhole(path, after);
  return true;
}

/** A link stays one: the file that it leads to is replaced. */
function writeWhole(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const target = realPath(path);
    const draft = `${target}.${process.pid}`;
    writeFileSync(draft, text, { mode: 0o600, flush: true });
    renameSync(draft, target);
  } catch (error) {
    throw new PrisnError('usage', `cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw new PrisnError('usage', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

function parseWhole(text: string, path: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [what = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw new PrisnError('usage', `${path}, line ${error.line}: ${what}`, { cause: error });
  }
}

function lineOf(text: string, key: string): number {
  const start = statements(text).find((statement) => statement.key === key)?.start ?? 0;
  return text.slice(0, start).split('\n').length;
}

function textOf(value: unknown, where: string): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(',');
  throw new PrisnError('usage', `${where} is no value of a setting; write a text in quotes or a number`);
}
