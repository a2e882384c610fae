/** Who uses an environment at the moment. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EnvironmentRecord } from './record.ts';

/** Absolute path. */
export function folderOf(root: string, { folder }: Pick<EnvironmentRecord, 'folder'>): string {
  return join(root, folder);
}

/**
 * Pids of processes that were started with a path in the folder, as interpreter or in a variable; of this user's only, and of none
 * where there is no /proc. Whatever else has a file of it open keeps that file.
 */
export function usersOf(folder: string): number[] {
  return pids().filter((pid) => ['cmdline', 'environ'].some((file) => textOf(`/proc/${pid}/${file}`).includes(`${folder}/`)));
}

function pids(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
