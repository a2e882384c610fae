/** What this machine has: a test that needs more is skipped, with the reason. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The first such program on the PATH. */
export function findProgram(name: string): string | undefined {
  return process.env['PATH']
    ?.split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .find(isProgram);
}

/** Options of a test that needs these programs. */
export function needs(...programs: readonly string[]): { skip: string | false } {
  const missing = programs.filter((name) => findProgram(name) === undefined);
  return { skip: missing.length > 0 && `no ${missing.join(' and no ')} on the PATH` };
}

/** Options of a test that runs a script of this name. */
export function needsOf(script: string): { skip: string | false } {
  return needs(...(script.endsWith('.py') ? ['python3'] : []));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
