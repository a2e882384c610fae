/** A command that stands in one word, as its words. */
import { PrisnError } from '../base/error.ts';

/** A word: runs of plain characters, of escaped ones, and of what stands between quotes. */
const word = /(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+/gs;

/**
 * Splits at blanks, with quotes and backslashes as in a shell (POSIX, Shell Command Language, 2.2), and nothing else of one:
 * to start a shell would count.
 * @throws PrisnError `usage`
 */
export function wordsOfCommand(text: string, where: string): string[] {
  if (text.replace(word, '').trim() !== '') throw new PrisnError('usage', `${where}: a quote in '${text}' is not closed`);
  const words = Array.from(text.matchAll(word), ([quoted]) => unquoted(quoted));
  if (words.length === 0) throw new PrisnError('usage', `${where}: name a command, such as ${where} 'python3 x.py'`);
  return words;
}

function unquoted(quoted: string): string {
  return quoted.replace(/'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/gs, (_, single?: string, double?: string, escaped?: string) => {
    return single ?? double?.replace(/\\([$`"\\])/g, '$1') ?? escaped ?? '';
  });
}
