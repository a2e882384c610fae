/**
 * `prisn run`: from the words of the command line to a foreground run, and from its outcome to an exit code.
 * On the path of every run: no library, and what only some runs need is imported then.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ProgramSource } from '../../runtimes/command.ts';
import { PrisnError } from '../base/error.ts';
import { isTerminal } from '../base/terminal.ts';
import { parseCores, parseDuration, parseMemory } from '../base/units.ts';
import type { Wishes } from '../dependencies.ts';
import { runInForeground } from '../foreground.ts';
import type { Inherited, Limits } from '../model/task.ts';
import { checkInput, envFile, variables } from './assignments.ts';
import { heldRun } from './held-run.ts';
import { cacheDir, homeDir } from './home.ts';
import { wantsDaemon, warmRunner } from './warm.ts';
import { last, parseRunArguments, type RunArguments, runOptions } from './run-options.ts';
import { say } from './say.ts';
import { changedVariables } from './utf8.ts';

/**
 * @param words what follows `run`
 * @param limitsHeld whether its limits are enforced already
 * @returns the exit code
 * @throws PrisnError for what cannot be started
 */
export async function run(words: readonly string[], limitsHeld = false): Promise<number> {
  // Nobody but this run is meant by it.
  const { PRISN_DECLINED: declined } = process.env;
  delete process.env['PRISN_DECLINED'];
  const parsed = parseRunArguments(words);
  if (parsed.options.has('--help')) return showHelp();
  if (parsed.misplaced && !limitsHeld)
    say(`${parsed.misplaced} stands after the file, so it goes to the program; prisn's own options stand before the file`);
  const asked = { limits: limits(parsed), input: checkInput(last(parsed, '--input')), program: programOf(parsed) };
  if (parsed.options.has('--detach')) {
    refuseWishes(parsed);
    const { runDetached } = await import('./run-detached.ts');
    return runDetached(parsed, { ...asked, env: given(parsed) });
  }
  refuseUndetached(parsed);
  const explain = parsed.options.has('--verbose') ? say : () => {};
  if (explain === say && !limitsHeld) say((await import('./launcher-note.ts')).launcherNote(declined, process.env));
  const own = callers(process.env);
  for (const name of limitsHeld ? [] : changedVariables(own))
    say(`the variable ${name} is not valid UTF-8; the program gets it with U+FFFD where it is not`);
  const env = { ...own, ...given(parsed) };
  const cwd = directory(last(parsed, '--workdir'));
  let wasCold = false;
  const outcome = await runInForeground({
    ...asked,
    args: parsed.args,
    runtime: last(parsed, '--runtime'),
    env,
    cwd,
    limitsHeld,
    inherited: inherited(process.env),
    cacheDir: cacheDir(process.env),
    home: homeDir(process.env),
    wishes: wishes(parsed),
    provide: async (request) => (await import('./provide.ts')).provide(request, explain === say),
    again: (nodeFlags) => [process.execPath, ...nodeFlags, '--', process.argv[1] as string, heldRun, ...words],
    warm: limitsHeld ? undefined : warmRunner(process.env, explain),
    cold: () => {
      wasCold = !limitsHeld;
    },
    advises: () => isTerminal(2),
    explain,
  });
  if (outcome.message !== undefined) say(outcome.message);
  if (outcome.signal === 'SIGINT') dieOfInterrupt();
  if (wasCold && wantsDaemon(process.env)) await (await import('./auto-start.ts')).startForNextTime(process.env);
  return outcome.exitCode;
}

/** The files that go up say what a detached run needs. */
function refuseWishes({ options }: RunArguments): void {
  const found = (['--with', '--python', '--frozen', '--no-deps'] as const).find((name) => options.has(name));
  if (found === undefined) return;
  throw new PrisnError(
    'usage',
    `${found} is not for --detach: write what it needs into the program (# /// script) or requirements.txt beside it`,
  );
}

function refuseUndetached({ options }: RunArguments): void {
  const found = runOptions.find((option) => 'detached' in option && options.has(option.long));
  if (found !== undefined) throw new PrisnError('usage', `${found.long} needs --detach: without it nothing is recorded`);
}

/**
 * A shell ends its own loop or script at Ctrl-C only when it sees that the command died of it: an exit code of 130 tells it
 * that the command dealt with the signal (https://www.cons.org/cracauer/sigint.html).
 */
function dieOfInterrupt(): void {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, 'SIGINT');
}

const limitOptions = ['--timeout', '--memory', '--cpu', '--pids'] as const;

function programOf({ options, file }: RunArguments): ProgramSource {
  const code = options.get('--exec')?.[0];
  if (code !== undefined) return { code };
  if (file === undefined) {
    const [name, values] = [...options].at(-1) ?? [];
    const taken = values?.[0] ? ` ('${values.at(-1)}' was taken as the value of ${name})` : '';
    throw new PrisnError('usage', `run what? name a file: prisn run <file> [args…]${taken}`);
  }
  if (file === '-') return { stdin: true };
  // From another directory the name as it was typed would mean another file.
  return { file: options.has('--workdir') ? resolve(file) : file };
}

function wishes(parsed: RunArguments): Wishes {
  const { options } = parsed;
  return {
    none: options.has('--no-deps'),
    added: options.get('--with') ?? [],
    python: last(parsed, '--python'),
    frozen: options.has('--frozen'),
  };
}

function limits(parsed: RunArguments): Limits {
  const [timeout, memory, cpu, pids] = limitOptions.map((name) => last(parsed, name));
  return {
    ...(timeout !== undefined && { timeoutMs: parseDuration(timeout, '--timeout') }),
    ...(memory !== undefined && { memoryBytes: parseMemory(memory, '--memory') }),
    ...(cpu !== undefined && { cpu: parseCores(cpu, '--cpu') }),
    ...(pids !== undefined && { pids: parsePids(pids) }),
  };
}

/** The most that Linux has pids for: proc_sys_kernel(5), pid_max. */
const maxPids = 2 ** 22;

function parsePids(text: string): number {
  const pids = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (pids > 0 && pids <= maxPids) return pids;
  throw new PrisnError('usage', `--pids: '${text}' is not a whole number of processes from 1 to ${maxPids}, such as 50`);
}

function directory(name: string | undefined): string {
  if (name === undefined) return currentDirectory();
  if (statSync(name, { throwIfNoEntry: false })?.isDirectory()) return resolve(name);
  throw new PrisnError('usage', `--workdir: '${name}' is not a directory`);
}

function currentDirectory(): string {
  try {
    return process.cwd();
  } catch (error) {
    throw new PrisnError('cannot_run', 'the current directory does not exist any more; change to one that does', {
      cause: error,
    });
  }
}

/** What Node takes from a process before any JavaScript runs, as the stub saw it: `bin/prisn`. */
function inherited({ PRISN_DESCRIPTORS, PRISN_IGNORED }: NodeJS.ProcessEnv): Inherited {
  const mask = Number(PRISN_IGNORED ?? 0);
  const signals = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const;
  return {
    descriptors: (PRISN_DESCRIPTORS?.match(/\d+/g) ?? []).map(Number),
    ignored: (Object.keys(signals) as (keyof typeof signals)[]).filter((name) => mask & (1 << (signals[name] - 1))),
  };
}

/** The caller's environment less what is prisn's own. */
function callers(all: NodeJS.ProcessEnv): Record<string, string> {
  const { PRISN_TOKEN: _, PRISN_NODE_OPTIONS: nodeOptions, PRISN_DESCRIPTORS: _d, PRISN_IGNORED: _i, ...env } = all;
  // The stub keeps what is meant for the program's node away from prisn's own.
  if (nodeOptions !== undefined) env['NODE_OPTIONS'] = nodeOptions;
  return env as Record<string, string>;
}

/** Of the files, then of `-e`. */
function given({ options }: RunArguments): Record<string, string> {
  return Object.assign({}, ...(options.get('--env-file') ?? []).map(envFile), variables(options.get('--env') ?? []));
}

async function showHelp(): Promise<number> {
  const { runHelp } = await import('./run-help.ts');
  process.stdout.write(runHelp());
  return 0;
}
