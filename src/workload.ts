/**
 * The workloads of executions: from a program, as files or as text, to what runs it, in an isolate of the pool or as a
 * job of tier T1. The daemon hands it to the engine (`engine/ports.ts`); it does for recorded runs what `foreground.ts`
 * does for those of a terminal.
 *
 * A program has a clean environment: the base below, what its runtime needs, then what the workload gives. Nothing of the
 * daemon's own comes through but the names in `inheritedNames`.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandFor } from '../runtimes/command.ts';
import { readHead } from '../runtimes/head.ts';
import { detect, findRuntime, runtimeById } from '../runtimes/index.ts';
import { type Loaded, loadProgram } from '../runtimes/javascript/load.ts';
import { nodePreload } from '../runtimes/javascript/node-preload.ts';
import { locate } from '../runtimes/locate.ts';
import { managerVariables } from '../runtimes/manager-variables.ts';
import { sourceFileName } from '../runtimes/source-file.ts';
import { checkRequired } from '../runtimes/shell/requires.ts';
import type { IsolatePool } from '../sandbox/isolate/pool.ts';
import { startForkedJob } from '../sandbox/process/fork-job.ts';
import type { ForkServers } from '../sandbox/process/fork-servers.ts';
import { type JobRunning, probeTier, startJob } from '../sandbox/process/job.ts';
import { endLeftover } from '../sandbox/process/leftover.ts';
import { messageOf } from './base/error.ts';
import { exitCodes } from './base/exit-codes.ts';
import { Recent } from './base/recent.ts';
import {
  type DependentProgram,
  loadedWithPackages,
  type PreparesEnvironments,
  type Provide,
  type Surroundings,
} from './dependencies.ts';
import type {
  PreparedWorkload,
  ProgramFiles,
  ProgramText,
  Resolved,
  RunningWorkload,
  Workload,
  Workloads,
  WorkloadSink,
} from './engine/ports.ts';
import type { Detection, ProcessRuntime, Runtime } from './model/runtime.ts';
import { checkLimits } from './model/limits.ts';
import type { ProcessTask, Program } from './model/task.ts';
import { inputFor } from './workload-input.ts';
import { steersInstallers, WorkloadNeeds } from './workload-needs.ts';

export interface WorkloadOptions {
  readonly pool: IsolatePool;
  /** Warm interpreters; without them each program starts its own. */
  readonly forks?: ForkServers;
  /** Absolute path of the folder for what is worth keeping: verdicts on programs, answers of version managers. */
  readonly cacheDir: string;
  /** Absolute path of `PRISN_HOME`, where the user's own runtimes are; without it there are none. */
  readonly home?: string;
  /** What is installed for programs; without it nothing is. */
  readonly environments?: PreparesEnvironments;
  /** The daemon's own environment, of which a few names are taken. */
  readonly env: NodeJS.ProcessEnv;
  /** Is told why a program that might be forked is not. */
  readonly log?: (fields: object, message: string) => void;
}

export function createWorkloads(options: WorkloadOptions): Workloads {
  return new LocalWorkloads(options);
}

/** A program of an isolate runtime, loaded; or what is executed for one of a process runtime. */
type Way =
  | { readonly kind: 'isolate'; readonly resolved: Resolved; readonly program: Program; readonly calledAs: string }
  | { readonly kind: 'fails'; readonly resolved: Resolved; readonly message: string }
  | { readonly kind: 'process'; readonly resolved: Resolved; readonly detection: Detection; readonly typescript: boolean };

interface Job {
  readonly hasSecrets: boolean;
  readonly detection: Detection;
  readonly task: ProcessTask;
  readonly domain: string;
  readonly sink: WorkloadSink;
  readonly stdin?: Uint8Array;
}

/** Programs that never change stay loaded: so many at most, and so many characters of code. */
const maxLoaded = 1000;
const maxLoadedLength = 64 * 2 ** 20;

class LocalWorkloads implements Workloads {
  readonly #pool: IsolatePool;
  readonly #forks: ForkServers | undefined;
  readonly #log: (fields: object, message: string) => void;
  readonly #cacheDir: string;
  readonly #home: string | undefined;
  readonly #needs: WorkloadNeeds;
  readonly #loaded = new Recent<string, Way>(maxLoaded, { maxWeight: maxLoadedLength });
  readonly #base: Readonly<Record<string, string>>;
  readonly #locating: Readonly<Record<string, string>>;

  constructor({ pool, forks, cacheDir, home, environments, env, log = () => {} }: WorkloadOptions) {
    this.#pool = pool;
    this.#forks = forks;
    this.#log = log;
    this.#cacheDir = cacheDir;
    this.#home = home;
    this.#needs = new WorkloadNeeds(environments, env);
    this.#base = { ...only(env, inheritedNames), HOST: '127.0.0.1' };
    this.#locating = only(env, managerVariables);
  }

  async resolve(program: ProgramFiles | ProgramText, installs = false): Promise<Resolved> {
    const cwd = 'folder' in program ? program.folder : '/';
    const way = await this.#wayOf(
      program,
      this.#surroundings(cwd, {}),
      installs ? this.#needs.installIfPossible : this.#needs.find,
    );
    if (way.kind === 'process') this.#findInterpreter(way.detection, cwd);
    return way.resolved;
  }

  async prepare(workload: Workload): Promise<PreparedWorkload> {
    const way = await this.#wayOf(workload.program, this.#surroundings(workload.cwd, workload.env), this.#needs.install);
    switch (way.kind) {
      case 'isolate':
        checkLimits(way.resolved, workload.limits);
        return { ...way.resolved, tier: 'isolate', start: (sink) => this.#startIsolate(way, workload, sink) };
      case 'fails':
        return { ...way.resolved, tier: 'isolate', start: (sink) => startFailure(way.message, sink) };
      case 'process':
        return this.#prepareProcess(way, workload);
      default:
        return way satisfies never;
    }
  }

  prepareAhead(program: ProgramFiles, env: Workload['env'], secretVariables: readonly string[]): void {
    // With another index the environment would be another one.
    if (secretVariables.some(steersInstallers)) return;
    this.#installAhead(program, env).catch((error: unknown) =>
      this.#log({ ...program, why: messageOf(error) }, 'what a program needs could not be installed ahead'),
    );
  }

  async #installAhead(program: ProgramFiles, env: Workload['env']): Promise<void> {
    const { folder, entrypoint } = program;
    const place = this.#surroundings(folder, env);
    const way = await this.#choose(program, place, this.#needs.install);
    if (way.kind !== 'process') return;
    const file = join(folder, entrypoint);
    await this.#needs.meet(way.detection, dependentProgram({ program }, file), place, this.#needs.installAhead);
  }

  endLeftover = endLeftover;

  #surroundings(cwd: string, env: Workload['env']): Surroundings {
    return { env: { ...this.#locating, ...this.#base, ...env }, cwd, cacheDir: this.#cacheDir };
  }

  /** Where an interpreter is may change at any time; what an isolate runs is the program's alone. */
  async #wayOf(program: ProgramFiles | ProgramText, surroundings: Surroundings, provide: Provide): Promise<Way> {
    if (!('folder' in program) || program.revision === undefined) return this.#choose(program, surroundings, provide);
    const key = [program.folder, program.entrypoint, program.runtime].join('\0');
    const kept = this.#loaded.get(key);
    if (kept) return kept;
    const way = await this.#choose(program, surroundings, provide);
    if (way.kind === 'isolate') this.#loaded.set(key, way, lengthOf(way.program));
    return way;
  }

  async #choose(program: ProgramFiles | ProgramText, surroundings: Surroundings, provide: Provide): Promise<Way> {
    const file = 'folder' in program ? join(program.folder, program.entrypoint) : undefined;
    const detection: Detection =
      file === undefined
        ? { runtime: await findRuntime(program.runtime ?? '', this.#home), how: `runtime ${program.runtime}` }
        : await detect(file, readHead(file), surroundings, { runtime: program.runtime, home: this.#home });
    const { runtime, how } = detection;
    if (runtime.kind === 'process') return processWay(detection, how, false);
    const path = file ?? `/[source].${runtime.id === 'typescript' ? 'ts' : 'js'}`;
    // JavaScript that was sent along is judged sooner than a verdict is read, and seldom comes twice.
    const isCached = file !== undefined || runtime.id === 'typescript';
    const load = (packages?: string): Promise<Loaded> =>
      loadProgram(path, {
        ...(isCached && { cacheDir: this.#cacheDir }),
        force: program.runtime !== undefined,
        ...('source' in program && { source: program.source }),
        packages,
      });
    const loaded = await load();
    if (file === undefined) return isolateWay(runtime.id, how, loaded, path);
    const needs = [dependentProgram({ program }, file), {}, this.#needs.seenByInstallers(surroundings), provide] as const;
    return isolateWay(runtime.id, how, await loadedWithPackages(loaded, load, ...needs), path);
  }

  #findInterpreter({ runtime, interpreter }: Detection, cwd: string): void {
    const commands = interpreter?.commands ?? (runtime as ProcessRuntime).command;
    if (commands.length > 0) locate(runtime as ProcessRuntime, this.#surroundings(cwd, {}), commands);
  }

  #startIsolate({ program, calledAs }: Way & { kind: 'isolate' }, workload: Workload, sink: WorkloadSink): RunningWorkload {
    const { args, env, cwd, input, stdin, request, limits, domain } = workload;
    const revision = 'folder' in workload.program ? workload.program.revision : undefined;
    const task = {
      program,
      calledAs,
      args,
      env: { ...this.#base, ...env },
      cwd,
      returns: 'outcome' as const,
      paced: true,
      limits,
      ...(input !== undefined && { input }),
      ...(stdin !== undefined && { stdin: Buffer.from(stdin).toString('utf8') }),
      ...(request !== undefined && { request }),
      ...(revision !== undefined && { revision, reuse: workload.reuse === true }),
    };
    // Output is kept by its reader as it comes; only a body waits for a client.
    const keep = (stream: 'stdout' | 'stderr') => (chunk: Uint8Array) => {
      sink[stream](chunk);
      running.taken(chunk.length);
    };
    const running = this.#pool.start(
      task,
      {
        stdout: keep('stdout'),
        stderr: keep('stderr'),
        // An attempt that is run again begins a new log.
        keepsOutput: true,
        ...(sink.head && { head: sink.head }),
        ...(sink.body && { body: sink.body }),
      },
      domain,
    );
    return { exited: running.exited, stop: () => running.stop(), taken: (bytes) => running.taken(bytes) };
  }

  /** From a fork server where one is ready, else by a spawn, and why. */
  #startJob({ detection, task, domain, hasSecrets, sink, stdin }: Job): JobRunning {
    const options = { tier: probeTier(), ...(stdin && { stdin }) };
    if (!this.#forks || !canFork(detection)) return startJob(task, sink, options);
    const onSpawn = (why: string): void => this.#log({ run: task.runId, why }, 'a program is spawned, and not forked');
    if (hasSecrets) {
      onSpawn('the memory of a fork server, in which each order stands for a while, is in all programs that come from it');
      return startJob(task, sink, options);
    }
    const found = this.#forks.serverFor({ domain, interpreter: task.file, env: task.env });
    if ('server' in found) return startForkedJob(task, sink, { ...options, server: found.server, onSpawn });
    onSpawn(found.why);
    return startJob(task, sink, options);
  }

  async #prepareProcess(way: Way & { kind: 'process' }, workload: Workload): Promise<PreparedWorkload> {
    const { resolved, typescript } = way;
    const { id } = way.detection.runtime;
    checkLimits(resolved, workload.limits);
    const { args, cwd, runId, limits } = workload;
    const file = await programFile(workload, way.detection.runtime);
    const place = this.#surroundings(cwd, workload.env);
    const needed = dependentProgram(workload, file);
    const { detection, packages } = await this.#needs.meet(way.detection, needed, place, this.#needs.install);
    if (id === 'sh' || id === 'bash') checkRequired(file, place);
    const preload = id === 'node' ? await nodePreload(file, undefined, typescript, packages) : undefined;
    const { stdin, variables } = inputFor(workload, preload);
    const env = { ...this.#base, ...(id === 'python3' && unbuffered), ...variables, ...workload.env };
    const context = { ...place, env: { ...this.#locating, ...env } };
    const command = await commandFor(detection, { file }, args, context, preload);
    const task = { file: command.file, args: command.args, env: { ...env, ...command.env, ...variables }, cwd, limits, runId };
    return {
      ...resolved,
      tier: probeTier().name,
      start: (sink) => {
        const { domain, hasSecrets = false } = workload;
        const job = this.#startJob({ detection, task, domain, hasSecrets, sink, ...(stdin && { stdin }) });
        const { process } = job;
        return { exited: job.exited, stop: () => job.stop(), taken: () => {}, ...(process && { process }) };
      },
    };
  }
}

/** What is sent along as text has nothing beside it. */
function dependentProgram({ program }: Pick<Workload, 'program'>, file: string): DependentProgram {
  return 'folder' in program ? { file, top: program.folder } : { file, text: program.source };
}

/** Options of a `#!` line are for an interpreter's own start. */
function canFork({ runtime, interpreter }: Detection): boolean {
  return runtime.id === 'python3' && (interpreter?.args.length ?? 0) === 0;
}

/** Of the daemon's environment, what a program has too. */
const inheritedNames = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'TZ', 'USER', 'LOGNAME'];

/** What is printed shows in the log at once. */
const unbuffered = { PYTHONUNBUFFERED: '1' };

function only(env: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

function processWay(detection: Detection, why: string, typescript: boolean): Way {
  return { kind: 'process', resolved: { runtime: detection.runtime.id, kind: 'process', why }, detection, typescript };
}

function isolateWay(id: string, how: string, loaded: Loaded, path: string): Way {
  const resolved: Resolved = { runtime: id, kind: 'isolate', why: how };
  switch (loaded.choice) {
    case 'isolate':
      return { kind: 'isolate', resolved, program: loaded.program, calledAs: path };
    case 'fails':
      return { kind: 'fails', resolved, message: loaded.message };
    case 'node': {
      const why = `node and not an isolate, since ${loaded.why}`;
      return processWay({ runtime: runtimeById('node'), how: 'in place of an isolate' }, why, loaded.typescript);
    }
    default:
      return loaded satisfies never;
  }
}

function lengthOf({ modules }: Program): number {
  return Object.values(modules).reduce((sum, { code }) => sum + code.length, 0);
}

/** A program that fails before its first line, as it would have itself. */
function startFailure(message: string, sink: WorkloadSink): RunningWorkload {
  sink.stderr(Buffer.from(message));
  return { exited: Promise.resolve({ reason: 'exit', exitCode: exitCodes.failure }), stop: () => {}, taken: () => {} };
}

/** Code that was sent along goes to a file: the words of a command line are for all to see. */
async function programFile({ program, cwd }: Workload, runtime: Runtime): Promise<string> {
  if ('folder' in program) return join(program.folder, program.entrypoint);
  const file = join(cwd, sourceFileName(runtime));
  await writeFile(file, program.source, { mode: 0o700 });
  return file;
}
