/** Where the value of a secret comes from: one of a flag, a file, standard input, a question. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { messageOf, PrisnError } from '../base/error.ts';
import { isTerminal } from '../base/terminal.ts';
import { cacheDir, openHome } from './home.ts';
import { askHidden, canAsk } from './prompt.ts';
import { say } from './say.ts';

interface Given {
  readonly value?: string;
  readonly fromFile?: string;
  readonly data?: readonly string[];
}

/** @throws PrisnError `usage` for none, for several, and for what is no text */
export async function readValue(name: string, given: Given): Promise<{ value: string } | { data: Record<string, string> }> {
  const { value, fromFile, data } = given;
  if ([value, fromFile, data].filter((source) => source !== undefined).length > 1)
    throw new PrisnError('usage', '--value, --from-file and --data exclude each other; give one of them');
  if (data !== undefined) return { data: pairs(data) };
  const found = await single(name, value, fromFile);
  if (found === '') throw new PrisnError('usage', `the value of ${name} is empty; nothing was stored`);
  return { value: found };
}

async function single(name: string, value: string | undefined, file: string | undefined): Promise<string> {
  if (value !== undefined) {
    warnOnce();
    return value;
  }
  if (file !== undefined) return valueOf(contentOf(file), `--from-file: '${file}'`);
  if (!isTerminal(0)) return valueOf(await text(process.stdin), 'standard input');
  if (canAsk()) return (await askHidden(`Value of ${name} (it is not shown): `)) ?? '';
  throw new PrisnError('usage', `which value? give --from-file or --data, or pipe it in: … | prisn secret create ${name}`);
}

function pairs(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf('=');
      if (equals > 0) return [word.slice(0, equals), word.slice(equals + 1)];
      // What was typed may be the secret itself, so it is not repeated.
      throw new PrisnError('usage', '--data needs key=value, such as --data password=s3cret');
    }),
  );
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new PrisnError('usage', `--from-file: cannot read '${file}': ${messageOf(error)}`, { cause: error });
  }
}

/** `echo` and editors end a password with a newline that is not meant; a key of several lines needs its own. */
function valueOf(content: string, source: string): string {
  if (content.includes('\0') || content.includes('\uFFFD'))
    throw new PrisnError(
      'usage',
      `${source} is not text (UTF-8 without NUL), which no variable can hold; encode it, in base64 say`,
    );
  const line = content.replace(/\r?\n$/, '');
  return line.includes('\n') ? content : line;
}

/** A shell keeps what is typed, and so may the list of processes. Said once a home. */
function warnOnce(): void {
  const marker = join(cacheDir(process.env), 'warned-of-value-flag');
  if (existsSync(marker)) return;
  openHome(process.env);
  mkdirSync(dirname(marker), { recursive: true, mode: 0o700 });
  writeFileSync(marker, '', { mode: 0o600 });
  say("--value stays in your shell's history; without it prisn asks for the value, or reads it from a pipe (this is said once)");
}
