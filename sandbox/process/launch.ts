/**
 * From a task to a child process, and from the ways in which that can fail or end to an outcome.
 *
 * A foreground run loads it before its program starts: no import but small ones.
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { errnoOf, type ErrorCode, messageOf } from '../../src/base/error.ts';
import { exitCodes, type Outcome } from '../../src/model/outcome.ts';
import type { ProcessTask } from '../../src/model/task.ts';
import type { Enforcement } from './limits.ts';
import { readStatus, type TreeSpec } from './proc.ts';

/** A program that runs, or what kept it from starting. */
export type Launched = { readonly child: ChildProcess; readonly tree: TreeSpec } | { readonly refused: Promise<Outcome> };

/**
 * Starts the task's program, in this tick.
 * @param leads whether it leads a session of its own (setsid), away from the caller's terminal
 * @param enforcement what holds its limits
 */
export function launch(task: ProcessTask, stdio: StdioOptions, leads: boolean, enforcement: Enforcement | undefined): Launched {
  const start = () => spawn(task.file, task.args, { cwd: task.cwd, env: environmentOf(task), stdio, detached: leads });
  try {
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

/** How the child ends by itself, from its 'exit' event. */
export function exitOf(child: ChildProcess): Promise<Outcome> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      if (signal === null) return resolve({ reason: 'exit', exitCode: code ?? exitCodes.failed });
      const { signals } = process.getBuiltinModule('node:os').constants;
      resolve({ reason: 'signal', exitCode: 128 + signals[signal], signal });
    });
  });
}

/** A run inside a run carries both ids, so that the end of the outer one finds what the inner one started. */
function environmentOf({ env, runId }: ProcessTask): Record<string, string> {
  const outer = [env['PRISN_RUN_ID'], env['PRISN_RUN_PARENTS']].filter(Boolean).join(',');
  return outer ? { ...env, PRISN_RUN_ID: runId, PRISN_RUN_PARENTS: outer } : { ...env, PRISN_RUN_ID: runId };
}

function refusal(task: ProcessTask, error: unknown): Outcome {
  const { file, cwd } = task;
  const refuse = (exitCode: number, errorCode: ErrorCode, message: string): Outcome => ({
    reason: 'invalid',
    exitCode,
    errorCode,
    message,
  });
  const cannotRun = (message: string) => refuse(exitCodes.cannotRun, 'cannot_run', message);

  switch (errnoOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      if (!existsSync(cwd))
        return cannotRun(`the working directory ${cwd} does not exist; create it or choose another with --workdir`);
      if (!existsSync(file))
        return refuse(
          exitCodes.notFound,
          'no_runtime',
          `${file} does not exist; install it or choose another runtime with --runtime`,
        );
      return refuse(
        exitCodes.notFound,
        'no_runtime',
        `the interpreter in the first line (#!) of ${file} does not exist; install it or correct that line`,
      );
    case 'EACCES':
    case 'EPERM':
      return cannotRun(
        `${file} may not be executed (in ${cwd}); check the permissions of both (chmod +x) and that their disk is not mounted noexec`,
      );
    case 'ENOEXEC':
      return cannotRun(
        `${file} is no program for this machine: neither a first line with #! nor a binary of this kind; name its runtime with --runtime`,
      );
    case 'E2BIG':
      return cannotRun(
        `the arguments and the environment of ${file} are larger than the system allows; hand the data over in a file or on stdin`,
      );
    case 'ETXTBSY':
      return cannotRun(`${file} is open for writing elsewhere; close it and run again`);
    case 'ERR_INVALID_ARG_VALUE':
      return cannotRun(`an argument or a variable for ${file} contains a NUL byte, which no program can receive; remove it`);
    case 'EAGAIN':
    case 'ENOMEM':
    case 'EMFILE':
    case 'ENFILE':
      return {
        reason: 'crashed',
        exitCode: exitCodes.failed,
        errorCode: 'internal',
        message: `no process, memory or file descriptor was left to start ${file} (${messageOf(error)}); see ulimit -a and try again`,
      };
    default:
      return cannotRun(`${file} could not be started: ${messageOf(error)}`);
  }
}
