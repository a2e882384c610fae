/** prisn's own words: one line on stderr, coloured only on a terminal. */
import { writeSync } from 'node:fs';
import { showsColors } from '../base/terminal.ts';

/** What a file name or an error of another brings along must not break the line. */
const controls = /[\u0000-\u001f\u007f]/g;

export function say(text: string): void {
  const message = text.replace(controls, (character) => JSON.stringify(character).slice(1, -1));
  try {
    writeSync(2, showsColors(2) ? `\x1b[1mprisn:\x1b[22m ${message}\n` : `prisn: ${message}\n`);
  } catch {
    // nobody reads it
  }
}
