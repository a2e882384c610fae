/** What a JavaScript program says that it needs: the nearest package.json, where nobody has installed it. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PrisnError } from '../../src/base/error.ts';
import type { NodeNeeds } from '../../src/model/needs.ts';

/** The first that is there decides. */
const locks = [
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
  ['npm-shrinkwrap.json', 'npm'],
  ['package-lock.json', 'npm'],
] as const;

/**
 * @param file absolute path of the program
 * @param top absolute path of the last folder that is looked into; the root without
 * @returns undefined where its package needs nothing, or has its `node_modules`
 * @throws PrisnError `dependency` for a package.json that cannot be read
 */
export function nodeNeeds(file: string, top = '/'): NodeNeeds | undefined {
  const folder = packageFolder(dirname(file), top);
  if (folder === undefined || isPlace(join(folder, 'node_modules')) || isPlace(join(folder, '.pnp.cjs'))) return undefined;
  const source = join(folder, 'package.json');
  if (!hasDependencies(source)) return undefined;
  const [name, form] = locks.find(([name]) => isPlace(join(folder, name))) ?? [];
  return { language: 'node', form: form ?? 'npm', source, folder, lock: name && join(folder, name) };
}

/** As node looks for it; what lies in a package is installed with that. */
function packageFolder(folder: string, top: string): string | undefined {
  if (folder.split('/').includes('node_modules')) return undefined;
  if (isPlace(join(folder, 'package.json'))) return folder;
  return folder === top ? undefined : packageFolder(dirname(folder), top);
}

function hasDependencies(source: string): boolean {
  try {
    const { dependencies, optionalDependencies } = Object(JSON.parse(readFileSync(source, 'utf8'))) as Record<string, unknown>;
    return [dependencies, optionalDependencies].some((names) => Object.keys(Object(names)).length > 0);
  } catch (cause) {
    throw new PrisnError('dependency', `${source} is not JSON; correct it, or run without dependencies: --no-deps`, { cause });
  }
}

function isPlace(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
