/** Columns of a text on a terminal, as ICU counts them for node: it aligns arrays and tables by them. */

/** East Asian Width W and F (Unicode 16, UAX #11), unassigned gaps filled; emoji that are shown as pictures are W too. */
const wide =
  /[\p{Emoji_Presentation}\u1100-\u115f\u2329\u232a\u2630-\u2637\u268a-\u268f\u2e80-\u303e\u3041-\u3247\u3250-\ua4c6\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6b\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18df2}\u{1aff0}-\u{1b2fb}\u{1d300}-\u{1d376}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]/u;

/** Controls, format characters and marks take no column; the soft hyphen does. */
const zeroWidth = /(?!\u00ad)[\p{Cc}\p{Cf}\p{Me}\p{Mn}]/u;

/** @returns the number of columns of `text`, code point by code point */
export function stringWidth(text: string): number {
  let width = 0;
  for (const character of text) width += wide.test(character) ? 2 : zeroWidth.test(character) ? 0 : 1;
  return width;
}
