import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';

/** @returns absolute path of a program in PATH */
export function findTool(name: string, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const folders = (env['PATH'] ?? '/bin:/usr/bin').split(':').filter((folder) => folder.startsWith('/'));
  return folders.map((folder) => resolve(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
