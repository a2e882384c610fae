/** What a sandbox is asked to run. Plain data: it crosses process borders as it is. */

export interface Limits {
  /** Wall clock from the start, ms. */
  readonly timeoutMs?: number;
  /** Memory of the whole process tree, bytes. */
  readonly memoryBytes?: number;
  /** Cores, such as 0.5 or 2. */
  readonly cpu?: number;
  /** Processes and threads at once. */
  readonly pids?: number;
}

/** What a foreground program has of its caller's beside the three standard descriptors. */
export interface Inherited {
  /** Open descriptors from 3 on. */
  readonly descriptors: readonly number[];
  /** Signals that the caller has set to be ignored. */
  readonly ignored: readonly NodeJS.Signals[];
}

/** A program for a child process: what to execute. */
export interface ProcessTask {
  /** Absolute path of what is executed. */
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path. */
  readonly cwd: string;
  readonly limits: Limits;
  /** Finds the members of the tree that left their group: it stands in their environment. */
  readonly runId: string;
}

/**
 * A JavaScript program for an isolate: the closed graph of its modules. It needs no file system where it runs.
 */
export interface Program {
  /** Key of `modules` to start with. */
  readonly entry: string;
  /** By the file's absolute path. */
  readonly modules: Readonly<Record<string, ProgramModule>>;
}

/** What the loader writes in the place of the words `import` before `(` and `import.meta`: names of the same length. */
export const importName = '$impt$';
export const metaName = '$importMeta';

export interface ProgramModule {
  /** `script` is a sloppy-mode CommonJS body without `require`, as node runs a plain `.js`; `json` exports its value. */
  readonly format: 'script' | 'module' | 'json';
  /** JavaScript of the same lines as the source where no source map is given; `import()` and `import.meta` are renamed. */
  readonly code: string;
  /** Specifier as written → key of `modules`. */
  readonly imports: Readonly<Record<string, string>>;
  /** Source map (version 3, JSON text), where `code` was translated. */
  readonly map?: string;
}

export interface IsolateTask {
  readonly program: Program;
  /** Absolute path by which it was called, where links make it another than the program's own. */
  readonly calledAs?: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** JSON text handed to a function that is the default export. */
  readonly input?: string;
  /** Standard input, for when such a function has no `input`; without it, it is asked for (`inputWanted`) where the sink can. */
  readonly stdin?: string;
  /** Where what such a function returns goes: as JSON to stdout, which is the default, or into the outcome. */
  readonly returns?: 'stdout' | 'outcome';
  /** Whether what it shows of values has colours; not without. */
  readonly colors?: { readonly stdout: boolean; readonly stderr: boolean };
  /** The program is called with this request and answers it. */
  readonly request?: FunctionRequest;
  /** Names the program for good: whoever runs it may remember what it is, and what came of compiling it. */
  readonly revision?: string;
  /**
   * The program is kept after this task, to be called again by the next one with its variables as they are, where program,
   * arguments, environment and limits are the same. Only with a `revision`.
   */
  readonly reuse?: boolean;
  /** The program is held back while 1 MB of its output is not taken yet; otherwise output beyond a limit is dropped. */
  readonly paced?: boolean;
  readonly limits: Limits;
}

/** An HTTP request for a program that answers some. */
export interface FunctionRequest {
  readonly method: string;
  /** Absolute. */
  readonly url: string;
  /** In the order in which they came, names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

export interface FunctionHead {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
}
