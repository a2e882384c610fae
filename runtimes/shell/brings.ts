/**
 * The files that a shell script sources, and those that these source.
 *
 * A name is known where it is written out. Of `"$(dirname "$0")/lib.sh"`, `"${BASH_SOURCE[0]%/*}/lib.sh"`, `"$HERE/lib.sh"`
 * and their many relatives the last part is: it is looked for beside the script, then in the folders above it.
 */
import { isAbsolute, join, resolve } from 'node:path';
import { type Baggage, isFile } from '../baggage.ts';
import { commandsOf, type Part, type Word } from './commands.ts';

/** @param program absolute path @param cwd absolute path @throws PrisnError `too_large` */
export async function bringSourced(program: string, baggage: Baggage, cwd: string): Promise<void> {
  const open = [program];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    const script = file;
    const variables = new Map<string, Word>();
    for (const words of commandsOf(baggage.read(script) ?? '')) {
      const target = sourcedBy(words, variables);
      if (!target) continue;
      const found = find(target, script, baggage, cwd);
      if (found !== undefined && baggage.add(found)) open.push(found);
    }
  }
}

/** Words before a command that are not its name. */
const before = new Set(['if', 'then', 'else', 'elif', 'do', 'while', 'until', '!', '{', 'time', 'builtin', 'command']);
const declaring = new Set(['export', 'readonly', 'local', 'declare', 'typeset']);

/** Notes assignments. @returns the word after `source` or `.` */
function sourcedBy(words: readonly Word[], variables: Map<string, Word>): Word | undefined {
  for (const [index, word] of words.entries()) {
    const text = literal(word);
    const assignment = assignmentOf(word);
    if (assignment) variables.set(assignment.name, substituted(assignment.value, variables));
    else if (text === '.' || text === 'source') return words[index + 1] && substituted(words[index + 1] as Word, variables);
    else if (text === undefined || !(before.has(text) || declaring.has(text) || text.startsWith('-'))) return undefined;
  }
  return undefined;
}

function assignmentOf([first, ...rest]: Word): { name: string; value: Word } | undefined {
  const [, name, text = ''] = (first && 'text' in first && /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(first.text)) || [];
  return name === undefined ? undefined : { name, value: [{ text }, ...rest] };
}

/** With the value of each variable that the script sets. */
function substituted(word: Word, variables: ReadonlyMap<string, Word>): Word {
  const parts = word.flatMap((part): readonly Part[] => {
    const name = 'expansion' in part ? /^\$(?:(\w+)|\{(\w+)\})$/.exec(part.expansion) : null;
    return (name && variables.get(name[1] ?? name[2] ?? '')) ?? [part];
  });
  return parts.filter((part) => !('text' in part) || part.text !== '').slice(0, maxParts);
}

/** A variable that is set to itself again and again would grow for ever. */
const maxParts = 32;

function literal(word: Word): string | undefined {
  return word.every((part) => 'text' in part) ? word.map(({ text }) => text).join('') : undefined;
}

function find(target: Word, script: string, baggage: Baggage, cwd: string): string | undefined {
  const [first, ...rest] = target;
  const name = literal(target);
  const tail = first && 'expansion' in first ? literal(rest) : undefined;
  const folder = resolve(script, '..');
  const projectFolders = baggage.projectFolders();
  if (name !== undefined && isAbsolute(name)) {
    baggage.note(script, `sources ${name}, an absolute path: it must be there where it runs`);
    return undefined;
  }
  if (name !== undefined) {
    const found = [cwd, folder, baggage.folder].map((place) => join(place, name)).find(isFile);
    if (found === undefined && name.includes('/')) baggage.note(script, `sources '${name}', which is not there`);
    return found;
  }
  const found = tail?.startsWith('/')
    ? [folder, ...projectFolders, cwd].map((place) => join(place, tail)).find(isFile)
    : undefined;
  if (found === undefined) baggage.note(script, 'sources what only its run can tell; that did not come along');
  return found;
}
