/**
 * Environments of Python: a venv, filled by uv where it is installed, else by pip. Whose pip is of little account: that of the interpreter
 * itself saves the seconds that a venv of one's own takes, and where it has none, or one older than `--python`, the venv gets one.
 *
 * Requirements are handed over as they were written, in a file or on the command line; the installer works in the folder they come from.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { PythonNeeds } from '../model/needs.ts';
import { isAtLeast } from '../model/runtime.ts';
import type { EnvironmentRequest } from './environments.ts';
import { keyOf, steering } from './key.ts';
import { folderHash, mentionedIn } from './mentioned.ts';
import { findTool } from './path.ts';
import type { Recipe } from './recipe.ts';
import type { Run } from './tool.ts';
import { constraintsOf } from './uv-lock.ts';

/** The first pip that installs into another interpreter's environment. */
const pipForOthers = '22.3';

export function pythonRecipe(needs: PythonNeeds, request: EnvironmentRequest): Recipe {
  const { interpreter, frozen } = request;
  const env = forInstallers(request.env);
  const uv = findTool('uv', env);
  const { parts, isTied } = partsOf(needs, env, frozen, uv !== undefined);
  return {
    key: keyOf(interpreter, parts),
    isTied,
    title: `${titleOf(needs)} by ${uv === undefined ? 'pip' : 'uv'}`,
    source: needs.source,
    form: needs.form,
    interpreter: `Python ${interpreter.version}`,
    proof: 'bin/python3',
    build: (folder, run) => {
      const build = { needs, interpreter: interpreter.file, frozen, folder, run: within(run, env) };
      return uv === undefined ? buildByPip(build) : buildByUv(uv, build);
    },
  };
}

function titleOf({ form, source, requirements }: PythonNeeds): string {
  switch (form) {
    case 'script':
      return `${basename(source)} (# /// script)`;
    case 'options':
      return `--with ${requirements.join(' ')}`;
    default:
      return basename(source);
  }
}

/** What steers pip and uv but where they keep their cache, and how they show themselves. */
const steers = /^(?:PIP|UV)_/;
const saysNothing =
  /^(?:PIP|UV)_(?:CACHE_DIR|DEFAULT_TIMEOUT|HTTP_TIMEOUT|DISABLE_PIP_VERSION_CHECK|NO_INPUT|PROGRESS_BAR|NO_PROGRESS|RETRIES|QUIET|VERBOSE|LOG|NO_COLOR|CERT|CLIENT_CERT)$/;

function partsOf(
  needs: PythonNeeds,
  env: Readonly<Record<string, string>>,
  frozen: boolean,
  hasUv: boolean,
): { parts: string[]; isTied: boolean } {
  const { form, source, folder, requirements, isPackage } = needs;
  const steered = steering(env, steers, saysNothing);
  const texts = form === 'requirements' || form === 'lock' ? [readFileSync(source, 'utf8')] : [];
  const mentioned = [...(form === 'requirements' ? texts : []), requirements.join('\n')].map((text) =>
    mentionedIn(text, folder, folder, env),
  );
  const isTied = isPackage || mentioned.some(({ hasPaths }) => hasPaths);
  const parts = [
    'python3',
    form === 'lock' ? `lock ${hasUv}` : '',
    frozen ? 'frozen' : '',
    ...texts,
    ...requirements,
    ...mentioned.flatMap(({ parts }) => parts),
    ...(isTied ? [folder] : []),
    ...(isPackage ? [folderHash(folder)] : []),
    ...steered,
  ];
  return { parts, isTied };
}

interface Build {
  readonly needs: PythonNeeds;
  /** Absolute paths. */
  readonly interpreter: string;
  readonly folder: string;
  readonly frozen: boolean;
  readonly run: Run;
}

async function buildByPip({ needs, interpreter, folder, frozen, run }: Build): Promise<void> {
  const cwd = needs.folder;
  const ownPip = await pipVersion(interpreter, cwd, run);
  const isOther = ownPip !== undefined && isAtLeast(ownPip, pipForOthers);
  const venv = ['-m', 'venv', ...(isOther ? ['--without-pip'] : []), folder];
  await run({ name: 'python -m venv', file: interpreter, args: venv, cwd });
  const python = join(folder, 'bin/python3');
  const pip = isOther ? ['-m', 'pip', '--python', python] : ['-m', 'pip'];
  const what = [...wanted(needs, folder), ...(needs.form === 'lock' ? ['-c', writeConstraints(needs, folder)] : [])];
  const args = [...pip, 'install', '--no-input', '--no-color', ...(frozen ? ['--require-hashes'] : []), ...what];
  // A refusal by an index, or that there is none, it notes there alone.
  const log = join(folder, 'pip.log');
  await run({ name: 'pip install', file: isOther ? interpreter : python, args: [...args, '--log', log], cwd, log });
  rmSync(log, { force: true });
}

async function pipVersion(interpreter: string, cwd: string, run: Run): Promise<string | undefined> {
  try {
    const said = await run({ name: 'pip', file: interpreter, args: ['-m', 'pip', '--version'], cwd });
    return /^pip (\d+(?:\.\d+)*)/m.exec(said)?.[1];
  } catch {
    return undefined;
  }
}

async function buildByUv(uv: string, { needs, interpreter, folder, frozen, run }: Build): Promise<void> {
  const cwd = needs.folder;
  const python = join(folder, 'bin/python3');
  const install = ['pip', 'install', '--python', python, '--compile-bytecode'];
  await run({
    name: 'uv venv',
    file: uv,
    args: ['venv', '--no-project', '--allow-existing', '--python', interpreter, folder],
    cwd,
  });
  if (needs.form !== 'lock') {
    const args = [...install, ...(frozen ? ['--require-hashes'] : []), ...wanted(needs, folder)];
    return void (await run({ name: 'uv pip install', file: uv, args, cwd }));
  }
  const kind = [frozen ? '--locked' : '--frozen', '--no-dev', ...(needs.isPackage ? [] : ['--no-install-project'])];
  const args = ['sync', '--compile-bytecode', '--python', python, ...kind];
  await run({ name: 'uv sync', file: uv, args, cwd, env: { UV_PROJECT_ENVIRONMENT: folder } });
  const added = needs.requirements.length > 0 ? wanted({ ...needs, isPackage: false }, folder) : [];
  if (added.length > 0) await run({ name: 'uv pip install', file: uv, args: [...install, ...added], cwd });
}

/** What is installed, in words of pip and uv. */
function wanted({ form, source, folder: home, requirements, isPackage }: PythonNeeds, folder: string): string[] {
  const listed = join(folder, 'requirements.txt');
  if (requirements.length > 0) writeFileSync(listed, requirements.map((line) => `${line}\n`).join(''));
  return [
    ...(form === 'requirements' ? ['-r', source] : []),
    ...(isPackage ? ['-e', home] : []),
    ...(requirements.length > 0 ? ['-r', listed] : []),
  ];
}

/** pip knows nothing of uv.lock: its versions and hashes are constraints. */
function writeConstraints({ source }: PythonNeeds, folder: string): string {
  const file = join(folder, 'constraints.txt');
  writeFileSync(file, constraintsOf(readFileSync(source, 'utf8'), source));
  return file;
}

/** Variables of a Python that is in use say nothing about one that is being made; some make pip install elsewhere. */
const misleading =
  /^(?:PYTHONHOME|PYTHONPATH|PYTHONSTARTUP|PYTHONUSERBASE|VIRTUAL_ENV|CONDA_PREFIX|__PYVENV_LAUNCHER__|PIP_(?:TARGET|PREFIX|ROOT|USER|PYTHON|REQUIRE_VIRTUALENV|DRY_RUN|REPORT)|UV_(?:PROJECT_ENVIRONMENT|SYSTEM_PYTHON|TARGET|PREFIX|PYTHON))$/;

function forInstallers(env: Readonly<Record<string, string>>): Record<string, string> {
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !misleading.test(name)));
  // The files of uv's cache are shared by links elsewhere, and closed here.
  return { ...own, PIP_USER: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1', UV_LINK_MODE: 'copy', UV_NO_PROGRESS: '1' };
}

function within(run: Run, env: Readonly<Record<string, string>>): Run {
  return (step) => run({ ...step, env: { ...env, ...step.env } });
}
