/**
 * Which paths `.gitignore` and `.prisnignore` leave out, as gitignore(5) says.
 *
 * All files of rules make one list, from the top down: a rule of a folder is written anew as one of the top, so that
 * the last match decides and what a deeper folder takes back is back. The package `ignore` matches (its case is made
 * git's); the files of a user's own settings, `core.excludesFile` and `.git/info/exclude`, are not asked.
 */
import ignore from 'ignore';

/** In this order: where both have a word about a path, `.prisnignore` has the last. */
export const ruleFiles = ['.gitignore', '.prisnignore'] as const;

export class IgnoreRules {
  readonly #rules = ignore({ ignorecase: false });

  /**
   * @param folder where the rules stand, relative to the top, empty for the top itself
   * @param file name of the file of rules
   * @param text its content
   */
  add(folder: string, file: string, text: string): void {
    const mark = folder === '' ? file : `${folder}/${file}`;
    for (const line of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
      if (line.trim() !== '' && !line.startsWith('#')) this.#rules.add({ pattern: rooted(folder, line), mark });
    }
  }

  /**
   * @param path relative to the top; a folder ends with a slash
   * @returns the file whose rule leaves it out, or undefined
   */
  source(path: string): string | undefined {
    const { ignored, rule } = this.#rules.test(path);
    return ignored ? (rule?.mark ?? '') : undefined;
  }
}

/** A rule of a folder as one of the top: a rule with a slash before its end holds from its folder, others at any depth. */
function rooted(folder: string, line: string): string {
  if (folder === '') return line;
  const [, negation = '', rule = ''] = /^(!?)(.*)$/s.exec(line) ?? [];
  const isAnchored = rule.trimEnd().slice(0, -1).includes('/');
  return `${negation}/${folder.replace(/[\\*?[\]]/g, '\\$&')}/${isAnchored ? '' : '**/'}${rule.replace(/^\//, '')}`;
}
