/** prisn's own words at a terminal: one line, in its own name, and what belongs to it in lines that begin with two spaces. */

/** What a file name or an error of another brings along must not break the line. */
const controls = /\n(?! {2})|[\u0000-\u0009\u000b-\u001f\u007f]/g;

export function said(text: string, colors: boolean): string {
  const message = text.replace(controls, (character) => JSON.stringify(character).slice(1, -1));
  return colors ? `\x1b[1mprisn:\x1b[22m ${message}\n` : `prisn: ${message}\n`;
}
