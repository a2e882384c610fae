/**
 * Version managers put *shims* first on PATH: small programs that find out which version is meant here and start it,
 * which costs 30 to 250 ms a run. We ask the manager once (`pyenv which python3`, 45 ms) and keep the answer: to find
 * it again costs 0.2 ms, 1 ms as the first thing that a process does.
 *
 * A shim is recognised by its folder's name, `shims` in all of them, then by what it is: a script that calls
 * `pyenv exec` or `asdf exec`, or a link to mise itself. What the manager would answer depends on its variables and
 * on its version files, from the working directory up and its global ones: their stamps are part of the key.
 * What each manager reads:
 *   pyenv  https://github.com/pyenv/pyenv#understanding-python-version-selection (.python-version from PYENV_DIR, then cwd)
 *   asdf   https://asdf-vm.com/manage/configuration.html
 *   mise   https://mise.jdx.dev/configuration.html (all files up the tree are merged)
 *
 * A mise shim does more than choose a file: it sets the variables of `[env]`, it may install what is missing, it falls
 * back to the system's program. Where it would do any of that the shim itself is started, as is a shim of a manager
 * that we do not know.
 */
import { closeSync, lstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { messageOf, PrisnError } from '../src/base/error.ts';
import { isExecutable } from '../src/base/executable.ts';
import { recall, remember } from './cache.ts';
import { stateOf } from './kept-file.ts';
import { type Environment, searchPath, type Surroundings } from './path.ts';

interface Manager {
  readonly name: string;
  /** Version files that count in a folder. */
  readonly local: (env: Environment) => readonly string[];
  /** Files and folders that count everywhere. `root` is the manager's own folder, where `shims` is. */
  readonly global: (env: Environment, root: string) => readonly string[];
  /** The program that this shim would start, as the manager says it; undefined where only the shim itself can tell. */
  readonly ask: (tool: string, command: string, surroundings: Surroundings) => string | undefined;
}

const pyenv: Manager = {
  name: 'pyenv',
  local: () => ['.python-version'],
  global: (_env, root) => [join(root, 'version'), join(root, 'versions')],
  ask: which,
};

const asdf: Manager = {
  name: 'asdf',
  local: (env) => [
    env['ASDF_TOOL_VERSIONS_FILENAME'] ?? env['ASDF_DEFAULT_TOOL_VERSIONS_FILENAME'] ?? '.tool-versions',
    ...foreignVersionFiles,
  ],
  global: (env) => [inHome(env, '.tool-versions'), env['ASDF_CONFIG_FILE'] ?? inHome(env, '.asdfrc')],
  ask: which,
};

const mise: Manager = {
  name: 'mise',
  local: miseFiles,
  global: (env, root) => {
    const config = env['MISE_CONFIG_DIR'] ?? join(env['XDG_CONFIG_HOME'] ?? inHome(env, '.config'), 'mise');
    const files = [join(config, 'config.toml'), join(config, 'conf.d'), inHome(env, '.tool-versions'), join(root, 'installs')];
    return [...files, '/etc/mise/config.toml', ...(env['MISE_GLOBAL_CONFIG_FILE'] ? [env['MISE_GLOBAL_CONFIG_FILE']] : [])];
  },
  ask: (tool, command, surroundings) => {
    try {
      const variables: unknown = JSON.parse(run(tool, ['env', '--json'], surroundings));
      const setsOnlyPath = Object.keys(Object(variables)).every((name) => name === 'PATH');
      return setsOnlyPath ? which(tool, command, surroundings) : undefined;
    } catch {
      return undefined;
    }
  },
};

const managers: readonly Manager[] = [pyenv, asdf, mise];

/** Version files of other tools, which asdf and mise read where they are set up to. */
const foreignVersionFiles = ['.python-version', '.node-version', '.nvmrc'];

/** `MISE_ENV=ci` adds `mise.ci.toml` and its `.local`. */
function miseFiles(env: Environment): string[] {
  const modes = (env['MISE_ENV'] ?? '').split(',').filter(Boolean);
  const middles = ['', ...modes.map((mode) => `.${mode}`)].flatMap((middle) => [middle, `${middle}.local`]);
  const files = middles.flatMap((middle) => ['mise', '.mise', '.config/mise'].map((name) => `${name}${middle}.toml`));
  const folders = ['mise', '.mise', '.config/mise'].map((name) => `${name}/config.toml`);
  return [...files, ...folders, '.tool-versions', ...foreignVersionFiles];
}

export function isShim(file: string): boolean {
  return basename(dirname(file)) === 'shims';
}

/**
 * What a shim would start in these surroundings.
 * @param shim absolute path
 * @param keptOnly whether the manager is not asked, and `shim` the answer where none is kept
 * @returns the interpreter's absolute path, links in it not resolved; `shim` itself where only that can tell
 * @throws PrisnError `no_runtime` with the manager's own words when it finds nothing to start
 */
export function resolveShim(
  shim: string,
  surroundings: Surroundings,
  cacheDir: string,
  keptOnly = false,
): { file: string; manager: string | undefined } {
  const found = managerOf(shim, surroundings);
  if (!found) return { file: shim, manager: undefined };
  const { manager, tool } = found;
  const key = keyOf(shim, manager, surroundings);
  const known = recall(cacheDir, key);
  if (known !== undefined) return { file: known, manager: manager.name };
  if (keptOnly) return { file: shim, manager: undefined };
  const answer = manager.ask(tool, basename(shim), surroundings);
  if (answer !== undefined && !(isExecutable(answer) && dirname(answer) !== dirname(shim)))
    throw new PrisnError(
      'no_runtime',
      `${shim}: ${manager.name} answers '${answer}', which is no program; see '${manager.name} which ${basename(shim)}'`,
    );
  const file = answer ?? shim;
  remember(cacheDir, key, file, [file, ...storeOf(file)]);
  return { file, manager: manager.name };
}

function managerOf(shim: string, surroundings: Surroundings): { manager: Manager; tool: string } | undefined {
  const called = calledBy(shim);
  const manager = called && managers.find(({ name }) => name === basename(called));
  if (!manager) return undefined;
  const tool = called.includes('/') ? called : searchPath(called, surroundings).next().value;
  return tool === undefined ? undefined : { manager, tool };
}

/** The program behind a shim: where a link leads, or what a line such as `exec "/x/libexec/pyenv" exec "$program" "$@"` calls. */
function calledBy(shim: string): string | undefined {
  try {
    if (lstatSync(shim).isSymbolicLink()) return resolve(dirname(shim), readlinkSync(shim));
    const [, quoted, bare] = /^exec\s+(?:"([^"]+)"|(\S+))\s+exec\s/m.exec(readStart(shim)) ?? [];
    return quoted ?? bare;
  } catch {
    return undefined;
  }
}

function readStart(file: string): string {
  const buffer = Buffer.alloc(4096);
  const fd = openSync(file, 'r');
  try {
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(fd);
  }
}

function keyOf(shim: string, manager: Manager, { env, cwd }: Surroundings): string {
  const prefix = `${manager.name.toUpperCase()}_`;
  const variables = Object.keys(env).filter(
    (name) => name.startsWith(prefix) || /^(?:PATH|HOME|VIRTUAL_ENV|CONDA_PREFIX)$/.test(name),
  );
  const names = manager.local(env);
  const files = manager.global(env, dirname(dirname(shim)));
  const folders = [...upFrom(cwd), ...(env['PYENV_DIR'] && manager === pyenv ? upFrom(resolve(cwd, env['PYENV_DIR'])) : [])];
  const lines = [shim, ...variables.toSorted().map((name) => `${name}=${env[name]}`)];
  for (const path of [...folders.flatMap((folder) => names.map((name) => `${folder}/${name}`)), ...files]) {
    const state = stateOf(path);
    if (state) lines.push(`${path} ${state.stamp}`);
  }
  return lines.join('\n');
}

/** The folder itself and all above it; the top one is `''`, so that a name joins with a slash. */
function upFrom(folder: string): string[] {
  const parts = folder.split('/').filter(Boolean);
  return Array.from({ length: parts.length + 1 }, (_, i) =>
    parts
      .slice(0, parts.length - i)
      .map((part) => `/${part}`)
      .join(''),
  );
}

/** A new version is a new folder beside the one that was chosen, and may be chosen from then on. */
function storeOf(file: string): string[] {
  const [store] = /^.*\/installs\/[^/]+(?=\/)/.exec(file) ?? [];
  return store ? [store] : [];
}

function which(tool: string, command: string, surroundings: Surroundings): string {
  return run(tool, ['which', command], surroundings).trim().split('\n').at(-1) ?? '';
}

function run(tool: string, args: readonly string[], { env, cwd }: Surroundings): string {
  const { execFileSync } = process.getBuiltinModule('node:child_process');
  try {
    return execFileSync(tool, args, {
      env,
      cwd,
      encoding: 'utf8',
      timeout: 10_000,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    throw new PrisnError('no_runtime', `${[basename(tool), ...args].join(' ')}: ${saidBy(error) || messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The first paragraph that a failed command wrote to stderr, on one line. */
function saidBy(error: unknown): string {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
  return (
    said
      .trim()
      .split(/\n\s*\n/, 1)[0]
      ?.replace(/\s*\n\s*/g, '; ') ?? ''
  );
}

function inHome(env: Environment, name: string): string {
  return join(env['HOME'] ?? '/', name);
}
