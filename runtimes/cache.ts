/**
 * Answers that cost a process to get, kept in one small file between runs.
 *
 * An answer is a key, a value and the files that it depends on, each with its stamp; it counts only while every stamp is
 * the same. So nothing has to be invalidated: a changed interpreter, PATH or version file is another key or stamp. (A
 * second write in the same tick of the clock needs no thought here: a process ran in between.) The file is read whole (a
 * few kB) and replaced whole. Two writers at once lose one answer, which is asked for again. A file that is damaged
 * counts as empty. A folder that cannot be written means no cache, never an error.
 */
import { join } from 'node:path';
import { readOwn, replaceFile, stateOf } from './kept-file.ts';

type Answer = readonly [key: string, value: string, stamps: Readonly<Record<string, string>>];

const fileName = 'interpreters.json';
const maxAnswers = 32;

/** @returns the value kept under `key`, if all that it depends on is unchanged */
export function recall(cacheDir: string, key: string): string | undefined {
  const answer = readAnswers(cacheDir).find(([known]) => known === key);
  if (!answer) return undefined;
  const [, value, stamps] = answer;
  return Object.entries(stamps).every(([path, stamp]) => stateOf(path)?.stamp === stamp) ? value : undefined;
}

/** Keeps `value` under `key` for as long as none of `paths` changes. */
export function remember(cacheDir: string, key: string, value: string, paths: readonly string[]): void {
  const stamps: Record<string, string> = {};
  for (const path of paths) {
    const state = stateOf(path);
    if (!state) return;
    stamps[path] = state.stamp;
  }
  const others = readAnswers(cacheDir).filter(([known]) => known !== key);
  const answer: Answer = [key, value, stamps];
  try {
    replaceFile(join(cacheDir, fileName), JSON.stringify([answer, ...others].slice(0, maxAnswers)));
  } catch {
    // It will be asked for again.
  }
}

function readAnswers(cacheDir: string): Answer[] {
  const text = readOwn(join(cacheDir, fileName));
  if (text === undefined) return [];
  try {
    const data: unknown = JSON.parse(text);
    return Array.isArray(data) ? data.filter(isAnswer) : [];
  } catch {
    return [];
  }
}

function isAnswer(data: unknown): data is Answer {
  if (!Array.isArray(data)) return false;
  const [key, value, stamps] = data as unknown[];
  return typeof key === 'string' && typeof value === 'string' && typeof stamps === 'object' && stamps !== null;
}
