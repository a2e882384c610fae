import { realpathSync } from 'node:fs';

/** @returns where a path leads, links followed; itself where that cannot be told */
export function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}
