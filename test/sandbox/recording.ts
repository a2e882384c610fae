/** Starts tasks in a sandbox and keeps what they write. */
import type { Running, Sink } from '../../sandbox/sandbox.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { IsolateTask } from '../../src/model/task.ts';

export interface Ended extends Outcome {
  readonly stdout: string;
  readonly stderr: string;
}

export interface Recording {
  readonly stop: () => void;
  readonly ended: Promise<Ended>;
  /** Resolves when the next chunk of stdout comes, or the end. */
  readonly nextOutput: () => Promise<void>;
}

export function record(start: (sink: Sink) => Running): Recording {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  let next = Promise.withResolvers<void>();
  const { exited, stop } = start({
    stdout: (chunk) => {
      chunks.stdout.push(Buffer.from(chunk));
      next.resolve();
      next = Promise.withResolvers();
    },
    stderr: (chunk) => void chunks.stderr.push(Buffer.from(chunk)),
  });
  const ended = exited.then((outcome) => {
    const [stdout, stderr] = [chunks.stdout, chunks.stderr].map((all) => Buffer.concat(all).toString()) as [string, string];
    return { ...outcome, stdout, stderr };
  });
  const nextOutput = (): Promise<void> => Promise.race([next.promise, exited.then(() => {})]);
  return { stop, ended, nextOutput };
}

/** A task of one script, in the isolate's terms. */
export function scriptTask(code: string, more: Partial<IsolateTask> = {}): IsolateTask {
  return task('script', code, more);
}

/** The same of one module. */
export function moduleTask(code: string, more: Partial<IsolateTask> = {}): IsolateTask {
  return task('module', code, more);
}

function task(format: 'script' | 'module', code: string, more: Partial<IsolateTask>): IsolateTask {
  const entry = format === 'script' ? '/program.js' : '/program.mjs';
  const program = { entry, modules: { [entry]: { format, code, imports: {} } } };
  return { program, args: [], env: {}, cwd: '/', limits: {}, ...more };
}
