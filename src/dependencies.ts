/**
 * What a program needs from elsewhere, from what it says to what runs it: `runtimes/` finds its words and the interpreter, and
 * `src/environments/` has the environment. Foreground runs, executions and launches come here, each with its own way to wait for
 * what has to be built first.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { locate, type LocateContext } from '../runtimes/locate.ts';
import type { Loaded } from '../runtimes/javascript/load.ts';
import { nodeNeeds } from '../runtimes/javascript/needs.ts';
import { hooked } from '../runtimes/javascript/node-preload.ts';
import type { Packages } from '../runtimes/javascript/packages.ts';
import { node } from '../runtimes/node.ts';
import { versionOf } from '../runtimes/version.ts';
import { python3 } from '../runtimes/python3.ts';
import { pythonNeeds } from '../runtimes/python3/needs.ts';
import { realPath } from './base/real-path.ts';
import type { Environment, EnvironmentRequest, Environments } from './environments/environments.ts';
import type { BaseInterpreter, PythonNeeds } from './model/needs.ts';
import { type Detection, type Interpreter, isAtLeast } from './model/runtime.ts';

/** What the command line says. */
export interface Wishes {
  /** Nothing is prepared. */
  readonly none?: boolean;
  /** Requirements beside those of the program. */
  readonly added?: readonly string[];
  /** A version of Python, a command or a path. */
  readonly python?: string | undefined;
  /** Only what is locked is installed. */
  readonly frozen?: boolean;
}

export interface DependentProgram {
  /** Absolute path; of a program without a file, of any in its folder. */
  readonly file: string;
  /** Its text, where it has no file. */
  readonly text?: string | undefined;
  /** Absolute path of the last folder in which its manifest may lie; its own without. */
  readonly top?: string | undefined;
}

/** Where a program is looked at; its environment is what an installer sees too. */
export interface Surroundings extends LocateContext {
  readonly env: Readonly<Record<string, string>>;
}

/** What a server needs of `Environments`. */
export type PreparesEnvironments = Pick<Environments, 'find' | 'prepare' | 'prepareAhead'>;

/** @returns the environment; undefined where it is not there, and is not built */
export type Provide = (request: EnvironmentRequest) => Promise<Environment | undefined>;

/**
 * @param provide is asked only where something has to be installed
 * @returns what runs the program; undefined where `provide` had nothing
 * @throws PrisnError `dependency`, `no_runtime`
 */
export async function withPython(
  detection: Detection,
  program: DependentProgram,
  wishes: Wishes,
  context: Surroundings,
  provide: Provide,
): Promise<Detection | undefined> {
  const { none = false, added = [], python, frozen = false } = wishes;
  const needs = none ? undefined : await pythonNeeds({ ...realPlace(program), added });
  if (!needs && python === undefined) return detection;
  const usual = () => locate(python3, context, detection.interpreter?.commands);
  if (needs && added.length === 0 && python === undefined) {
    const prepared = preparedByUser(detection, needs, context);
    if (prepared) return prepared;
  }
  const { interpreterFor } = await import('../runtimes/python3/interpreters.ts');
  const base = await interpreterFor({ asked: python, required: needs?.requiresPython ?? '' }, usual, context);
  if (!needs || !hasPackages(needs)) return startedBy(detection, base.file, `Python ${base.version}`);
  const environment = await provide({ needs, interpreter: base, env: context.env, frozen });
  return (
    environment && startedBy(detection, join(environment.folder, 'bin/python3'), `Python ${base.version} with ${needs.source}`)
  );
}

/**
 * @returns where the packages of a program for node are; undefined where it needs none, or has them beside it
 * @throws PrisnError `dependency`
 */
export async function packagesOf(
  program: DependentProgram,
  { none = false, frozen = false }: Wishes,
  context: Surroundings,
  provide: Provide,
): Promise<Packages | undefined> {
  if (none || program.text !== undefined) return undefined;
  const { file, top } = realPlace(program);
  const needs = nodeNeeds(file, top);
  if (!needs) return undefined;
  const interpreter = await nodeFor(context);
  const environment = await provide({ needs, interpreter, env: context.env, frozen });
  return environment && { home: needs.folder, modules: join(environment.folder, 'node_modules') };
}

/**
 * A program that was loaded, or loaded anew with packages that are installed elsewhere where it imports some that are not
 * beside it.
 * @param load `loadProgram` or `loadJudged` of the program
 */
export async function loadedWithPackages<L extends Loaded | undefined>(
  loaded: L,
  load: (packages: string) => Promise<L>,
  ...needs: Parameters<typeof packagesOf>
): Promise<L> {
  if (loaded?.choice !== 'node' || loaded.lacksPackages !== true) return loaded;
  const packages = await packagesOf(...needs);
  return packages ? load(packages.modules) : loaded;
}

/** The node that will run it, as packages come with hooks: prisn's own where the one that is found is older than they are. */
async function nodeFor(context: LocateContext): Promise<BaseInterpreter> {
  const { file } = locate(node, context);
  const version = await versionOf(node, file, context);
  if (version !== undefined && isAtLeast(version, hooked)) return { file, version };
  return { file: process.execPath, version: process.versions.node };
}

/**
 * An activated environment, one named by the `#!` line, or `.venv` beside the manifest: whoever made it has put into it what the manifest
 * names. A block in the program is about no such environment.
 */
function preparedByUser(detection: Detection, needs: PythonNeeds, context: LocateContext): Detection | undefined {
  if (needs.form === 'script') return undefined;
  const { prefixes } = python3;
  const isActive = prefixes.some((name) => existsSync(join(context.env[name] || '/nonexistent', 'bin')));
  const [named = ''] = detection.interpreter?.commands ?? [];
  if (isActive || existsSync(join(dirname(named), '../pyvenv.cfg'))) return detection;
  const own = join(needs.folder, '.venv/bin/python3');
  return existsSync(own) ? startedBy(detection, own, `.venv beside ${needs.source}`) : undefined;
}

function hasPackages({ form, requirements, isPackage }: PythonNeeds): boolean {
  return form === 'requirements' || form === 'lock' || isPackage || requirements.length > 0;
}

function startedBy(detection: Detection, file: string, source: string): Detection {
  const { args = [], env = {} } = detection.interpreter ?? {};
  const interpreter: Interpreter = { commands: [file], args, env, source };
  return { ...detection, interpreter };
}

/** Links lead to where a program's own folder is, and end the way up from there. */
function realPlace({ file, text, top }: DependentProgram): DependentProgram {
  return { file: realPath(file), text, top: top && realPath(top) };
}
