/** An installer at work: its output line by line, its end within a time, and its failure in words. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { DependencyError } from './failed.ts';
import { explainFailure } from './failure.ts';

/** One command of a build. */
export interface Step {
  /** What it does, for messages: `pip install`. */
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute path of a file in which it says more; it is read when it fails. */
  readonly log?: string;
}

/** @returns all that it wrote @throws PrisnError `dependency` */
export type Run = (step: Step) => Promise<string>;

export interface ToolOptions {
  /** What is being prepared, for messages. */
  readonly what: string;
  /** On the clock of `performance.now()`. */
  readonly deadline: number;
  readonly signal: AbortSignal;
  readonly line: (text: string) => void;
}

const tailLines = 20;
/** What is kept of the output, to find the reason of a failure in. */
const keptLines = 2000;

export async function runTool(step: Step & { env: Readonly<Record<string, string>> }, options: ToolOptions): Promise<string> {
  const { what, deadline, signal } = options;
  const lines: string[] = [];
  const end = await endOf(step, options, lines);
  if (end.code === 0) return lines.join('\n');
  const tail = lines.filter((line) => line.trim() !== '').slice(-tailLines);
  const fail = (why: string): DependencyError => new DependencyError(`${what}: ${step.name} ${why}`, tail, end.error);
  if (end.error) throw fail(`cannot be started: ${end.error.message}`);
  if (signal.aborted) throw fail('was ended before it was done');
  if (performance.now() >= deadline) throw fail('took too long; give it more time by build_timeout');
  throw fail(explainFailure(lines, readLog(step.log), end.code ?? end.signal));
}

function readLog(path: string | undefined): string {
  try {
    return path === undefined ? '' : readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: Error;
}

/** In a group of its own, which goes as a whole. */
function endOf(
  { file, args, cwd, env }: Step & { env: Readonly<Record<string, string>> },
  { deadline, signal, line }: ToolOptions,
  lines: string[],
): Promise<End> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // it is gone
      }
    };
    const timer = setTimeout(kill, Math.max(0, deadline - performance.now()));
    signal.addEventListener('abort', kill);
    // A tool that was started by a prisn that ends, ends too.
    process.on('exit', kill);
    const settle = (end: End): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', kill);
      process.removeListener('exit', kill);
      resolve(end);
    };
    const hear = (text: string): void => {
      lines.push(text);
      if (lines.length > keptLines) lines.shift();
      line(text);
    };
    for (const stream of [child.stdout, child.stderr]) readLines(stream, hear);
    child.once('error', (error) => settle({ code: null, signal: null, error }));
    child.once('close', (code, ended) => settle({ code, signal: ended }));
    if (signal.aborted) kill();
  });
}

/** A line that is written over, as bars of progress are, counts as many. */
function readLines(stream: NodeJS.ReadableStream, hear: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const parts = (rest + chunk).split(/\r?\n|\r/);
    rest = (parts.pop() ?? '').slice(-10_000);
    for (const part of parts) hear(part);
  });
  stream.on('end', () => {
    if (rest !== '') hear(rest);
  });
}
