/**
 * What the engine needs of what runs code: told as types here, made in `src/workload.ts`, handed in by the daemon. The
 * adapters that store are ports of their own (`src/store`, `src/logs`, `src/bundles`, `src/secrets`) and imported as types.
 */
import type { ProcessRecord } from '../model/execution.ts';
import type { Outcome } from '../model/outcome.ts';
import type { FunctionHead, FunctionRequest, Limits } from '../model/task.ts';

/** Where a program runs, which says what limit it counts against. */
export type WorkloadKind = 'isolate' | 'process';

/** A program as files in a folder. */
export interface ProgramFiles {
  /** Absolute path. */
  readonly folder: string;
  /** Path of the program's file, inside the folder. */
  readonly entrypoint: string;
  /** Id or alias; by the file without. */
  readonly runtime?: string;
  /** Names all of this for good: the same name is the same program. */
  readonly revision?: string;
}

/** A program as text, with the runtime that reads it. */
export interface ProgramText {
  readonly source: string;
  readonly runtime: string;
}

export interface Resolved {
  /** Id of the runtime that will run it: `javascript` in an isolate, `node` where that lacks something. */
  readonly runtime: string;
  readonly kind: WorkloadKind;
  /** Why this one, in words. */
  readonly why: string;
}

/** One attempt of an execution, ready to be prepared. */
export interface Workload {
  /** Unique for good; it stands in the environment of every process of the run. */
  readonly runId: string;
  /** Who trusts whom: runs of one domain may share an isolate host. */
  readonly domain: string;
  readonly program: ProgramFiles | ProgramText;
  readonly args: readonly string[];
  /** What is added to the clean base (PATH, HOME, LANG, TMPDIR, TZ), and wins over it. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path, writable. */
  readonly cwd: string;
  /** JSON text for a default export that is a function. */
  readonly input?: string;
  readonly stdin?: Uint8Array;
  /** For a program that answers HTTP: it is called with this request, whose body a process has as `stdin` too. */
  readonly request?: FunctionRequest;
  /** Keeps its context for the next workload of the same program and surroundings. Only with a `revision`, and in isolates. */
  readonly reuse?: boolean;
  /** Whether secrets are in its environment: then no process that others come from may see it. */
  readonly hasSecrets?: boolean;
  readonly limits: Limits;
}

/** A chunk is valid only during the call. */
export interface WorkloadSink {
  readonly stdout: (chunk: Uint8Array) => void;
  readonly stderr: (chunk: Uint8Array) => void;
  /** Of a program that answers HTTP: once, before any `body`. */
  readonly head?: (head: FunctionHead) => void;
  readonly body?: (chunk: Uint8Array) => void;
}

export interface RunningWorkload {
  /** Never rejects. */
  readonly exited: Promise<Outcome>;
  /** Ends it and everything that it started; `canceled` unless another cause came first. */
  stop(): void;
  /** So many bytes of `body` have left: a program that answers HTTP is held back while 1 MB is under way. */
  taken(bytes: number): void;
  /** The root of its process tree, once it is known. */
  readonly process?: ProcessRecord | Promise<ProcessRecord | undefined>;
}

/** A workload whose interpreter is found and whose code is loaded. */
export interface PreparedWorkload extends Resolved {
  /** The walls around it: `T1`, `isolate`. */
  readonly tier: string;
  /** Starts it, in this tick. */
  start(sink: WorkloadSink): RunningWorkload;
}

export interface Workloads {
  /**
   * Finds out what will run a program, and refuses one that nothing here can.
   * @param installs whether it may take the time to install packages of JavaScript, without which node runs what imports some
   * @throws PrisnError `cannot_run`, `no_runtime`
   */
  resolve(program: ProgramFiles | ProgramText, installs?: boolean): Promise<Resolved>;
  /** @throws PrisnError `cannot_run`, `no_runtime`, `unsupported` */
  prepare(workload: Workload): Promise<PreparedWorkload>;
  /**
   * Begins to install what a program needs, so that its first execution finds it. What cannot be installed its execution tells.
   * @param env what the execution will have, but secrets
   * @param secretVariables names of those
   */
  prepareAhead(program: ProgramFiles, env: Readonly<Record<string, string>>, secretVariables: readonly string[]): void;
  /** Ends what a daemon that died left running. @returns how many processes were found */
  endLeftover(runId: string, root: ProcessRecord | undefined): Promise<number>;
}
