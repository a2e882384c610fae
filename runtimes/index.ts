/** All runtimes, and the choice of one for a file. */
import { extname } from 'node:path';
import { PrisnError } from '../src/base/error.ts';
import { nearest } from '../src/base/nearest.ts';
import type { Detection, Interpreter, Runtime } from '../src/model/runtime.ts';
import { bash } from './bash.ts';
import { bun } from './bun.ts';
import { deno } from './deno.ts';
import { executable } from './executable.ts';
import { go } from './go.ts';
import type { FileHead } from './head.ts';
import { java } from './java.ts';
import { javascript } from './javascript.ts';
import { julia } from './julia.ts';
import { isInstalled } from './locate.ts';
import { lua } from './lua.ts';
import { node } from './node.ts';
import type { OwnRuntimes } from './own.ts';
import type { Surroundings } from './path.ts';
import { perl } from './perl.ts';
import { php } from './php.ts';
import { python3 } from './python3.ts';
import { r } from './r.ts';
import { ruby } from './ruby.ts';
import { parseShebang, type Shebang } from './shebang.ts';
import { sh } from './sh.ts';
import { typescript } from './typescript.ts';

/** The built-in ones. */
export const runtimes: readonly Runtime[] = [
  javascript,
  typescript,
  node,
  deno,
  bun,
  python3,
  bash,
  sh,
  ruby,
  perl,
  php,
  lua,
  r,
  julia,
  go,
  java,
  executable,
];

/** Which runtimes there are beside the built-in ones, and which is asked for. */
export interface Asked {
  /** An id or alias that decides alone. */
  readonly runtime?: string | undefined;
  /** Absolute path of `PRISN_HOME`, where the user's own runtimes are; without it there are none. */
  readonly home?: string | undefined;
}

/**
 * @param id an id or an alias, such as `python3` or `js`, of a built-in runtime
 * @throws PrisnError `no_runtime`
 */
export function runtimeById(id: string): Runtime {
  return byWord(id, runtimes) ?? refuseWord(id, runtimes, []);
}

/**
 * The same, of all runtimes.
 * @throws PrisnError `no_runtime`, which names the files of the user's own runtimes that cannot be read
 */
export async function findRuntime(id: string, home: string | undefined): Promise<Runtime> {
  const found = byWord(id, runtimes);
  if (found) return found;
  const { runtimes: owned, problems } = await ownOf(home);
  const all = [...runtimes, ...owned];
  return byWord(id, all) ?? refuseWord(id, all, problems);
}

/** All runtimes, and why some of the user's own are left out, a line each. */
export async function allRuntimes(home: string): Promise<{ runtimes: readonly Runtime[]; problems: readonly string[] }> {
  const { runtimes: owned, problems } = await ownOf(home);
  return { runtimes: [...runtimes, ...owned], problems };
}

/**
 * Chooses the runtime for a file: the one asked for, else by extension, else by the `#!` line, else the file itself
 * when the system can start it. A `#!` line goes before the extension of a shell script, and before that of JavaScript
 * when it starts deno, bun, or node with options; of an interpreter that the extension chose too it
 * adds options and version. What no built-in runtime claims may be the user's own.
 * @param file as the user wrote it
 * @param surroundings where to look for what is installed, for the message only
 * @throws PrisnError `cannot_run` with all that was looked at; `no_runtime` for an unknown runtime that is asked for
 */
export async function detect(file: string, head: FileHead, surroundings: Surroundings, asked: Asked = {}): Promise<Detection> {
  if (asked.runtime !== undefined) return byName(file, head, asked.runtime, await findRuntime(asked.runtime, asked.home));
  const builtIn = choose(file, head, runtimes);
  if (builtIn && builtIn.runtime !== executable) return builtIn;
  const { runtimes: owned, problems } = await ownOf(asked.home);
  const all = [...runtimes, ...owned];
  const found = owned.length > 0 ? choose(file, head, all) : builtIn;
  if (found) return found;
  throw new PrisnError('cannot_run', unknown(file, head, surroundings, all) + unread(problems));
}

async function ownOf(home: string | undefined): Promise<OwnRuntimes> {
  return home ? (await import('./own.ts')).ownRuntimes(home, runtimes) : { runtimes: [], problems: [] };
}

function byWord(id: string, among: readonly Runtime[]): Runtime | undefined {
  return among.find((runtime) => runtime.id === id || runtime.aliases.includes(id));
}

function refuseWord(id: string, among: readonly Runtime[], problems: readonly string[]): never {
  const meant = nearest(
    id,
    among.flatMap((runtime) => [runtime.id, ...runtime.aliases]),
  );
  const question = meant === undefined ? '' : ` did you mean '${meant}'?`;
  const ids = among.map((runtime) => runtime.id).join(', ');
  throw new PrisnError('no_runtime', `no runtime is called '${id}';${question} there are: ${ids}${unread(problems)}`);
}

/** The end of a refusal where some of the user's own runtimes are left out. */
function unread([first, ...more]: readonly string[]): string {
  if (first === undefined) return '';
  return `; left out: ${first}${more.length > 0 ? ` (and ${more.length} more: prisn runtime list)` : ''}`;
}

function choose(file: string, head: FileHead, among: readonly Runtime[]): Detection | undefined {
  const shebang = parseShebang(head.bytes);
  const named =
    shebang &&
    among.find((runtime) => runtime.kind === 'process' && runtime.shebangs.some((name) => isVersionOf(shebang.name, name)));
  const extension = extname(file).toLowerCase();
  const runtime = extension ? among.find(({ extensions }) => extensions.includes(extension)) : undefined;
  if (runtime && !(shebang && goesFirst(shebang, named, runtime))) {
    const detection = { runtime, how: `extension ${extension}` };
    return shebang && named === runtime ? refine(detection, named, shebang) : detection;
  }
  if (shebang) return byShebang(shebang, named, head.executable);
  if (head.executable && isBinary(head.bytes)) return { runtime: executable, how: 'an executable binary' };
  if (head.executable && !extension && isText(head.bytes))
    return { runtime: sh, how: 'an executable text without a #! line, as for a shell' };
  return undefined;
}

function byName(file: string, head: FileHead, asked: string, runtime: Runtime): Detection {
  if (runtime === executable && !head.executable)
    throw new PrisnError('cannot_run', `'${file}' is not executable; type chmod +x ${file}, or name the runtime that reads it`);
  return { runtime, how: `--runtime ${asked}` };
}

function byShebang(shebang: Shebang, named: Runtime | undefined, isExecutableFile: boolean): Detection {
  const how = `#! ${shebang.line}`;
  if (!named && isExecutableFile) return { runtime: executable, how };
  const fallbacks = named?.kind === 'process' ? [shebang.name, ...named.command] : [];
  return { runtime: named ?? executable, how, interpreter: interpreterOf(shebang, [shebang.command, ...fallbacks]) };
}

/**
 * An extension finds its interpreter by PATH. A `#!` line adds options and a version, and a path of its own (a virtual
 * environment's, say) counts too; `/usr/bin/python3` is only what one writes for "the one there is".
 */
function refine(detection: Detection, runtime: Runtime, shebang: Shebang): Detection {
  const commands = runtime.kind === 'process' ? runtime.command : [];
  const plain = commands.includes(shebang.name) && !isOwnPath(shebang.command);
  if (plain && shebang.args.length === 0 && Object.keys(shebang.env).length === 0) return detection;
  const how = `${detection.how}, #! ${shebang.line}`;
  return {
    ...detection,
    how,
    interpreter: interpreterOf(
      shebang,
      plain ? commands : [isOwnPath(shebang.command) ? shebang.command : shebang.name, ...commands],
    ),
  };
}

function isOwnPath(command: string): boolean {
  return command.startsWith('/') && !/^(?:\/usr(?:\/local)?)?\/bin\//.test(command);
}

function interpreterOf({ args, env }: Shebang, commands: readonly string[]): Interpreter {
  return { commands: [...new Set(commands)], args, env };
}

function goesFirst(shebang: Shebang, named: Runtime | undefined, runtime: Runtime): boolean {
  if (runtime.kind === 'isolate') return named === deno || named === bun || (named === node && shebang.args.length > 0);
  return runtime.ambiguous === true;
}

/** `python3.12` is a version of `python3`; `python2` is none of `python`. */
function isVersionOf(name: string, of: string): boolean {
  return name.startsWith(of) && /^(?:\.\d+)*$/.test(name.slice(of.length));
}

/** The first bytes of ELF, and of Mach-O: 32 and 64 bits in both byte orders, universal. */
const binaryStarts = new Set(['7f454c46', 'feedface', 'feedfacf', 'cefaedfe', 'cffaedfe', 'cafebabe']);

function isBinary(bytes: Uint8Array): boolean {
  return binaryStarts.has(Buffer.from(bytes.subarray(0, 4)).toString('hex'));
}

function isText(bytes: Uint8Array): boolean {
  return bytes.length > 0 && !bytes.includes(0);
}

function unknown(file: string, head: FileHead, surroundings: Surroundings, among: readonly Runtime[]): string {
  const extension = extname(file).toLowerCase();
  const installed = among.filter((runtime) => runtime.kind === 'isolate' || isInstalled(runtime, surroundings));
  const looked = [
    extension ? `no runtime has the extension '${extension}'` : 'it has no extension',
    'no #! line starts it',
    head.executable ? 'it is executable, but no binary' : 'it is not executable',
  ];
  const ids = installed.map(({ id }) => id).join(', ');
  return `'${file}': cannot tell what runs it: ${looked.join(', ')}; name the runtime with --runtime (installed: ${ids})`;
}
