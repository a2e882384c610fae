/**
 * Python as far as its statements are of interest: names, operators, strings, and where lines and statements begin
 * (https://docs.python.org/3/reference/lexical_analysis.html). What is in a string or a comment is no code, and the
 * replacement fields of an f-string may hold quotes, as from Python 3.12 on.
 */

export interface Token {
  readonly kind: 'name' | 'number' | 'string' | 'operator' | 'newline';
  /** The characters; of a string its value, or nothing where that is not just what stands there. */
  readonly text: string;
}

const pieces = {
  space: /(?:[ \t\f\uFEFF]|\\\r?\n)+/y,
  comment: /#[^\r\n]*/y,
  newline: /\r\n?|\n/y,
  string: /([A-Za-z]{0,2})("""|'''|"|')/y,
  name: /[\p{ID_Start}_]\p{ID_Continue}*/uy,
  number: /\.?\d[\w.]*/y,
} as const;

/** Code that is not Python gives tokens as well, of little sense. */
export function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  for (let at = 0; at < source.length; ) {
    const skipped = match(pieces.space, source, at) ?? match(pieces.comment, source, at);
    if (skipped) {
      at += skipped[0].length;
      continue;
    }
    const opening = match(pieces.string, source, at);
    const newline = match(pieces.newline, source, at);
    const word = match(pieces.name, source, at) ?? match(pieces.number, source, at);
    if (opening) {
      const end = endOfString(source, at);
      tokens.push({ kind: 'string', text: valueOf(source.slice(at, end), opening) });
      at = end;
    } else if (newline) {
      if (depth === 0) tokens.push({ kind: 'newline', text: '\n' });
      at += newline[0].length;
    } else if (word) {
      tokens.push({ kind: /^[.\d]/.test(word[0]) ? 'number' : 'name', text: word[0] });
      at += word[0].length;
    } else {
      const text = source.charAt(at++);
      if ('([{'.includes(text)) depth++;
      else if (')]}'.includes(text)) depth = Math.max(0, depth - 1);
      tokens.push({ kind: 'operator', text });
    }
  }
  return tokens;
}

function match(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

/** @param at where its prefix starts @returns the offset after its last quote */
function endOfString(source: string, at: number): number {
  const [opening = '', prefix = '', quote = ''] = match(pieces.string, source, at) ?? [];
  const hasFields = /[ft]/i.test(prefix);
  for (let i = at + opening.length; i < source.length; i++) {
    const character = source[i];
    if (character === '\\') i++;
    else if (source.startsWith(quote, i)) return i + quote.length;
    else if (character === '\n' && quote.length === 1) return i;
    else if (hasFields && character === '{') i = source[i + 1] === '{' ? i + 1 : endOfField(source, i + 1) - 1;
  }
  return source.length;
}

/** @param at after its brace @returns the offset after the brace that ends it */
function endOfField(source: string, at: number): number {
  let depth = 0;
  let isFormat = false;
  for (let i = at; i < source.length; i++) {
    const character = source.charAt(i);
    if (character === '}' && depth === 0) return i + 1;
    if (isFormat) {
      if (character === '{') i = endOfField(source, i + 1) - 1;
      else if (character === '\n') return i;
    } else if (match(pieces.string, source, i) && !/\w/.test(source.charAt(i - 1))) i = endOfString(source, i) - 1;
    else if ('([{'.includes(character)) depth++;
    else if (')]}'.includes(character)) depth--;
    else if (character === ':' && depth === 0) isFormat = true;
  }
  return source.length;
}

function valueOf(literal: string, [opening, prefix = '', quote = '']: RegExpExecArray): string {
  const inside = literal.slice(opening.length, -quote.length);
  const isPlain = !/[bft]/i.test(prefix) && (/r/i.test(prefix) || !inside.includes('\\'));
  return isPlain ? inside : '';
}
