/** `prisn bench run`: whole runs, from the start of the command to its end. */
import { resolve } from 'node:path';
import { searchPath } from '../../runtimes/path.ts';
import { isExecutable } from '../base/executable.ts';
import { PrisnError } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import { readRecord } from '../client/record.ts';
import { treeCpuMs, treeMemory } from '../load/process-tree.ts';
import { checkTimer, Programs } from '../load/programs.ts';
import type { Bench } from './bench-session.ts';
import { homeDir } from './home.ts';
import { commandPath } from './program.ts';
import { parseRunArguments } from './run-options.ts';
import { say } from './say.ts';
import { wordsOfCommand } from './words.ts';

/** What `prisn run` gives where nothing of the program has run. */
const neverRan = [exitCodes.usage, exitCodes.failed, exitCodes.cannotRun, exitCodes.notFound].map((code) => `exit code ${code}`);

/**
 * @param words as `prisn run` takes them
 * @param baseline a command in one word
 * @param ownOptions of the command itself, which have no meaning after the file
 * @throws PrisnError `usage`, `unsupported`
 */
export function benchRun(words: readonly string[], baseline: string | undefined, ownOptions: readonly string[]): Bench {
  checkWords(words, ownOptions);
  checkTimer();
  const daemon = readRecord(homeDir(process.env))?.pid;
  const program = new Programs([commandPath(), 'run', ...words], process.env);
  const other = baseline === undefined ? undefined : new Programs(commandOf(baseline), process.env);
  const control = new Programs([process.execPath, '-e', '0'], process.env);
  const all = [program, control, ...(other ? [other] : [])];
  const close = async (): Promise<void> => {
    await Promise.all(all.map((programs) => programs.close()));
  };
  const cpuOfDaemon = (): number => (daemon === undefined ? 0 : treeCpuMs(daemon));
  return {
    target: {
      kind: 'run',
      name: words.join(' '),
      by: daemon === undefined ? 'without a server' : `with the server that runs (pid ${daemon}), whose CPU is counted in`,
      call: program.call,
      cpuMs: () => program.cpuMs() + cpuOfDaemon(),
      complaint: () => program.complaint(),
    },
    baseline: other && {
      name: baseline ?? '',
      call: other.call,
      cpuMs: () => other.cpuMs() + cpuOfDaemon(),
      complaint: () => other.complaint(),
    },
    control: { name: 'an empty program of node', call: control.call, cpuMs: () => control.cpuMs() },
    prepare: async () => {
      await tryOut(program, words.join(' '), neverRan);
      if (other) await tryOut(other, baseline ?? '', ['exit code 126', 'exit code 127']);
    },
    finish: async (measurement) => {
      measurement.memory = await peakMemory(program);
    },
    close,
  };
}

/** Before bash would look for it, and say so in words of its own. @throws PrisnError `usage`, `cannot_run` */
function commandOf(baseline: string): string[] {
  const words = wordsOfCommand(baseline, '--baseline');
  const [name = ''] = words;
  const surroundings = { env: process.env, cwd: process.cwd() };
  const isThere = name.includes('/') ? isExecutable(resolve(name)) : searchPath(name, surroundings).next().value !== undefined;
  if (isThere) return words;
  const why = name.includes('/') ? 'is no program that can be executed' : 'is not on the PATH';
  throw new PrisnError('cannot_run', `--baseline: ${name} cannot be measured, it ${why}`);
}

function checkWords(words: readonly string[], ownOptions: readonly string[]): void {
  const { file, options, args } = parseRunArguments(words);
  const refuse = (why: string): never => {
    throw new PrisnError('usage', why);
  };
  if (options.has('--detach'))
    refuse('prisn bench run measures runs to their end, and --detach has none; see prisn bench trigger');
  if (options.has('--help')) refuse('--help is no program; see prisn bench run --help');
  if (file === '-') refuse('prisn bench run needs a file: standard input can be read only once');
  if (file === undefined && !options.has('--exec')) refuse('measure what? name a file: prisn bench run <file> [args…]');
  const misplaced = args.find((word) => ownOptions.includes(word.split('=', 1)[0] ?? ''));
  if (misplaced !== undefined)
    say(`${misplaced} stands after the file, so it goes to the program; options stand before the file`);
}

/** @param fatal failures after which there is nothing to measure */
async function tryOut(programs: Programs, name: string, fatal: readonly string[]): Promise<void> {
  const { failure } = await programs.call(0);
  if (failure === undefined || !fatal.includes(failure)) return;
  const words = programs.complaint().replace(/^prisn: /gm, '');
  throw new PrisnError('cannot_run', `${name} cannot be measured, it ends with ${failure}: ${words || 'it says nothing'}`);
}

/** The most that one more run uses: to look costs time, so it is none of those that were measured. */
async function peakMemory(programs: Programs) {
  let isOver = false;
  const ended = programs.call(0).finally(() => {
    isOver = true;
  });
  const pid = programs.pidOf(0);
  let peak: ReturnType<typeof treeMemory>;
  while (!isOver && pid !== undefined) {
    const now = treeMemory(pid, false);
    if (now && now.bytes > (peak?.bytes ?? 0)) peak = now;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await ended;
  return peak;
}
