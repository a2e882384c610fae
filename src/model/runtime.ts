/**
 * A runtime: what runs files of a language, as data alone. `runtimes/` holds one object of this type a language; the
 * same fields come from `PRISN_HOME/runtimes/*.toml`, so nothing here is a function. `runtime-schema.ts` says what each
 * field may hold.
 *
 * Templates are lists whose items may hold placeholders, such as `{file}` and `{code}`, which are put in place; an item
 * that is `{args}` becomes all arguments of the program, each an item of its own.
 */

interface Common {
  /** The word for `--runtime`, flags, JSON and metrics. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** Other words that users type for `id`. */
  readonly aliases: readonly string[];
  /** Extensions that choose this runtime, with their dot, in lower case. */
  readonly extensions: readonly string[];
  /** Names of files that say what else a program needs: the nearest from its folder up go with it. */
  readonly manifests: readonly string[];
}

/** Runs inside an isolate of prisn's own V8; there is nothing to find or to install. */
export interface IsolateRuntime extends Common {
  readonly kind: 'isolate';
}

/** Runs as a process of an interpreter. */
export interface ProcessRuntime extends Common {
  readonly kind: 'process';
  /** Interpreter names in a `#!` line; `python3` also stands for `python3.12`. */
  readonly shebangs: readonly string[];
  /** The extension says little here (`.sh` is written for every shell), so a `#!` line wins over it. */
  readonly ambiguous?: boolean;
  /** Names to look for, the first found is taken. Without any, the program's file is itself what is executed. */
  readonly command: readonly string[];
  /** Variables that name an activated environment: its `bin` comes before PATH. */
  readonly prefixes: readonly string[];
  /** The interpreter's arguments for a file: `{file}`, `{args}`. With `build`, those of what was built: `{args}`. */
  readonly args: readonly string[];
  /** The same for code on the command line: `{code}`, `{args}`. Absent where the interpreter cannot. */
  readonly exec?: readonly string[];
  /** The same for a program on stdin: `{args}`. Absent where the interpreter cannot. */
  readonly stdin?: readonly string[];
  /** For languages that are compiled: the command makes a program of a file, which is kept and started in its place. */
  readonly build?: BuildStep;
  /** Set for the program unless the caller's environment has it. */
  readonly env: Readonly<Record<string, string>>;
  readonly version?: VersionCheck;
  /** Absolute path of an interpreter that prisn brings, for when none is found or the one found is too old. */
  readonly fallback?: string;
  /** What to type to install it, by `ID` or `ID_LIKE` of os-release, `macos`, and `other`. */
  readonly install: Readonly<Record<string, string>>;
  /** How what the manifests ask for gets installed. */
  readonly dependencies?: DependencyStep;
  /** The text of a program that prints `hello`. */
  readonly hello?: string;
}

export type Runtime = IsolateRuntime | ProcessRuntime;

export interface VersionCheck {
  /** Arguments that print the version, to stdout or stderr. */
  readonly args: readonly string[];
  /** Regular expression; its first group is the version. */
  readonly pattern: string;
  /** Older ones are reported as too old. */
  readonly minimum?: string;
}

/**
 * What was built is kept by the content of all that went into it (`runtimes/build.ts`): the file, the manifests, the
 * command itself, what `inputs` lists, and the variables.
 */
export interface BuildStep {
  /** Arguments of the command that make the program `{out}` of `{file}`, in the folder of the file. */
  readonly args: readonly string[];
  /**
   * Arguments that print what else of the user's own the build has read, one path a line or as a rule of make: files, and
   * folders in which a new file would count. Absent where that is the file alone.
   */
  readonly inputs?: readonly string[];
  /** Names of variables that change what is built. */
  readonly variables: readonly string[];
}

/** Done once for each content of the manifests. */
export interface DependencyStep {
  /** A command line, run in `{dir}`, the folder of the manifests; it installs into `{env}`, a folder of its own. */
  readonly install: readonly string[];
  /** Variables of it, and of the programs that are to find what it installed; `{dir}` and `{env}` here too. */
  readonly env: Readonly<Record<string, string>>;
}

/** What a `#!` line asks for beyond the choice of a runtime. */
export interface Interpreter {
  /** Names or absolute paths, the first found is taken. */
  readonly commands: readonly string[];
  /** Come before the runtime's own arguments. */
  readonly args: readonly string[];
  /** Assignments of `env -S NAME=value …`. */
  readonly env: Readonly<Record<string, string>>;
  /** Where it comes from, in words, where that is no `#!` line. */
  readonly source?: string;
}

export interface Detection {
  readonly runtime: Runtime;
  /** What decided, in words: `extension .py`. */
  readonly how: string;
  readonly interpreter?: Interpreter;
}

/** What placeholders stand for. */
export type TemplateValues = Readonly<Partial<Record<'file' | 'code' | 'out' | 'dir' | 'env', string>>>;

/**
 * Fills a template.
 * @param template such as `['-c', '{code}', '{args}']`
 * @param values a placeholder without a value stays. A file such as `-v.py` becomes `./-v.py`, so that it is no option.
 * @param args the program's arguments, passed untouched
 */
export function fillTemplate(template: readonly string[], values: TemplateValues, args: readonly string[] = []): string[] {
  const put: Readonly<Record<string, string | undefined>> = {
    ...values,
    file: values.file?.startsWith('-') ? `./${values.file}` : values.file,
  };
  return template.flatMap((item) =>
    item === '{args}' ? args : item.replace(/\{([a-z]+)\}/g, (whole, name: string) => put[name] ?? whole),
  );
}

/** Whether dotted number `version` is `minimum` or later: `3.10.2` is at least `3.9`. */
export function isAtLeast(version: string, minimum: string): boolean {
  const have = version.split('.').map(Number);
  for (const [i, want] of minimum.split('.').map(Number).entries()) {
    const part = have[i] ?? 0;
    if (part !== want) return part > want;
  }
  return true;
}

/** @param systems ids of this system, the most exact first: `['ubuntu', 'debian']` */
export function installHint(runtime: ProcessRuntime, systems: readonly string[]): string | undefined {
  const system = systems.find((id) => id in runtime.install) ?? 'other';
  return runtime.install[system];
}
