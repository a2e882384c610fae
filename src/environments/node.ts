/**
 * Environments of JavaScript: a `node_modules`, installed by the tool whose lock file is there, from copies of the manifest and the lock.
 * Without a lock the newest versions that fit are taken, once. Packages for development are left out.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { NodeNeeds } from '../model/needs.ts';
import type { EnvironmentRequest } from './environments.ts';
import { keyOf, steering } from './key.ts';
import { findTool } from './path.ts';
import type { Recipe } from './recipe.ts';
import { DependencyError } from './failed.ts';
import type { Run } from './tool.ts';

/** Settings that lie beside a manifest. */
const settingFiles = ['.npmrc', '.yarnrc', '.yarnrc.yml', 'pnpm-workspace.yaml'];

export function nodeRecipe(needs: NodeNeeds, { interpreter, env, frozen }: EnvironmentRequest): Recipe {
  const { form, source, folder, lock } = needs;
  const files = [
    source,
    ...(lock === undefined ? [] : [lock]),
    ...settingFiles.map((name) => join(folder, name)).filter(existsSync),
  ];
  const texts = files.map((file) => readFileSync(file, 'utf8'));
  const names = files.map((file) => basename(file));
  return {
    key: keyOf(interpreter, ['node', form, ...names, ...texts, ...steering(env, steers, saysNothing)]),
    isTied: false,
    title: `${lock === undefined ? 'package.json' : basename(lock)} by ${form}`,
    source,
    form: lock === undefined ? 'package.json' : form,
    interpreter: `Node.js ${interpreter.version}`,
    proof: 'node_modules',
    build: async (target, run) => {
      refuseLocal(needs, texts[0] as string);
      if (frozen && lock === undefined)
        throw new DependencyError(`${source} has no lock file, which --frozen asks for; make one by ${form} install`);
      for (const file of files) copyFileSync(file, join(target, basename(file)));
      mkdirSync(join(target, 'node_modules'));
      await install(needs, target, { ...env, PATH: pathWith(dirname(interpreter.file), env) }, texts, run);
    },
  };
}

const steers = /^npm_config_|^NPM_CONFIG_|^YARN_/;
const saysNothing = /_(?:cache|loglevel|progress|fund|audit|update_notifier|user_agent|CACHE|LOGLEVEL|PROGRESS)$/;

async function install(
  { form, lock, folder }: NodeNeeds,
  cwd: string,
  env: Readonly<Record<string, string>>,
  texts: readonly string[],
  run: Run,
): Promise<void> {
  const isBerry = form === 'yarn' && /^__metadata:/m.test(texts[1] ?? '');
  const { file, before } = toolFor(form, env, folder);
  const settings = {
    ...env,
    npm_config_update_notifier: 'false',
    YARN_NODE_LINKER: 'node-modules',
    COREPACK_ENABLE_DOWNLOAD_PROMPT: '0',
  };
  await run({
    name: [form, ...argsOf(form, lock, isBerry)].slice(0, 2).join(' '),
    file,
    args: [...before, ...argsOf(form, lock, isBerry)],
    cwd,
    env: settings,
  });
}

function argsOf(form: NodeNeeds['form'], lock: string | undefined, isBerry: boolean): string[] {
  switch (form) {
    case 'npm':
      return [
        lock === undefined ? 'install' : 'ci',
        '--omit=dev',
        '--no-audit',
        '--no-fund',
        ...(lock === undefined ? ['--no-package-lock'] : []),
      ];
    case 'pnpm':
      // Its store is shared by hard links, and the files are closed here.
      return ['install', '--frozen-lockfile', '--prod', '--package-import-method=copy', '--ignore-workspace'];
    case 'yarn':
      return isBerry
        ? ['install', '--immutable']
        : ['install', '--frozen-lockfile', '--production', '--non-interactive', '--no-progress'];
    default:
      return form satisfies never;
  }
}

/** Corepack, which comes with Node, knows the version that package.json names. */
function toolFor(
  form: NodeNeeds['form'],
  env: Readonly<Record<string, string>>,
  folder: string,
): { file: string; before: string[] } {
  const own = findTool(form, env);
  if (own !== undefined) return { file: own, before: [] };
  const corepack = form === 'npm' ? undefined : findTool('corepack', env);
  if (corepack !== undefined) return { file: corepack, before: [form] };
  const advice = form === 'npm' ? 'apt-get install npm' : `npm install -g ${form}`;
  throw new DependencyError(`${form} is not found in PATH, and the lock file in ${folder} is one of ${form}; ${advice}`);
}

/** The node that runs the program runs the scripts of its packages: what they compile is for one version. */
function pathWith(folder: string, env: Readonly<Record<string, string>>): string {
  return `${folder}:${env['PATH'] ?? '/bin:/usr/bin'}`;
}

/** Paths from the manifest lead nowhere from a copy of it. */
function refuseLocal({ source, folder }: NodeNeeds, text: string): void {
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(text) as Record<string, Record<string, string>>;
  const local = Object.entries({ ...dependencies, ...optionalDependencies }).find(([, version]) =>
    /^(?:file|link|portal|workspace):/.test(version),
  );
  if (local)
    throw new DependencyError(
      `${source} names ${local[0]} by a path (${local[1]}), which prisn does not install; install it in ${folder} yourself`,
    );
}
