/**
 * The Python of a version: for `--python 3.12`, and for a program that says which ones it is for.
 *
 * Looked for are `python3.N` in PATH, and what pyenv, uv, asdf and mise have installed in their folders. Their shims are not asked:
 * what a manager has chosen for this folder is the interpreter that is taken without a wish.
 */
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PrisnError } from '../../src/base/error.ts';
import { isExecutable } from '../../src/base/executable.ts';
import type { BaseInterpreter } from '../../src/model/needs.ts';
import { isAtLeast } from '../../src/model/runtime.ts';
import { locate, type Located, type LocateContext } from '../locate.ts';
import { pathOf } from '../path.ts';
import { python3 } from '../python3.ts';
import { isShim } from '../shims.ts';
import { versionOf } from '../version.ts';
import { satisfies } from './specifiers.ts';

export interface Wish {
  /** A version such as `3.12`, a command or a path. */
  readonly asked: string | undefined;
  /** Of the program: PEP 440; empty for any. */
  readonly required: string;
}

/**
 * @param usual the interpreter that runs the program where nothing is wished
 * @throws PrisnError `no_runtime` with what there is
 */
export async function interpreterFor(wish: Wish, usual: () => Located, context: LocateContext): Promise<BaseInterpreter> {
  const { asked, required } = wish;
  const isVersion = asked !== undefined && /^\d+(?:\.\d+)*$/.test(asked);
  if (asked !== undefined && !isVersion) return known(locate(python3, context, [asked]), context);
  const fits = (version: string): boolean => (!isVersion || isPart(asked, version)) && satisfies(version, required) !== false;
  const first = await described(usual, context);
  if (first && fits(first.version)) return first;
  const others = await installed(context);
  const found = others.filter(({ version }) => fits(version)).sort(newestFirst)[0];
  if (found) return found;
  if (!first && others.length === 0) usual();
  const what = isVersion ? `Python ${asked} was asked for` : `the program says that it is for Python ${required}`;
  const versions = [...new Set([...(first ? [first] : []), ...others].map(({ version }) => version))].join(', ');
  const fitting = isVersion && required !== '' ? `, it says that it is for ${required}` : '';
  throw new PrisnError(
    'no_runtime',
    `${what}${fitting}, and there is ${versions}; install one that fits (uv python install, pyenv install), or name another with --python`,
  );
}

/** Whether `3.12` is asked for and `3.12.1` is there. */
function isPart(asked: string, version: string): boolean {
  return `${version}.`.startsWith(`${asked}.`);
}

function newestFirst(a: BaseInterpreter, b: BaseInterpreter): number {
  return a.version === b.version ? 0 : isAtLeast(a.version, b.version) ? -1 : 1;
}

async function known(located: Located, context: LocateContext): Promise<BaseInterpreter> {
  const { file } = located;
  const version = await versionOf(python3, file, context);
  if (version !== undefined) return { file, version };
  throw new PrisnError('no_runtime', `${file} does not start, or is no Python 3: try ${file} --version`);
}

async function described(usual: () => Located, context: LocateContext): Promise<BaseInterpreter | undefined> {
  try {
    return await known(usual(), context);
  } catch (error) {
    if (error instanceof PrisnError) return undefined;
    throw error;
  }
}

async function installed(context: LocateContext): Promise<BaseInterpreter[]> {
  const found = await Promise.all(
    [...places(context)].map(async (file) => ({ file, version: (await versionOf(python3, file, context)) ?? '' })),
  );
  return found.filter(({ version }) => version !== '');
}

function* places({ env, cwd }: LocateContext): Generator<string> {
  for (const folder of pathOf(env).split(':')) {
    const absolute = resolve(cwd, folder);
    for (const name of namesIn(absolute).filter((entry) => /^python3\.\d+$/.test(entry))) {
      const file = join(absolute, name);
      if (isExecutable(file) && !isShim(file)) yield file;
    }
  }
  for (const store of stores(env)) {
    for (const name of namesIn(store)) {
      const file = join(store, name, 'bin/python3');
      if (isExecutable(file)) yield file;
    }
  }
}

/** Where managers keep each version in a folder of its own. */
function stores(env: LocateContext['env']): string[] {
  const home = env['HOME'] ?? '/';
  const data = env['XDG_DATA_HOME'] ?? join(home, '.local/share');
  return [
    join(env['PYENV_ROOT'] ?? join(home, '.pyenv'), 'versions'),
    env['UV_PYTHON_INSTALL_DIR'] ?? join(data, 'uv/python'),
    join(env['ASDF_DATA_DIR'] ?? join(home, '.asdf'), 'installs/python'),
    join(env['MISE_DATA_DIR'] ?? join(data, 'mise'), 'installs/python'),
  ];
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
