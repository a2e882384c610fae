/** `KEY=VALUE` of flags and of files. */
import { readFileSync } from 'node:fs';
import { errnoOf, messageOf, PrisnError } from '../base/error.ts';
import { isEnvKey } from '../model/name.ts';
import { textOf } from './utf8.ts';

/**
 * The variables of `-e`, later ones winning.
 * @param removable whether `KEY-` is understood: it stands for null
 * @throws PrisnError `usage`
 */
export function variables(words: readonly string[], removable: true): Record<string, string | null>;
export function variables(words: readonly string[], removable?: false): Record<string, string>;
export function variables(words: readonly string[], removable = false): Record<string, string | null> {
  const found: Record<string, string | null> = {};
  for (const word of words) {
    const equals = word.indexOf('=');
    const key = equals < 0 ? word.replace(/-$/, '') : word.slice(0, equals);
    const removes = removable && equals < 0 && word.endsWith('-');
    if (!isEnvKey(key) || (equals < 0 && !removes))
      throw new PrisnError(
        'usage',
        `--env: '${word}' is not KEY=VALUE with a key of letters, digits and _; such as -e GREETING=hello${
          removable ? ', or -e GREETING- to remove it' : ''
        }`,
      );
    found[key] = removes ? null : word.slice(equals + 1);
  }
  return found;
}

/** The labels of `--label`, with null for `KEY-`. @throws PrisnError `usage` */
export function labels(words: readonly string[]): Record<string, string | null> {
  return Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf('=');
      if (equals > 0) return [word.slice(0, equals), word.slice(equals + 1)];
      if (equals < 0 && word.length > 1 && word.endsWith('-')) return [word.slice(0, -1), null];
      throw new PrisnError(
        'usage',
        `--label: '${word}' is not KEY=VALUE; such as --label team=data, or --label team- to remove it`,
      );
    }),
  );
}

/** The variables of a file of KEY=VALUE lines. @throws PrisnError `usage` that names the line */
export function envFile(file: string): Record<string, string> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const why = errnoOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${messageOf(error)}`;
    throw new PrisnError('usage', `--env-file: '${file}' ${why}`);
  }
  const text = textOf(bytes, `--env-file: '${file}'`);
  const line = strangeLine(text);
  if (line !== undefined)
    throw new PrisnError('usage', `--env-file: line ${line} of '${file}' is neither KEY=VALUE nor a comment`);
  return process.getBuiltinModule('node:util').parseEnv(text) as Record<string, string>;
}

/** The first line that assigns nothing; node's parser passes over it. A quoted value may hold any number of lines. */
function strangeLine(text: string): number | undefined {
  const quoted = /(=[ \t]*)(["'`])[\s\S]*?\2/g;
  const lines = text.replace(quoted, (all, equals: string) => equals + all.replace(/[^\n]/g, '')).split('\n');
  const index = lines.findIndex((line) => !/^\s*(?:#.*|(?:export\s+)?[A-Za-z_][\w.-]*\s*=.*)?$/.test(line));
  return index < 0 ? undefined : index + 1;
}

/** The value of `--input`, which goes on as the text that it is. @throws PrisnError `usage` where that is no JSON */
export function checkInput<Text extends string | undefined>(text: Text): Text {
  if (text === undefined) return text;
  try {
    JSON.parse(text);
    return text;
  } catch (error) {
    throw new PrisnError('usage', `--input is not JSON (${messageOf(error)}); a string needs its quotes: --input '"text"'`);
  }
}
