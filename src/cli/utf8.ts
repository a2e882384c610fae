/**
 * What came as bytes and has to be text.
 *
 * Node decodes its arguments and its environment by itself, with U+FFFD in the place of what is not UTF-8, and hands on nothing but
 * UTF-8. The bytes are still to be had from /proc, proc(5); where there is none, nothing can be told.
 */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { PrisnError } from '../base/error.ts';

/** Whether node may have changed it. */
function isSuspect(text: string): boolean {
  return text.includes('\uFFFD');
}

/** @param words the last of the command line @throws PrisnError `usage` for one that is not UTF-8 */
export function checkWords(words: readonly string[]): void {
  if (!words.some(isSuspect)) return;
  const broken = rawWords('cmdline')
    .slice(-words.length)
    .find((word) => !isUtf8(word));
  if (broken === undefined) return;
  const shown = broken
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
  throw new PrisnError(
    'usage',
    `$'${shown}' is not valid UTF-8, and prisn could hand it on changed only; write it in UTF-8, and rename a file of that name`,
  );
}

/** The names of variables that reach a program otherwise than they are. */
export function changedVariables(env: Readonly<Record<string, string>>): string[] {
  if (!Object.values(env).some(isSuspect)) return [];
  return rawWords('environ')
    .filter((word) => !isUtf8(word))
    .map((word) => word.toString().replace(/=.*/s, ''))
    .filter((name) => isSuspect(env[name] ?? ''));
}

/** @param what it is, for the message @throws PrisnError `usage` */
export function textOf(bytes: Uint8Array, what: string): string {
  if (isUtf8(bytes)) return Buffer.from(bytes).toString();
  throw new PrisnError('usage', `${what} is not valid UTF-8, as text has to be here; encode it, in base64 say`);
}

function rawWords(name: 'cmdline' | 'environ'): Buffer[] {
  try {
    const text = readFileSync(`/proc/self/${name}`, 'latin1');
    return text
      .split('\0')
      .slice(0, -1)
      .map((word) => Buffer.from(word, 'latin1'));
  } catch {
    return [];
  }
}
