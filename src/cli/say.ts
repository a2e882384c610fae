/** prisn's own words: one line on stderr, coloured only on a terminal. */
import { writeSync } from 'node:fs';
import { said } from '../base/said.ts';
import { showsColors } from '../base/terminal.ts';

export function say(text: string): void {
  try {
    writeSync(2, said(text, showsColors(2)));
  } catch {
    // nobody reads it
  }
}
