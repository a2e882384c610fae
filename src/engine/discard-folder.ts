import { renameSync } from 'node:fs';
import { errnoOf, messageOf } from '../base/error.ts';
import { removeFolder } from '../base/remove-folder.ts';
import type { Log } from './log.ts';

/** Makes a folder vanish at once, and takes its content away in the background. */
export function discardFolder(folder: string, log: Log): void {
  const gone = folder.endsWith('.gone') ? folder : `${folder}.${process.hrtime.bigint()}.gone`;
  try {
    if (gone !== folder) renameSync(folder, gone);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') log.warn({ folder }, `a work folder stays behind: ${messageOf(error)}`);
    return;
  }
  removeFolder(gone).catch((error: unknown) => log.warn({ folder: gone }, `a work folder stays behind: ${messageOf(error)}`));
}
