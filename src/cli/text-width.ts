/**
 * How wide text is in a terminal: two cells for what East Asian scripts and emoji take, none for marks that join the
 * character before them. By grapheme, since a family or a flag is one picture of several code points.
 *
 * Unicode's own table (UAX #11, wide and fullwidth) is the scripts and blocks below; what is ambiguous there counts as
 * narrow, as it does outside of East Asian locales.
 */
const ascii = /^[\x20-\x7e]*$/;
/** Made when they are needed: to read the properties in them takes half a millisecond. */
let scripts: ReturnType<typeof readScripts> | undefined;

function readScripts() {
  const wide =
    /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\p{Script=Yi}\p{Script=Tangut}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;
  const halfwidth = /[\uff61-\uffdc]/u;
  const emoji = /\p{Emoji_Presentation}|\p{Emoji}\ufe0f|\p{Regional_Indicator}{2}/u;
  const nothing = /^[\p{Mark}\p{Format}\p{Control}]*$/u;
  return { wide, halfwidth, emoji, nothing };
}

let segmenter: Intl.Segmenter | undefined;

function* graphemes(text: string): Generator<{ readonly text: string; readonly cells: number }> {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  for (const { segment } of segmenter.segment(text)) yield { text: segment, cells: cellsOf(segment) };
}

function cellsOf(grapheme: string): number {
  if (ascii.test(grapheme)) return grapheme.length;
  const { wide, halfwidth, emoji, nothing } = (scripts ??= readScripts());
  if (nothing.test(grapheme)) return 0;
  if (emoji.test(grapheme)) return 2;
  return wide.test(grapheme) && !halfwidth.test(grapheme) ? 2 : 1;
}

/** @returns cells of a terminal */
export function widthOf(text: string): number {
  if (ascii.test(text)) return text.length;
  let cells = 0;
  for (const grapheme of graphemes(text)) cells += grapheme.cells;
  return cells;
}

/** Fills up with spaces to `cells`. */
export function padded(text: string, cells: number): string {
  return text + ' '.repeat(Math.max(0, cells - widthOf(text)));
}

/** At most `cells` wide; what is cut ends with `…`. */
export function clipped(text: string, cells: number): string {
  if (widthOf(text) <= cells) return text;
  let kept = '';
  let width = 0;
  for (const grapheme of graphemes(text)) {
    width += grapheme.cells;
    if (width > cells - 1) break;
    kept += grapheme.text;
  }
  return `${kept}…`;
}

/** Escapes what would move the cursor, colour the terminal or turn the line around: names and errors come from others. */
export function escaped(text: string): string {
  if (ascii.test(text)) return text;
  return text.replace(/[\p{Control}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    (character.codePointAt(0) ?? 0) < 0x20
      ? JSON.stringify(character).slice(1, -1)
      : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}
