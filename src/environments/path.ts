import { resolve } from 'node:path';
import { isExecutable } from '../base/executable.ts';

/** @returns absolute path of a program in PATH */
export function findTool(name: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const folders = (env['PATH'] ?? '/bin:/usr/bin').split(':').filter((folder) => folder.startsWith('/'));
  return folders.map((folder) => resolve(folder, name)).find(isExecutable);
}
