/**
 * A foreground run: the user's own program, started by the CLI itself, with the caller's terminal, environment and
 * identity (tier F: no walls, only the limits that were asked for).
 *
 * A process runtime is started by `sandbox/process`. JavaScript runs in an isolate of this very process; with a limit,
 * prisn starts itself once more below the process sandbox, which enforces it there as for every other program.
 *
 * Everything that only some runs need is imported when they need it: this file is on the path of every run.
 */
import { resolve } from 'node:path';
import { commandFor, type ProgramSource } from '../runtimes/command.ts';
import { readHead } from '../runtimes/head.ts';
import { detect, runtimeById } from '../runtimes/index.ts';
import { PrisnError } from './base/error.ts';
import type { Outcome } from './model/outcome.ts';
import type { Detection } from './model/runtime.ts';
import type { Limits, Program } from './model/task.ts';

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
  /** JSON text for a default export that is a function. */
  readonly input: string | undefined;
  /** Absolute path of the folder for what is worth keeping between runs; need not exist. */
  readonly cacheDir: string;
  /** Starts this run once more, as a program of its own whose limits are held, with these flags of node's. */
  readonly again: (nodeFlags: readonly string[]) => readonly [file: string, ...args: string[]];
  /** Hears what is run, how and why. */
  readonly explain: (line: string) => void;
}

/**
 * Runs a program to its end.
 * @throws PrisnError when the program cannot be started at all
 */
export async function runInForeground(run: ForegroundRun): Promise<Outcome> {
  const detection = detectRuntime(run);
  if (detection.runtime.kind === 'process') return runProcess(run, detection);
  if (Object.keys(run.limits).length > 0 && !run.limitsHeld) return runAgain(run, 'limits hold for a process of its own');
  return runJavaScript(run, detection);
}

function detectRuntime({ program, runtime, cwd, env }: ForegroundRun): Detection {
  if ('file' in program) return detect(program.file, readHead(program.file), { env, cwd }, runtime);
  if (runtime === undefined) {
    const what = 'code' in program ? '--exec' : 'a program from standard input';
    throw new PrisnError(
      'usage',
      `${what} needs --runtime, since there is no file name to tell the language by; such as --runtime python3`,
    );
  }
  return { runtime: runtimeById(runtime), how: `--runtime ${runtime}` };
}

async function runProcess(run: ForegroundRun, detection: Detection): Promise<Outcome> {
  if (run.input !== undefined)
    throw new PrisnError(
      'usage',
      `--input calls the default export of a JavaScript program; ${detection.runtime.id} takes its input on stdin`,
    );
  const { program, env, cwd, cacheDir } = run;
  const limits = run.limitsHeld ? {} : run.limits;
  const command = await commandFor(detection, program, run.args, { env, cwd, cacheDir });
  run.explain(`${detection.runtime.id} (${detection.how}): ${command.file} (${command.source})`);
  const { runForeground } = await import('../sandbox/process/foreground.ts');
  return runForeground({
    file: command.file,
    args: command.args,
    env: { ...env, ...command.env },
    cwd,
    limits,
    runId: runId(),
  });
}

async function runAgain(run: ForegroundRun, why: string, nodeFlags: readonly string[] = []): Promise<Outcome> {
  const [file, ...args] = run.again(nodeFlags);
  run.explain(why);
  const { runForeground } = await import('../sandbox/process/foreground.ts');
  // The caller's directory: the words of the command line are relative to it.
  return runForeground({ file, args, env: run.env, cwd: process.cwd(), limits: run.limits, runId: runId() });
}

async function runJavaScript(run: ForegroundRun, detection: Detection): Promise<Outcome> {
  const { loadProgram } = await import('../runtimes/javascript/load.ts');
  const { path, source } = await programText(run, detection);
  const loaded = await loadProgram(path, {
    cacheDir: run.cacheDir,
    force: run.runtime !== undefined,
    ...(source !== undefined && { source }),
  });
  if (loaded.choice === 'fails') {
    process.stderr.write(loaded.message);
    return { reason: 'exit', exitCode: 1 };
  }
  if (loaded.choice === 'node') {
    run.explain(`node and not an isolate, since ${loaded.why}`);
    const program = source === undefined ? run.program : { code: source };
    return runProcess({ ...run, program }, { runtime: runtimeById('node'), how: loaded.why });
  }
  run.explain(`${detection.runtime.id} (${detection.how}): isolate`);
  return runIsolate(run, loaded.program);
}

async function runIsolate(run: ForegroundRun, program: Program): Promise<Outcome> {
  const { isolateFlags, mayHoldIsolates } = await import('../sandbox/isolate/flags.ts');
  if (!mayHoldIsolates()) return runAgain(run, 'this node must be started anew to hold an isolate', isolateFlags());
  const { runEmbedded } = await import('../sandbox/isolate/embedded.ts');
  const { args, env, cwd, input, limits } = run;
  return runEmbedded({ program, args, env, cwd, limits, ...(input !== undefined && { input }) });
}

/** The path that the program is known by, and its text where that is not the file's. */
async function programText({ program, cwd }: ForegroundRun, detection: Detection): Promise<{ path: string; source?: string }> {
  if ('file' in program) return { path: resolve(program.file) };
  const extension = detection.runtime.id === 'typescript' ? 'ts' : 'js';
  if ('code' in program) return { path: resolve(cwd, `[exec].${extension}`), source: program.code };
  const { readFileSync } = await import('node:fs');
  return { path: resolve(cwd, `[stdin].${extension}`), source: readFileSync(0, 'utf8') };
}

/** Unique on this machine: no other process has this pid at this time. (A cryptographic source costs 2 ms to load.) */
function runId(): string {
  return `run-${process.pid}-${process.hrtime.bigint().toString(36)}`;
}
