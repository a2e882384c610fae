/** What this machine has: a test that needs more is skipped, with the reason. */
import { spawnSync } from 'node:child_process';
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

/** Options of a test that makes a pid namespace, which takes root or a kernel that lets users make one. */
export function needsNamespaces(): { skip: string | false } {
  const { status } = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true'], { stdio: 'ignore' });
  return { skip: status !== 0 && 'no pid namespace can be made here' };
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
