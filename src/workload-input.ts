import type { Preload } from '../runtimes/command.ts';
import type { Workload } from './engine/ports.ts';
import type { FunctionRequest } from './model/task.ts';

/** A variable longer than 128 kB keeps a program from starting: execve(2), MAX_ARG_STRLEN. */
const inputVariableBytes = 64 * 2 ** 10;

/** The head alone, which is shorter than a variable may be. */
function requestVariable({ method, url, headers }: FunctionRequest): Record<string, string> {
  return { PRISN_REQUEST: JSON.stringify({ method, url, headers }) };
}

/**
 * How a program of a process runtime gets its input, and a request (beside the variables of CGI): as the argument of its
 * default export, where it has one; else as standard input, unless the workload has another, and as `PRISN_INPUT` while it
 * is short enough for a variable.
 */
export function inputFor(
  { input, stdin, request }: Workload,
  preload: Preload | undefined,
): { stdin?: Uint8Array; variables: Record<string, string> } {
  const isCalled = preload?.env['PRISN_INPUT'] !== undefined;
  const own = stdin && { stdin };
  if (input === undefined)
    return { ...own, variables: { ...preload?.env, ...(isCalled && request && requestVariable(request)) } };
  const bytes = Buffer.from(input);
  const isShort = bytes.length < inputVariableBytes;
  if (isCalled && (isShort || own)) return { ...own, variables: { PRISN_INPUT: input } };
  return { stdin: stdin ?? bytes, variables: isCalled ? { PRISN_INPUT: '' } : isShort ? { PRISN_INPUT: input } : {} };
}
