/**
 * A foreground run: the user's own program, started by the CLI itself, with the caller's terminal, environment and
 * identity (tier F: no walls, only the limits that were asked for).
 *
 * A process runtime is started by `sandbox/process`. JavaScript goes to a warm isolate of the daemon when one is alive, and
 * otherwise runs in an isolate of this very process; with a limit, prisn then starts itself once more below the process
 * sandbox, which enforces it there as for every other program.
 *
 * Everything that only some runs need is imported when they need it: this file is on the path of every run.
 */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { commandFor, type Preload, type ProgramSource } from '../runtimes/command.ts';
import { readHead } from '../runtimes/head.ts';
import { detect, findRuntime, runtimeById } from '../runtimes/index.ts';
import { PrisnError } from './base/error.ts';
import { exitCodes } from './base/exit-codes.ts';
import { leastPidsOfNode } from './model/limits.ts';
import type { Provide, Wishes } from './dependencies.ts';
import type { Outcome } from './model/outcome.ts';
import type { Detection } from './model/runtime.ts';
import type { Inherited, IsolateTask, Limits, ProcessTask, Program } from './model/task.ts';

export interface ForegroundRun {
  readonly program: ProgramSource;
  readonly args: readonly string[];
  /** Id or alias of the runtime that was asked for. */
  readonly runtime: string | undefined;
  /** The program's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path. */
  readonly cwd: string;
  readonly limits: Limits;
  /** Whether a prisn above this one enforces them. */
  readonly limitsHeld: boolean;
  readonly inherited: Inherited;
  /** JSON text for a default export that is a function. */
  readonly input: string | undefined;
  /** Absolute path of the folder for what is worth keeping between runs; need not exist. */
  readonly cacheDir: string;
  /** Absolute path of `PRISN_HOME`, where the user's own runtimes are; need not exist. */
  readonly home: string;
  /** What the command line says about what the program needs from elsewhere. */
  readonly wishes: Wishes;
  /** Builds what is missing, in sight of the caller. */
  readonly provide: Provide;
  /** Starts this run once more, as a program of its own whose limits are held, with these flags of node's. */
  readonly again: (nodeFlags: readonly string[]) => readonly [file: string, ...args: string[]];
  /** Runs a program in an isolate that the daemon holds; absent where there is none. */
  readonly warm: WarmRunner | undefined;
  /** Hears that the program is about to start in a way in which a daemon would have been faster. */
  readonly cold: () => void;
  /** Whether somebody reads what is said about a program that failed. */
  readonly advises: () => boolean;
  /** Hears what is run, how and why. */
  readonly explain: (line: string) => void;
}

/** @returns undefined when the program has to be run here after all; nobody has seen anything of it then */
export type WarmRunner = (task: IsolateTask, io: WarmIo) => Promise<Outcome | undefined>;

/** What a program has of this process when its isolate is elsewhere. */
export interface WarmIo {
  /** Writes all of it before it returns. */
  readonly write: (fd: 1 | 2, data: Uint8Array) => void;
  /** Standard input to its end; undefined when there is none. */
  readonly readInput: () => string | undefined;
}

/**
 * Runs a program to its end.
 * @throws PrisnError when the program cannot be started at all
 */
export async function runInForeground(run: ForegroundRun): Promise<Outcome> {
  const detection = await detectRuntime(run);
  if (detection.runtime.id !== 'python3') refuseWishesOfPython(run);
  if (detection.runtime.kind === 'process') return runProcess(run, detection);
  if (needsHolder(run) && !mayBeWarm(run)) return runAgain(run, holderRunsIt);
  return runJavaScript(run, detection);
}

function refuseWishesOfPython({ wishes }: ForegroundRun): void {
  if ((wishes.added ?? []).length > 0 || wishes.python !== undefined)
    throw new PrisnError(
      'usage',
      '--with and --python are for Python programs; a JavaScript program names packages in package.json',
    );
}

/** Whether limits were asked for that nobody holds yet. */
function needsHolder({ limits, limitsHeld }: ForegroundRun): boolean {
  return Object.keys(limits).length > 0 && !limitsHeld;
}

const holderRunsIt = 'a process below this one runs it, for which the limits are held';

/** Limits that only a process can have stay here, and what cannot be read again to be run below one. */
function mayBeWarm(run: ForegroundRun): boolean {
  const { warm, limits, limitsHeld, program } = run;
  if (!warm || limitsHeld || limits.cpu !== undefined || limits.pids !== undefined) return false;
  return !needsHolder(run) || 'code' in program || ('file' in program && isRegular(program.file));
}

/** @throws PrisnError where nothing tells what runs it */
async function detectRuntime({ program, runtime, home, cwd, env }: ForegroundRun): Promise<Detection> {
  if ('file' in program) return detect(program.file, readHead(program.file), { env, cwd }, { runtime, home });
  const named = nameOfLanguage(program, runtime);
  return { runtime: await findRuntime(named, home), how: `--runtime ${named}` };
}

/** @returns what was asked for @throws PrisnError `usage` without, since there is no file name to tell the language by */
export function nameOfLanguage(program: Exclude<ProgramSource, { file: string }>, runtime: string | undefined): string {
  if (runtime !== undefined) return runtime;
  const what = 'code' in program ? '--exec' : 'a program from standard input';
  throw new PrisnError(
    'usage',
    `${what} needs --runtime, since there is no file name to tell the language by; such as --runtime python3`,
  );
}

/** @param importsTypeScript whether a program for node is known to */
async function runProcess(run: ForegroundRun, found: Detection, importsTypeScript = false): Promise<Outcome> {
  const detection = found.runtime.id === 'python3' ? await withEnvironment(run, found) : found;
  if (detection.runtime.id === 'node') refuseFewPids(run);
  const { program, env, cwd, cacheDir, input } = run;
  if ('file' in program && isShell(detection) && isRegular(program.file)) {
    const { checkRequired } = await import('../runtimes/shell/requires.ts');
    if (!run.wishes.none) checkRequired(program.file, { env, cwd });
  }
  const isFileForNode = detection.runtime.id === 'node' && 'file' in program;
  if (input !== undefined && !isFileForNode)
    throw new PrisnError(
      'usage',
      `--input calls the default export of a JavaScript program; ${detection.runtime.id} takes its input on stdin`,
    );
  const preload = isFileForNode ? await preloadOf(run, program.file, importsTypeScript) : undefined;
  const command = await commandFor(detection, program, run.args, { env, cwd, cacheDir }, preload);
  run.explain(`${detection.runtime.id} (${detection.how}): ${command.file} (${command.source})`);
  if (detection.runtime.id === 'python3' && 'file' in program && !needsHolder(run)) run.cold();
  const task = { file: command.file, args: command.args, env: { ...env, ...command.env }, cwd };
  const outcome = await startProcess(run, task);
  return detection.runtime.id === 'python3' ? advised(run, task, outcome) : outcome;
}

/** Beside what the program said itself about a module that it did not find. */
async function advised(
  { program, advises }: ForegroundRun,
  { file, env }: Pick<ProcessTask, 'file' | 'env'>,
  outcome: Outcome,
): Promise<Outcome> {
  if (outcome.reason !== 'exit' || outcome.exitCode !== exitCodes.failure) return outcome;
  if (!('file' in program) || !isRegular(program.file) || !advises()) return outcome;
  const { adviceOnModules } = await import('../runtimes/python3/missing.ts');
  const message = await adviceOnModules(resolve(program.file), file, env);
  return message === undefined ? outcome : { ...outcome, message };
}

function isShell({ runtime }: Detection): boolean {
  return runtime.id === 'sh' || runtime.id === 'bash';
}

async function withEnvironment(run: ForegroundRun, detection: Detection): Promise<Detection> {
  const { program, env, cwd, cacheDir, wishes, provide } = run;
  const { withPython } = await import('./dependencies.ts');
  const isFile = 'file' in program && isRegular(program.file);
  const text = 'code' in program ? program.code : '';
  const place = isFile ? { file: resolve(program.file) } : { file: resolve(cwd, '-'), text };
  const prepared = await withPython(detection, place, wishes, { env, cwd, cacheDir }, provide);
  return prepared ?? detection;
}

async function preloadOf(run: ForegroundRun, file: string, importsTypeScript: boolean): Promise<Preload | undefined> {
  const { env, cwd, cacheDir, wishes, provide, input } = run;
  const { packagesOf } = await import('./dependencies.ts');
  const packages = isRegular(file)
    ? await packagesOf({ file: resolve(file) }, wishes, { env, cwd, cacheDir }, provide)
    : undefined;
  const { nodePreload } = await import('../runtimes/javascript/node-preload.ts');
  return nodePreload(file, input, importsTypeScript, packages);
}

/** In the foreground, with the limits that nobody else holds. */
async function startProcess(run: ForegroundRun, command: Pick<ProcessTask, 'file' | 'args' | 'env' | 'cwd'>): Promise<Outcome> {
  const limits = run.limitsHeld ? {} : run.limits;
  const { runForeground } = await import('../sandbox/process/foreground.ts');
  return runForeground({ ...command, limits, runId: runId() }, run.inherited);
}

function refuseFewPids({ limits }: ForegroundRun): void {
  if ((limits.pids ?? leastPidsOfNode) >= leastPidsOfNode) return;
  throw new PrisnError('usage', `--pids: JavaScript needs at least ${leastPidsOfNode}, since each thread of its engine counts`);
}

async function runAgain(run: ForegroundRun, why: string, nodeFlags: readonly string[] = []): Promise<Outcome> {
  refuseFewPids(run);
  const [file, ...args] = run.again(nodeFlags);
  run.explain(why);
  // The caller's environment and directory, not the program's: the words of the command line say the rest again.
  return startProcess(run, { file, args, env: process.env as Record<string, string>, cwd: process.cwd() });
}

async function runJavaScript(run: ForegroundRun, detection: Detection): Promise<Outcome> {
  const { loadProgram } = await import('../runtimes/javascript/load.ts');
  const { path, source } = await programText(run, detection);
  const { env, cwd, cacheDir, wishes, provide } = run;
  const options = { cacheDir, force: run.runtime !== undefined, ...(source !== undefined && { source }) };
  let loaded = await loadProgram(path, options);
  if (loaded.choice === 'node' && loaded.lacksPackages === true && source === undefined) {
    const { loadedWithPackages } = await import('./dependencies.ts');
    const load = (packages: string) => loadProgram(path, { ...options, packages });
    loaded = await loadedWithPackages(loaded, load, { file: path }, wishes, { env, cwd, cacheDir }, provide);
  }
  if (loaded.choice === 'fails') {
    process.stderr.write(loaded.message);
    return { reason: 'exit', exitCode: exitCodes.failure };
  }
  if (loaded.choice === 'node') {
    run.explain(`node and not an isolate, since ${loaded.why}`);
    const program = source === undefined ? run.program : { code: source };
    return runProcess({ ...run, program }, { runtime: runtimeById('node'), how: 'in place of an isolate' }, loaded.typescript);
  }
  run.explain(`${detection.runtime.id} (${detection.how}): isolate`);
  return runIsolate(run, loaded.program, path);
}

async function runIsolate(run: ForegroundRun, program: Program, calledAs: string): Promise<Outcome> {
  const { args, env, cwd, input, limits } = run;
  const task: IsolateTask = { program, calledAs, args, env, cwd, limits, ...(input !== undefined && { input }) };
  const outcome = mayBeWarm(run) ? await runWarm(run, task) : undefined;
  if (outcome) return outcome;
  if (needsHolder(run)) return runAgain(run, holderRunsIt);
  const { isolateFlags, mayHoldIsolates } = await import('../sandbox/isolate/flags.ts');
  if (!mayHoldIsolates()) return runAgain(run, 'this node must be started anew to hold an isolate', isolateFlags());
  ignoreSignals(run);
  run.cold();
  const { runEmbedded } = await import('../sandbox/isolate/embedded.ts');
  return runEmbedded(task);
}

async function runWarm(run: ForegroundRun, task: IsolateTask): Promise<Outcome | undefined> {
  const { standardIo } = await import('../sandbox/isolate/standard-io.ts');
  ignoreSignals(run);
  // A program whose output cannot be written is over, and the end of this process ends it.
  const unwritten = Promise.withResolvers<Outcome>();
  const io = standardIo(run.env, unwritten.resolve);
  return Promise.race([run.warm?.({ ...task, colors: io.colors }, io), unwritten.promise]);
}

/** Node has set them to end the process: a listener that does nothing is as good as ignoring them. */
function ignoreSignals({ inherited }: ForegroundRun): void {
  for (const signal of inherited.ignored) process.on(signal, () => {});
}

/** The path that the program is known by, and its text where that is not the file's. */
async function programText({ program, cwd }: ForegroundRun, detection: Detection): Promise<{ path: string; source?: string }> {
  if ('file' in program) return isRegular(program.file) ? { path: resolve(program.file) } : readOnce(program.file);
  const extension = detection.runtime.id === 'typescript' ? 'ts' : 'js';
  if ('code' in program) return { path: resolve(cwd, `[exec].${extension}`), source: program.code };
  return { path: resolve(cwd, `[stdin].${extension}`), source: readFileSync(0, 'utf8') };
}

/** A pipe (`prisn run --runtime js <(…)`) gives its bytes once, and has no place in the file system to import from. */
function readOnce(file: string): { path: string; source: string } {
  return { path: resolve(file), source: readFileSync(file, 'utf8') };
}

function isRegular(file: string): boolean {
  return statSync(file).isFile();
}

/** Unique on this machine: no other process has this pid at this time. (A cryptographic source costs 2 ms to load.) */
function runId(): string {
  return `run-${process.pid}-${process.hrtime.bigint().toString(36)}`;
}
