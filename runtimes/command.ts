import { resolve } from 'node:path';
import { PrisnError } from '../src/base/error.ts';
import { type Detection, fillTemplate, type ProcessRuntime } from '../src/model/runtime.ts';
import { type Located, locate, type LocateContext } from './locate.ts';
import { isSince } from './version.ts';

/** What a runtime is given to run: a file, code on the command line, or what comes on stdin. */
export type ProgramSource = { readonly file: string } | { readonly code: string } | { readonly stdin: true };

/** What to execute. */
export interface Command {
  /** Absolute path. */
  readonly file: string;
  readonly args: readonly string[];
  /** Beside the caller's environment, which goes before a runtime's `env` but after a `#!` line's. */
  readonly env: Readonly<Record<string, string>>;
  /** Where the interpreter comes from, in words. */
  readonly source: string;
}

/** What an interpreter is given before the program, so that it can run that. */
export interface Preload {
  /** Arguments that stand before the program. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The first version of the interpreter that takes them; an older one gives way to the one that prisn brings. */
  readonly minimum: string;
}

/**
 * Makes a detection into what to execute.
 * @param program a file's path is used as it is, relative to `context.cwd`
 * @param args the program's own arguments
 * @throws PrisnError `no_runtime` when the interpreter is not there; `usage` when the runtime takes only files
 */
export async function commandFor(
  { runtime, interpreter }: Detection,
  program: ProgramSource,
  args: readonly string[],
  context: LocateContext,
  preload?: Preload,
): Promise<Command> {
  if (runtime.kind !== 'process') throw new TypeError(`${runtime.id} runs in an isolate`);
  const commands = interpreter?.commands ?? runtime.command;
  const template = templateFor(runtime, program);
  const env = { ...withoutThoseOf(context.env, runtime.env), ...interpreter?.env, ...preload?.env };
  if (commands.length === 0 && 'file' in program)
    return { file: resolve(context.cwd, program.file), args, env, source: 'the file itself' };
  const { file, source } = await suited(runtime, preload, locate(runtime, context, commands), context);
  if (runtime.build && 'file' in program) {
    const { builtCommand } = await import('./build.ts');
    return { ...builtCommand(runtime, runtime.build, file, program.file, args, context), env };
  }
  // A `#!` line with options says the whole command line, as for the kernel.
  const options = interpreter?.args ?? [];
  const filled = fillTemplate(
    options.length > 0 && 'file' in program ? plainArgs : template,
    'stdin' in program ? {} : program,
    args,
  );
  return { file, args: [...options, ...(preload?.args ?? []), ...filled], env, source: interpreter?.source ?? source };
}

const plainArgs = ['{file}', '{args}'];

function templateFor(runtime: ProcessRuntime, program: ProgramSource): readonly string[] {
  const template = 'file' in program ? runtime.args : 'code' in program ? runtime.exec : runtime.stdin;
  if (template) return template;
  throw new PrisnError('usage', `runtime ${runtime.id} runs files only; name a file, or another runtime with --runtime`);
}

/** The interpreter that was found, or prisn's own where the program needs a later version. */
async function suited(
  runtime: ProcessRuntime,
  preload: Preload | undefined,
  found: Located,
  context: LocateContext,
): Promise<Located> {
  const { name, fallback } = runtime;
  if (!preload || fallback === undefined || found.file === fallback) return found;
  if (await isSince(runtime, found.file, preload.minimum, context)) return found;
  return { file: fallback, source: `prisn's own, since this needs ${name} ${preload.minimum} and ${found.file} is older` };
}

function withoutThoseOf(env: LocateContext['env'], own: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(own).filter(([name]) => env[name] === undefined));
}
