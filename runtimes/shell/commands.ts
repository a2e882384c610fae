/**
 * A shell script cut into simple commands, their words taken apart into what is written and what is expanded
 * (https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html). Comments, quoted text, here-documents and
 * arithmetic are no commands; those inside `$(…)` count too.
 */

/** A text, or an expansion with its `$` or backquote. */
export type Part = { readonly text: string } | { readonly expansion: string };
export type Word = readonly Part[];

export function commandsOf(source: string): Word[][] {
  const scanner = new Scanner(source);
  scanner.scan();
  return scanner.commands.filter((words) => words.length > 0);
}

class Scanner {
  readonly commands: Word[][] = [[]];
  readonly #source: string;
  #at = 0;
  #word: Part[] | undefined;
  /** Delimiters of the here-documents that begin at the next line. */
  #documents: { readonly end: string; readonly tabs: boolean }[] = [];

  constructor(source: string) {
    this.#source = source;
  }

  scan(): void {
    while (this.#at < this.#source.length) this.#step(this.#source.charAt(this.#at));
    this.#endCommand();
  }

  #step(character: string): void {
    if (/[ \t\r]/.test(character)) this.#endWord(1);
    else if (character === '\n') this.#endLine();
    else if (character === '#' && !this.#word) this.#at = this.#indexOf('\n');
    else if (this.#starts('((') && !this.#word && this.commands.at(-1)?.length === 0) this.#at = this.#closing(this.#at);
    else if (this.#starts('<<')) this.#redirectHere();
    else if (';&|()'.includes(character)) this.#endCommand(1);
    else if ('<>'.includes(character)) this.#endWord(1);
    else if (character === "'") this.#quoted();
    else if (character === '"') this.#doubleQuoted();
    else this.#bare(character);
  }

  /** What means the same in and outside of double quotes. */
  #bare(character: string): void {
    if (character === '$' || character === '`') return this.#expansion();
    const escaped = character === '\\';
    const text = escaped ? this.#source.charAt(this.#at + 1) : character;
    if (!(escaped && text === '\n')) this.#add(text);
    this.#at += escaped ? 2 : 1;
  }

  #quoted(): void {
    const end = this.#indexOf("'", this.#at + 1);
    this.#add(this.#source.slice(this.#at + 1, end));
    this.#at = end + 1;
  }

  #doubleQuoted(): void {
    this.#add('');
    for (this.#at++; this.#at < this.#source.length && !this.#starts('"'); ) this.#bare(this.#source.charAt(this.#at));
    this.#at++;
  }

  #expansion(): void {
    const start = this.#at;
    if (this.#starts('`')) this.#at = this.#indexOf('`', start + 1) + 1;
    else if (this.#starts('$(') || this.#starts('${')) this.#at = this.#closing(start + 1);
    else if (this.#starts("$'")) this.#at = this.#indexOf("'", start + 2) + 1;
    else this.#at += /^\$(?:\w+|[@*#?$!-])?/.exec(this.#source.slice(start, start + 200))?.[0].length ?? 1;
    const expansion = this.#source.slice(start, this.#at);
    (this.#word ??= []).push({ expansion });
    const inside = /^(?:\$\((?!\()([\s\S]*)\)|`([\s\S]*)`)$/.exec(expansion);
    if (inside) this.commands.unshift(...commandsOf(inside[1] ?? inside[2] ?? ''));
  }

  /** @param open offset of a bracket @returns the offset after the one that closes it */
  #closing(open: number): number {
    const pairs: Readonly<Record<string, string>> = { '(': ')', '{': '}' };
    const [from, to] = [this.#source.charAt(open), pairs[this.#source.charAt(open)]];
    let depth = 0;
    for (let at = open; at < this.#source.length; at++) {
      const character = this.#source.charAt(at);
      if (character === '\\') at++;
      else if (character === "'" && from === '(') at = this.#indexOf("'", at + 1);
      else if (character === from) depth++;
      else if (character === to && --depth === 0) return at + 1;
    }
    return this.#source.length;
  }

  #redirectHere(): void {
    this.#endWord();
    if (this.#starts('<<<')) {
      this.#at += 3;
      return;
    }
    const [all = '<<', dash, word = ''] = /^<<(-?)[ \t]*([^\s;&|()<>]+)/.exec(this.#source.slice(this.#at, this.#at + 300)) ?? [];
    this.#at += all.length;
    if (word !== '') this.#documents.push({ end: word.replace(/["'\\]/g, ''), tabs: dash === '-' });
  }

  #endLine(): void {
    this.#endCommand(1);
    for (const { end, tabs } of this.#documents) {
      for (let line: string | undefined; line !== end && this.#at < this.#source.length; ) {
        const next = this.#indexOf('\n');
        line = this.#source.slice(this.#at, next);
        if (tabs) line = line.replace(/^\t+/, '');
        this.#at = next + 1;
      }
    }
    this.#documents = [];
  }

  #add(text: string): void {
    this.#word ??= [];
    const last = this.#word.at(-1);
    if (last && 'text' in last) this.#word[this.#word.length - 1] = { text: last.text + text };
    else this.#word.push({ text });
  }

  #endWord(skip = 0): void {
    if (this.#word) this.commands.at(-1)?.push(this.#word);
    this.#word = undefined;
    this.#at += skip;
  }

  #endCommand(skip = 0): void {
    this.#endWord(skip);
    this.commands.push([]);
  }

  #starts(text: string): boolean {
    return this.#source.startsWith(text, this.#at);
  }

  /** The end of the source where there is none. */
  #indexOf(text: string, from = this.#at): number {
    const index = this.#source.indexOf(text, from);
    return index < 0 ? this.#source.length : index;
  }
}
