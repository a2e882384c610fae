/**
 * Languages that are compiled: a program is built before its first run, and from then on started at once.
 *
 *   cacheDir/builds/KEY/          the text of the file, the compiler, its arguments and variables, the manifests
 *     variants.json               what else was read, by path from the file's folder, with hashes; which program that gave
 *     ID/NAME                     programs; one is never changed, and taken for good only once variants.json names it
 *
 * A kept program counts while all that was read is the same, whatever the folder: an execution has its files in a new one
 * each time. (ccache calls the same thing direct mode, https://ccache.dev/manual/latest.html.) To find it takes the hashes of
 * the files and no process.
 *
 * Otherwise what is started is a shell, which has the program built (`build-step.ts`) and becomes it. So the build is a part of
 * the run: it has its terminal, its log, its limits and its end, and a failed one ends the run with the compiler's own words
 * and exit code. Two that build the same at once do so beside each other, and the later one is kept.
 */
import { hash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PrisnError } from '../src/base/error.ts';
import { isExecutable } from '../src/base/executable.ts';
import { type BuildStep, fillTemplate, type ProcessRuntime } from '../src/model/runtime.ts';
import type { Command } from './command.ts';
import { readOwn, stateOf } from './kept-file.ts';
import type { LocateContext } from './locate.ts';

/** What else than the text of the file a program was built from. */
export interface Variant {
  /** Hashes by path, relative to the folder of the file. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Relative to the folder of the key. */
  readonly program: string;
}

/** What `build-step.ts` is told. */
export interface BuildOrder {
  /** Absolute paths: the compiler, the file, the folder of the key, the program that is to be made. */
  readonly compiler: string;
  readonly file: string;
  readonly place: string;
  readonly out: string;
  readonly args: readonly string[];
  readonly inputs?: readonly string[];
  /** Of the file, as it stands in the key. */
  readonly hash: string;
}

/** Builds with the words up to the program, then becomes the program with what follows. The builder is a node of prisn's own. */
const buildAndRun = `node=$1 step=$2 order=$3 program=$4
shift 4
NODE_OPTIONS= "$node" "$step" "$order" || exit
exec "$program" "$@"`;

/**
 * @param compiler absolute path
 * @param file of the program, relative to `context.cwd`
 * @throws PrisnError `cannot_run` for what is no regular file
 */
export function builtCommand(
  runtime: ProcessRuntime,
  step: BuildStep,
  compiler: string,
  file: string,
  args: readonly string[],
  context: LocateContext,
): Pick<Command, 'file' | 'args' | 'source'> {
  const path = resolve(context.cwd, file);
  const source = hashOf(path);
  if (source === undefined || !statSync(path).isFile())
    throw new PrisnError('cannot_run', `'${file}' cannot be built: ${runtime.name} is compiled from regular files`);
  const place = join(context.cacheDir, 'builds', keyOf(runtime, step, compiler, path, source, context.env));
  const own = fillTemplate(runtime.args, { file: path }, args);
  const kept = variantsIn(place).find(
    (variant) => isUnchanged(variant, dirname(path)) && isExecutable(join(place, variant.program)),
  );
  if (kept) {
    touch(place);
    return { file: join(place, kept.program), args: own, source: `built by ${compiler}` };
  }
  const id = `${process.pid}-${process.hrtime.bigint().toString(36)}`;
  const out = join(place, id, basename(path, extname(path)));
  const values = { file: basename(path), out };
  const order: BuildOrder = {
    compiler,
    file: path,
    place,
    out,
    args: fillTemplate(step.args, values),
    ...(step.inputs && { inputs: fillTemplate(step.inputs, values) }),
    hash: source,
  };
  const builder = fileURLToPath(new URL(`./build-step${extname(import.meta.url)}`, import.meta.url));
  return {
    file: '/bin/sh',
    args: ['-c', buildAndRun, 'sh', process.execPath, builder, JSON.stringify(order), out, ...own],
    source: `which first has ${compiler} build it`,
  };
}

/** @returns none for a folder that is not there, and for what is damaged */
export function variantsIn(place: string): Variant[] {
  try {
    const data: unknown = JSON.parse(readOwn(variantsFile(place)) ?? '[]');
    return Array.isArray(data) ? (data as Variant[]) : [];
  } catch {
    return [];
  }
}

export function variantsFile(place: string): string {
  return join(place, 'variants.json');
}

/** A folder with more has no hash. */
const maxEntries = 1000;

/** @returns of a file's content, or of the names below a folder; undefined for what cannot be read */
export function hashOf(path: string): string | undefined {
  try {
    if (!statSync(path).isDirectory()) return hash('sha256', readFileSync(path), 'base64url');
    const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
    return names.length > maxEntries ? undefined : hash('sha256', names.toSorted().join('\0'), 'base64url');
  } catch {
    return undefined;
  }
}

function isUnchanged({ inputs }: Variant, folder: string): boolean {
  return Object.entries(inputs).every(([path, known]) => hashOf(join(folder, path)) === known);
}

function keyOf(
  { id, manifests }: ProcessRuntime,
  step: BuildStep,
  compiler: string,
  file: string,
  source: string,
  env: LocateContext['env'],
): string {
  const parts = [
    [id, compiler, stateOf(compiler)?.stamp, step.args, step.inputs, basename(file), source],
    step.variables.map((name) => env[name]),
    manifests.map((name) => nearestHash(dirname(file), name)),
  ];
  return hash('sha256', JSON.stringify(parts), 'base64url');
}

function nearestHash(folder: string, name: string): string | undefined {
  const found = hashOf(join(folder, name));
  const above = dirname(folder);
  return found !== undefined || above === folder ? found : nearestHash(above, name);
}

/** The last use, by which old ones are let go. */
function touch(place: string): void {
  try {
    const now = new Date();
    utimesSync(variantsFile(place), now, now);
  } catch {
    // It goes sooner.
  }
}
