/**
 * A runtime: what runs files of a language, as data alone. `runtimes/` holds one object of this type a language; the
 * same fields can come from a file of the user, so nothing here is a function.
 *
 * Argument templates are lists whose items may hold placeholders: `{file}` and `{code}` are put in place, an item that
 * is `{args}` becomes all arguments of the program, each an item of its own.
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
  readonly yieldsToShebang?: boolean;
  /** Names to look for, the first found is taken. Without any, the program's file is itself what is executed. */
  readonly commands: readonly string[];
  /** Variables that name an activated environment: its `bin` comes before PATH. */
  readonly prefixes: readonly string[];
  /** The interpreter's arguments for a file: `{file}`, `{args}`. */
  readonly args: readonly string[];
  /** The same for code on the command line: `{code}`, `{args}`. Absent where the interpreter cannot. */
  readonly exec?: readonly string[];
  /** The same for a program on stdin: `{args}`. Absent where the interpreter cannot. */
  readonly stdin?: readonly string[];
  /** Set for the program unless the caller's environment has it. */
  readonly env: Readonly<Record<string, string>>;
  readonly version?: VersionCheck;
  /** Absolute path of an interpreter that prisn brings, for when none is found or the one found is too old. */
  readonly fallback?: string;
  /** What to type to install it, by `ID` or `ID_LIKE` of os-release, `macos`, and `other`. */
  readonly install: Readonly<Record<string, string>>;
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

/**
 * Fills an argument template.
 * @param template such as `['-c', '{code}', '{args}']`
 * @param values what `{file}` and `{code}` stand for. A file such as `-v.py` becomes `./-v.py`, so that it is no option.
 * @param args the program's arguments, passed untouched
 */
export function fillTemplate(
  template: readonly string[],
  values: { file?: string; code?: string },
  args: readonly string[],
): string[] {
  const file = values.file?.startsWith('-') ? `./${values.file}` : values.file;
  const put: Record<string, string | undefined> = { '{file}': file, '{code}': values.code };
  return template.flatMap((item) => (item === '{args}' ? args : item.replace(/\{(?:file|code)\}/g, (name) => put[name] ?? name)));
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
