/** prisn's own words at a terminal: one line, in its own name. */

/** What a file name or an error of another brings along must not break the line. */
const controls = /[\u0000-\u001f\u007f]/g;

export function said(text: string, colors: boolean): string {
  const message = text.replace(controls, (character) => JSON.stringify(character).slice(1, -1));
  return colors ? `\x1b[1mprisn:\x1b[22m ${message}\n` : `prisn: ${message}\n`;
}
