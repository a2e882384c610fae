/** What a program needs from elsewhere, as it says so itself: found by `runtimes/`, prepared by `src/environments/`. Plain data. */

export interface PythonNeeds {
  readonly language: 'python3';
  /**
   * Where it is said: a `# /// script` block (PEP 723), `requirements.txt`, `[project]` of pyproject.toml (PEP 621), the same
   * with `uv.lock`; `options` are those of the command line alone.
   */
  readonly form: 'script' | 'requirements' | 'project' | 'lock' | 'options';
  /** Absolute path of the file that says it; the program's folder where that is the command line. */
  readonly source: string;
  /** Absolute path of the folder that relative paths in it start from. */
  readonly folder: string;
  /** Lines as pip reads them: of a block or of `[project]`, and those of the command line. */
  readonly requirements: readonly string[];
  /** Whether the folder is a package of its own, with a build system, which is installed in place. */
  readonly isPackage: boolean;
  /** Versions of Python that it is for, as PEP 440 writes them; empty for any. */
  readonly requiresPython: string;
}

export interface NodeNeeds {
  readonly language: 'node';
  /** The tool that its lock file is of; npm without one. */
  readonly form: 'npm' | 'pnpm' | 'yarn';
  /** Absolute path of package.json. */
  readonly source: string;
  readonly folder: string;
  /** Absolute path of the lock file. */
  readonly lock: string | undefined;
}

export type Needs = PythonNeeds | NodeNeeds;

/** The interpreter that an environment is for. */
export interface BaseInterpreter {
  /** Absolute path, as it is started. */
  readonly file: string;
  /** Such as `3.11.7`. */
  readonly version: string;
}
