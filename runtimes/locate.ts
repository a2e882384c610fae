/**
 * Finds the interpreter that a shell would start in the same place, and what that would start in turn.
 *
 * Order: the `bin` of an activated environment (VIRTUAL_ENV, CONDA_PREFIX); PATH, name by name; an interpreter that
 * prisn brings. A hit in PATH is a handful of stat calls, 0.02 ms, so it is not cached; only the answers of version
 * managers are (`shims.ts`). A path is returned as it was found, never with its links resolved: `bin/python3` of a venv
 * is a link, and Python finds its packages by the path that it was started with.
 */
import { readFileSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { PrisnError } from '../src/base/error.ts';
import { isExecutable } from '../src/base/executable.ts';
import { installHint, type ProcessRuntime } from '../src/model/runtime.ts';
import { pathOf, searchPath, type Surroundings } from './path.ts';
import { isShim, resolveShim } from './shims.ts';

export interface Located {
  /** Absolute path. */
  readonly file: string;
  /** Where it comes from, in words: `PATH`, `VIRTUAL_ENV`, `pyenv`. */
  readonly source: string;
}

/** Surroundings, and the folder where answers are kept between runs. */
export interface LocateContext extends Surroundings {
  /** Absolute path; need not exist. */
  readonly cacheDir: string;
  /** No version manager is asked, which takes a process: without a kept answer its shim itself is the answer. */
  readonly keptOnly?: boolean;
}

/**
 * @param commands names or absolute paths to look for, the first found is taken
 * @throws PrisnError `no_runtime` with what was searched and what to type, or with what a version manager said
 */
export function locate(runtime: ProcessRuntime, context: LocateContext, commands = runtime.command): Located {
  const found = inEnvironment(runtime, context, commands) ?? search(commands, context);
  if (found) {
    if (!isShim(found.file)) return found;
    const { file, manager } = resolveShim(found.file, context, context.cacheDir, context.keptOnly);
    return { file, source: manager ?? found.source };
  }
  if (runtime.fallback !== undefined) return { file: runtime.fallback, source: 'prisn' };
  throw new PrisnError('no_runtime', missing(runtime, context, commands));
}

/** Whether `locate` would find something, without asking a version manager. */
export function isInstalled(runtime: ProcessRuntime, surroundings: Surroundings): boolean {
  const { command: commands, fallback } = runtime;
  return (
    fallback !== undefined || (inEnvironment(runtime, surroundings, commands) ?? search(commands, surroundings)) !== undefined
  );
}

function inEnvironment(runtime: ProcessRuntime, { env, cwd }: Surroundings, commands: readonly string[]): Located | undefined {
  if (commands.some((command) => isAbsolute(command) && isExecutable(command))) return undefined;
  for (const variable of runtime.prefixes) {
    const prefix = env[variable];
    if (!prefix) continue;
    const files = commands.filter((command) => !command.includes('/')).map((command) => resolve(cwd, prefix, 'bin', command));
    const file = files.find(isExecutable);
    if (file !== undefined) return { file, source: variable };
  }
  return undefined;
}

function search(commands: readonly string[], surroundings: Surroundings): Located | undefined {
  for (const command of commands) {
    if (command.includes('/')) {
      const file = resolve(surroundings.cwd, command);
      if (isExecutable(file)) return { file, source: '#!' };
      continue;
    }
    const file = searchPath(command, surroundings).next().value;
    if (file !== undefined) return { file, source: 'PATH' };
  }
  return undefined;
}

function missing(runtime: ProcessRuntime, { env }: Surroundings, commands: readonly string[]): string {
  const hint = installHint(runtime, systemIds());
  const advice = hint === undefined ? 'install it, or name another runtime with --runtime' : `to install it: ${hint}`;
  const where = commands.every((command) => command.includes('/')) ? '' : ` in PATH (${pathOf(env)})`;
  return `${commands.join(' or ')} not found${where}; ${advice}`;
}

/** What os-release(5) calls this system and its relatives: `['ubuntu', 'debian']`. */
function systemIds(): string[] {
  if (process.platform === 'darwin') return ['macos'];
  try {
    const lines = readFileSync('/etc/os-release', 'utf8').split('\n');
    return ['ID=', 'ID_LIKE='].flatMap(
      (key) =>
        lines
          .find((line) => line.startsWith(key))
          ?.slice(key.length)
          .replaceAll('"', '')
          .split(' ') ?? [],
    );
  } catch {
    return [];
  }
}
