/**
 * Which node the stub `bin/prisn` starts, as it decides that: a program in an isolate of the daemon must not see another
 * engine than it would in a prisn of its caller's.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Surroundings } from '../runtimes/path.ts';
import { isExecutable } from './base/executable.ts';

/** The file that this process is. */
const own = statSync('/proc/self/exe', { throwIfNoEntry: false });

/**
 * @param root absolute path of prisn's own folder
 * @returns whether the stub starts the node that this process is; false also where it would have to try a node first
 */
export function startsThisNode(root: string, caller: Surroundings): boolean {
  const node = nodeOfStub(root, caller);
  if (node === undefined || !own) return false;
  const { dev, ino } = statSync(node);
  return dev === own.dev && ino === own.ino && realpathSync.native(node) === process.execPath;
}

function nodeOfStub(root: string, caller: Surroundings): string | undefined {
  const system = firstOnPath(caller);
  const bundled = [join(root, 'node_modules/.bin/node'), join(root, '../.bin/node')].find(isExecutable);
  if (system === undefined || isSameFile(system, bundled)) return system ?? bundled;
  const verdict = keptVerdict(join(root, 'dist/system-node'), system);
  return verdict === 'fit' ? system : verdict === 'unfit' ? bundled : undefined;
}

/** As the shell's loop over `$PATH` has it, where an empty part is the root. */
function firstOnPath({ env, cwd }: Surroundings): string | undefined {
  for (const folder of (env['PATH'] ?? '').split(':')) {
    const file = folder.startsWith('/') ? `${folder}/node` : resolve(cwd, `${folder}/node`);
    if (isExecutable(file)) return file;
  }
  return undefined;
}

function isSameFile(one: string, other: string | undefined): boolean {
  if (other === undefined) return false;
  const [a, b] = [statSync(one), statSync(other)];
  return a.dev === b.dev && a.ino === b.ino;
}

/** What the stub wrote down of that node; it holds until the file changes, by the whole seconds of the shell's `-nt`. */
function keptVerdict(record: string, node: string): string | undefined {
  const stat = statSync(record, { throwIfNoEntry: false });
  if (!stat || Math.floor(stat.mtimeMs / 1000) <= Math.floor(statSync(node).mtimeMs / 1000)) return undefined;
  const [verdict, known] = readFileSync(record, 'utf8').trimEnd().split(' ', 2);
  return known === node ? verdict : undefined;
}
