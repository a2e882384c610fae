/**
 * The first line of a script, `#!`, as execve(2) and env(1) read it.
 *
 * The kernel reads 256 bytes, takes the first word as the interpreter and all the rest as *one* argument; `env -S`
 * then splits that argument. We are more forgiving in two ways that never change a line that works: `env name args`
 * without -S is split too (as macOS does), and a carriage return at the end is dropped. A line that uses more of env than
 * names and assignments (options, quotes, `${…}`) stays what it says: the interpreter is env, with one argument.
 */

/** What the kernel reads of a file to decide how to start it (BINPRM_BUF_SIZE). */
export const headLength = 256;

export interface Shebang {
  /** The line without `#!`. */
  readonly line: string;
  /** Absolute path as written, or a bare name that env looks up in PATH. */
  readonly command: string;
  /** The last part of `command`. */
  readonly name: string;
  readonly args: readonly string[];
  /** Assignments before the name, of `env -S`. */
  readonly env: Readonly<Record<string, string>>;
}

/** @param head the first bytes of the file, up to `headLength` */
export function parseShebang(head: Uint8Array): Shebang | undefined {
  if (head[0] !== 0x23 || head[1] !== 0x21) return undefined;
  const line = new TextDecoder().decode(head.subarray(2, headLength)).split('\n', 1)[0]?.trim() ?? '';
  const [, command, rest = ''] = /^(\S+)\s*(.*)$/.exec(line) ?? [];
  if (!command) return undefined;
  const name = baseName(command);
  const plain = { line, command, name, args: rest ? [rest] : [], env: {} };
  return name === 'env' ? (readEnv(line, rest) ?? plain) : plain;
}

function readEnv(line: string, rest: string): Shebang | undefined {
  const words = rest.replace(/^(?:-S|--split-string[=\s])\s*/, '');
  if (/["'\\$#]/.test(words)) return undefined;
  const args = words.split(/\s+/);
  const env: Record<string, string> = {};
  for (let word = args.shift(); word; word = args.shift()) {
    const [, key, value] = /^([^=]+)=(.*)$/.exec(word) ?? [];
    if (key === undefined || value === undefined)
      return word.startsWith('-') ? undefined : { line, command: word, name: baseName(word), args, env };
    env[key] = value;
  }
  return undefined;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
