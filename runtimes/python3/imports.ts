/** What a Python source imports, wherever the statement stands, and where it looks for modules beside the usual places. */
import { type Token, tokensOf } from './tokens.ts';

export interface ModuleImport {
  /** Dotted; empty for `from . import x`. */
  readonly module: string;
  /** Leading dots: 0 of an absolute import. */
  readonly level: number;
  /** What `from` takes of it, each perhaps a module. */
  readonly names: readonly string[];
}

/** A folder that is added to sys.path, as far as its expression tells. */
export interface PathEntry {
  /** Folders to go up from the one of the file. */
  readonly up: number;
  /** Paths to go along from there. */
  readonly parts: readonly string[];
}

export interface PythonImports {
  readonly imports: readonly ModuleImport[];
  readonly paths: readonly PathEntry[];
  /** `import_module` is called with what only its run can tell. */
  readonly dynamic: boolean;
}

export function importsOf(source: string): PythonImports {
  const reader = new Reader(tokensOf(source));
  reader.read();
  return reader;
}

class Reader implements PythonImports {
  readonly imports: ModuleImport[] = [];
  readonly paths: PathEntry[] = [];
  dynamic = false;
  readonly #tokens: readonly Token[];
  /** What a name was last set to. */
  readonly #values = new Map<string, readonly Token[]>();

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  read(): void {
    for (const [at, { kind, text }] of this.#tokens.entries()) {
      if (kind !== 'name') continue;
      if (this.#isStatementStart(at)) this.#statement(at, text);
      if ((text === 'import_module' || text === '__import__') && this.#is(at + 1, '(')) this.#call(at + 2);
      if (text === 'path' && this.#is(at - 1, '.') && this.#is(at - 2, 'sys')) this.#path(at + 1);
    }
  }

  #statement(at: number, word: string): void {
    if (word === 'import') this.#import(at + 1);
    else if (word === 'from') this.#from(at + 1);
    else if (this.#is(at + 1, '='))
      this.#values.set(
        word,
        this.#until(at + 2, ({ kind }) => kind === 'newline'),
      );
  }

  /** `import a.b as c, d` */
  #import(start: number): void {
    for (let at = start; ; ) {
      const { name, end } = this.#dotted(at);
      if (name === '') return;
      this.imports.push({ module: name, level: 0, names: [] });
      at = this.#is(end, 'as') ? end + 2 : end;
      if (!this.#is(at, ',')) return;
      at++;
    }
  }

  /** `from ..a import (b as c, d)` */
  #from(start: number): void {
    let at = start;
    while (this.#is(at, '.')) at++;
    const { name, end } = this.#dotted(at);
    if (!this.#is(end, 'import')) return;
    const list = this.#until(end + 1, ({ kind, text }) => kind === 'newline' || text === ';');
    const names = list.filter(({ kind }, i) => kind === 'name' && list[i - 1]?.text !== 'as').map(({ text }) => text);
    this.imports.push({ module: name, level: at - start, names: names.filter((taken) => taken !== 'as') });
  }

  /** The arguments of `import_module`. */
  #call(at: number): void {
    const argument = this.#tokens[at];
    if (argument?.kind !== 'string' || argument.text === '' || !/^[,)]$/.test(this.#tokens[at + 1]?.text ?? ''))
      this.dynamic = true;
    else if (!argument.text.startsWith('.')) this.imports.push({ module: argument.text, level: 0, names: [] });
  }

  /** `.append(…)`, `.insert(0, …)`, `.extend([…])`, `+= […]` after `sys.path` */
  #path(at: number): void {
    const isCall = this.#is(at, '.') && /^(?:append|insert|extend)$/.test(this.#tokens[at + 1]?.text ?? '');
    const isAssigned = this.#is(at, '=') || (this.#is(at, '+') && this.#is(at + 1, '='));
    if (!isCall && !isAssigned) return;
    const rest = this.#until(at + 2, ({ kind }) => kind === 'newline');
    this.paths.push(this.#entry(rest, 0));
  }

  /**
   * An expression such as `os.path.join(os.path.dirname(__file__), '..', 'lib')` or `Path(__file__).parent / 'lib'`: each
   * `dirname` or `parent` after the first goes up, each text along.
   */
  #entry(tokens: readonly Token[], depth: number): PathEntry {
    let up = 0;
    const parts: string[] = [];
    for (const [i, { kind, text }] of tokens.entries()) {
      const value = kind === 'name' && tokens[i - 1]?.text !== '.' && depth < 4 ? this.#values.get(text) : undefined;
      if (kind === 'string') parts.push(text);
      else if (text === 'pardir') parts.push('..');
      else if (text === 'dirname' || text === 'parent') up++;
      else if (text === 'parents') up += 1 + (Number(tokens[i + 2]?.text) || 0);
      else if (value) {
        const inside = this.#entry(value, depth + 1);
        up += inside.up + 1;
        parts.push(...inside.parts);
      }
    }
    return { up: Math.max(0, up - 1), parts };
  }

  #isStatementStart(at: number): boolean {
    const before = this.#tokens[at - 1];
    return before === undefined || before.kind === 'newline' || before.text === ':' || before.text === ';';
  }

  #dotted(start: number): { name: string; end: number } {
    let name = '';
    let at = start;
    for (; this.#tokens[at]?.kind === 'name' && !this.#is(at, 'import'); at += 2) {
      name += this.#tokens[at]?.text;
      if (!this.#is(at + 1, '.')) return { name, end: at + 1 };
      name += '.';
    }
    return { name, end: at };
  }

  #is(at: number, text: string): boolean {
    const token = this.#tokens[at];
    return token?.text === text && token.kind !== 'string';
  }

  #until(start: number, isEnd: (token: Token) => boolean): readonly Token[] {
    const length = this.#tokens.slice(start).findIndex(isEnd);
    return this.#tokens.slice(start, length < 0 ? undefined : start + length);
  }
}
