/**
 * From a task to a child process, and from the ways in which that can fail or end to an outcome.
 *
 * A foreground run loads it before its program starts: no import but small ones.
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from 'node:fs';
import { errnoOf, type ErrorCode, errorCodes, messageOf, PrisnError } from '../../src/base/error.ts';
import { exitCodeOfSignal, exitCodes } from '../../src/base/exit-codes.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { ProcessTask } from '../../src/model/task.ts';
import type { Enforcement } from './limits.ts';
import { readStatus, type TreeSpec } from '../proc.ts';

/** A program that runs, or what kept it from starting. */
export type Launched = { readonly child: ChildProcess; readonly tree: TreeSpec } | { readonly refused: Promise<Outcome> };

/**
 * Starts the task's program, in this tick.
 * @param leads whether it leads a session of its own (setsid), away from the caller's terminal
 * @param enforcement what holds its limits
 * @param before a command that becomes the program, which its further arguments name
 */
export function launch(
  task: ProcessTask,
  stdio: StdioOptions,
  leads: boolean,
  enforcement: Enforcement | undefined,
  before: readonly string[] = [],
): Launched {
  // The directory that we are in may be one that cannot be entered, or named: it is inherited and not entered anew.
  const cwd = task.cwd === process.cwd() ? undefined : task.cwd;
  const [file = task.file, ...args] = [...before, task.file, ...task.args];
  const start = () => spawn(file, args, { cwd, env: environmentOf(task), stdio, detached: leads });
  try {
    if (before.length > 0) checkExecutable(task.file);
    const child = enforcement ? enforcement.inside(start) : start();
    const { pid } = child;
    if (pid === undefined)
      return { refused: new Promise((resolve) => child.once('error', (error) => resolve(refusal(task, error)))) };
    const root = { pid, start: readStatus(pid)?.start ?? '' };
    return { child, tree: { runId: task.runId, root, leads, cgroups: enforcement?.cgroups ?? [] } };
  } catch (error) {
    return { refused: Promise.resolve(refusal(task, error)) };
  }
}

/** libuv gives a child the default of every signal; a shell sets some aside before it becomes the program. */
export function ignoring(signals: readonly NodeJS.Signals[]): readonly string[] {
  if (signals.length === 0) return [];
  const names = signals.map((signal) => signal.slice(3)).join(' ');
  return ['/bin/sh', '-c', `trap '' ${names}; exec "$@"`, 'prisn'];
}

/** What a spawn would say of the program itself: what stands before it could only exit with a code. @throws system errors */
function checkExecutable(file: string): void {
  accessSync(file, constants.X_OK);
  if (!statSync(file).isFile()) throw Object.assign(new Error(`${file} is no file`), { code: 'EACCES' });
  const interpreter = /^#![ \t]*([^\s\0]+)/.exec(readStart(file))?.[1];
  if (interpreter !== undefined) accessSync(interpreter, constants.X_OK);
}

/** As much as the kernel looks at: execve(2). Empty for a program that may be executed and not read. */
function readStart(file: string): string {
  const buffer = Buffer.alloc(256);
  let fd: number | undefined;
  try {
    fd = openSync(file, 'r');
    return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } catch {
    return '';
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** How the child ends by itself, from its 'exit' event. */
export function exitOf(child: ChildProcess): Promise<Outcome> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      if (signal === null) return resolve({ reason: 'exit', exitCode: code ?? exitCodes.failed });
      const { signals } = process.getBuiltinModule('node:os').constants;
      resolve({ reason: 'signal', exitCode: exitCodeOfSignal(signals[signal]), signal });
    });
  });
}

/** A run inside a run carries both ids, so that the end of the outer one finds what the inner one started. */
export function environmentOf({ env, runId }: ProcessTask): Record<string, string> {
  const outer = [env['PRISN_RUN_ID'], env['PRISN_RUN_PARENTS']].filter(Boolean).join(',');
  return outer ? { ...env, PRISN_RUN_ID: runId, PRISN_RUN_PARENTS: outer } : { ...env, PRISN_RUN_ID: runId };
}

/** Why a program could not be started, by the error of its spawn: execve(2), fork(2). */
const refusals: readonly {
  readonly errors: readonly string[];
  readonly code: ErrorCode;
  readonly says: (task: ProcessTask) => string;
}[] = [
  {
    errors: ['EACCES', 'EPERM'],
    code: 'cannot_run',
    says: ({ file, cwd }) =>
      `${file} may not be executed (in ${cwd}); check the permissions of both (chmod +x) and that their disk is not mounted noexec`,
  },
  {
    errors: ['ENOEXEC'],
    code: 'cannot_run',
    says: ({ file }) =>
      `${file} is no program for this machine: neither a first line with #! nor a binary of this kind; name its runtime with --runtime`,
  },
  {
    errors: ['E2BIG'],
    code: 'cannot_run',
    says: ({ file }) =>
      `the arguments and the environment of ${file} are larger than the system allows; hand the data over in a file or on stdin`,
  },
  {
    errors: ['ETXTBSY'],
    code: 'cannot_run',
    says: ({ file }) => `${file} is open for writing elsewhere; close it and run again`,
  },
  {
    errors: ['ERR_INVALID_ARG_VALUE'],
    code: 'cannot_run',
    says: ({ file }) => `an argument or a variable for ${file} contains a NUL byte, which no program can receive; remove it`,
  },
  {
    errors: ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'],
    code: 'internal',
    says: ({ file }) => `no process, memory or file descriptor was left to start ${file}; see ulimit -a and try again`,
  },
];

function refusal(task: ProcessTask, error: unknown): Outcome {
  if (error instanceof PrisnError) return refused(error.code, error.message);
  const name = errnoOf(error) ?? '';
  const known = refusals.find(({ errors }) => errors.includes(name));
  if (known) return refused(known.code, known.says(task));
  if (name === 'ENOENT' || name === 'ENOTDIR') return missing(task);
  return refused('cannot_run', `${task.file} could not be started: ${messageOf(error)}`);
}

function missing({ file, cwd }: ProcessTask): Outcome {
  if (!existsSync(cwd))
    return refused('cannot_run', `the working directory ${cwd} does not exist; create it or choose another with --workdir`);
  if (!existsSync(file))
    return refused('no_runtime', `${file} does not exist; install it or choose another runtime with --runtime`);
  const advice = 'install it or correct that line';
  return refused('no_runtime', `the interpreter in the first line (#!) of ${file} does not exist; ${advice}`);
}

function refused(errorCode: ErrorCode, message: string): Outcome {
  const reason = errorCode === 'internal' ? 'crashed' : 'invalid';
  return { reason, exitCode: errorCodes[errorCode].exit, errorCode, message };
}
