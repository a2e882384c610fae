import { accessSync, constants, statSync } from 'node:fs';

/** Whether `file` is a regular file, links followed, that this user may execute. */
export function isExecutable(file: string): boolean {
  try {
    if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return false;
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
