/** What the guest is told of its program before that starts. */
import { pathToFileURL } from 'node:url';
import type { IsolateTask } from '../../src/model/task.ts';
import type { Start } from './guest/host.ts';

/** Whether it is one as node runs a plain `.js`, not a module. */
export function isScript({ program }: IsolateTask): boolean {
  return program.modules[program.entry]?.format === 'script';
}

/**
 * @param colors which of the streams show colours
 * @param serves whether it is called again and again
 */
export function startOf(task: IsolateTask, colors: Start['colors'], serves: boolean): Start {
  const { args, calledAs, cwd, env, input, program, request, returns } = task;
  const isModule = !isScript(task);
  return {
    argv: [process.execPath, calledAs ?? program.entry, ...args],
    env,
    cwd,
    entry: isModule ? pathToFileURL(program.entry).href : program.entry,
    isModule,
    ...(input !== undefined && { input }),
    // A buffer of its own: the whole one behind a view would go along.
    ...(request && { request: { ...request, body: request.body.slice() } }),
    serves,
    returnsToHost: returns === 'outcome',
    engine: `Node.js ${process.version}`,
    timeOrigin: Date.now(),
    colors,
  };
}
