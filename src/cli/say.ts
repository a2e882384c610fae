/** prisn's own words: one line on stderr, coloured only on a terminal. */
import { writeSync } from 'node:fs';
import { showsColors } from '../base/terminal.ts';

export function say(message: string): void {
  try {
    writeSync(2, showsColors(2) ? `\x1b[1mprisn:\x1b[22m ${message}\n` : `prisn: ${message}\n`);
  } catch {
    // nobody reads it
  }
}
