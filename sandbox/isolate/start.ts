/** What the guest is told of its program before that starts. */
import { isAscii } from 'node:buffer';
import { pathToFileURL } from 'node:url';
import type { IsolateTask } from '../../src/model/task.ts';
import type { Start } from './guest/host.ts';

/** Whether it is one as node runs a plain `.js`, not a module. */
export function isScript({ program }: IsolateTask): boolean {
  return program.modules[program.entry]?.format === 'script';
}

export interface StartTold {
  /** Of a `Start`, where the body of its request is missing if it is no text. */
  readonly json: string;
  readonly isModule: boolean;
  readonly body?: Uint8Array;
}

/**
 * @param colors which of the streams show colours
 * @param serves whether it is called again and again
 */
export function startOf(task: IsolateTask, colors: Start['colors'], serves: boolean): StartTold {
  const { args, calledAs, cwd, env, input, program, request, returns } = task;
  const isModule = !isScript(task);
  const body = request && bodyOf(request.body);
  const start: Start = {
    argv: [process.execPath, calledAs ?? program.entry, ...args],
    env,
    cwd,
    entry: isModule ? pathToFileURL(program.entry).href : program.entry,
    isModule,
    ...(input !== undefined && { input }),
    ...(request && { request: { ...request, body: typeof body === 'string' ? body : '' } }),
    serves,
    returnsToHost: returns === 'outcome',
    engine: `Node.js ${process.version}`,
    timeOrigin: Date.now(),
    colors,
  };
  return { json: JSON.stringify(start), isModule, ...(typeof body === 'object' && { body }) };
}

/** Short text crosses threads and isolates cheaper than bytes do. */
const shortBody = 2 ** 16;

/** @returns text where each character is one byte below 128, or bytes in a buffer of their own: the whole one behind a view would go along */
export function bodyOf(body: Uint8Array): string | Uint8Array {
  const isText = body.length <= shortBody && isAscii(body);
  return isText ? Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1') : new Uint8Array(body);
}
