/** All runtimes, and the choice of one for a file. */
import { extname } from 'node:path';
import { PrisnError } from '../src/base/error.ts';
import { nearest } from '../src/base/nearest.ts';
import type { Detection, Interpreter, Runtime } from '../src/model/runtime.ts';
import { bash } from './bash.ts';
import { executable } from './executable.ts';
import type { FileHead } from './head.ts';
import { javascript } from './javascript.ts';
import { isInstalled } from './locate.ts';
import { node } from './node.ts';
import type { Surroundings } from './path.ts';
import { python3 } from './python3.ts';
import { parseShebang, type Shebang } from './shebang.ts';
import { sh } from './sh.ts';
import { typescript } from './typescript.ts';

export const runtimes: readonly Runtime[] = [javascript, typescript, node, python3, bash, sh, executable];

/**
 * @param id an id or an alias, such as `python3` or `js`
 * @throws PrisnError `no_runtime`
 */
export function runtimeById(id: string): Runtime {
  const found = runtimes.find((runtime) => runtime.id === id || runtime.aliases.includes(id));
  if (found) return found;
  const meant = nearest(
    id,
    runtimes.flatMap((runtime) => [runtime.id, ...runtime.aliases]),
  );
  const question = meant === undefined ? '' : ` did you mean '${meant}'?`;
  throw new PrisnError(
    'no_runtime',
    `no runtime is called '${id}';${question} there are: ${runtimes.map((runtime) => runtime.id).join(', ')}`,
  );
}

/**
 * Chooses the runtime for a file: the one asked for, else by extension, else by the `#!` line, else the file itself
 * when the system can start it. A `#!` line goes before the extension of a shell script, and before that of JavaScript
 * when it starts node with options; of an interpreter that the extension chose too it adds options and version.
 * @param file as the user wrote it
 * @param surroundings where to look for what is installed, for the message only
 * @param forced an id or alias that decides alone
 * @throws PrisnError `cannot_run` with all that was looked at; `no_runtime` for an unknown `forced`
 */
export function detect(file: string, head: FileHead, surroundings: Surroundings, forced?: string): Detection {
  if (forced !== undefined) return byName(file, head, forced);
  const shebang = parseShebang(head.bytes);
  const named =
    shebang &&
    runtimes.find((runtime) => runtime.kind === 'process' && runtime.shebangs.some((name) => isVersionOf(shebang.name, name)));
  const extension = extname(file).toLowerCase();
  const runtime = extension ? runtimes.find(({ extensions }) => extensions.includes(extension)) : undefined;
  if (runtime && !(shebang && goesFirst(shebang, named, runtime))) {
    const detection = { runtime, how: `extension ${extension}` };
    return shebang && named === runtime ? refine(detection, named, shebang) : detection;
  }
  if (shebang) return byShebang(shebang, named, head.executable);
  if (head.executable && isBinary(head.bytes)) return { runtime: executable, how: 'an executable binary' };
  if (head.executable && !extension && isText(head.bytes))
    return { runtime: sh, how: 'an executable text without a #! line, as for a shell' };
  throw new PrisnError('cannot_run', unknown(file, extension, head, surroundings));
}

function byName(file: string, head: FileHead, forced: string): Detection {
  const runtime = runtimeById(forced);
  if (runtime === executable && !head.executable)
    throw new PrisnError('cannot_run', `'${file}' is not executable; type chmod +x ${file}, or name the runtime that reads it`);
  return { runtime, how: `--runtime ${forced}` };
}

function byShebang(shebang: Shebang, named: Runtime | undefined, isExecutableFile: boolean): Detection {
  const how = `#! ${shebang.line}`;
  if (!named && isExecutableFile) return { runtime: executable, how };
  const fallbacks = named?.kind === 'process' ? [shebang.name, ...named.commands] : [];
  return { runtime: named ?? executable, how, interpreter: interpreterOf(shebang, [shebang.command, ...fallbacks]) };
}

/**
 * An extension finds its interpreter by PATH. A `#!` line adds options and a version, and a path of its own (a virtual
 * environment's, say) counts too; `/usr/bin/python3` is only what one writes for "the one there is".
 */
function refine(detection: Detection, runtime: Runtime, shebang: Shebang): Detection {
  const commands = runtime.kind === 'process' ? runtime.commands : [];
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
  if (runtime.kind === 'isolate') return named === node && shebang.args.length > 0;
  return runtime.yieldsToShebang === true;
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

function unknown(file: string, extension: string, head: FileHead, surroundings: Surroundings): string {
  const installed = runtimes.filter((runtime) => runtime.kind === 'isolate' || isInstalled(runtime, surroundings));
  const looked = [
    extension ? `no runtime has the extension '${extension}'` : 'it has no extension',
    'no #! line starts it',
    head.executable ? 'it is executable, but no binary' : 'it is not executable',
  ];
  const ids = installed.map(({ id }) => id).join(', ');
  return `'${file}': cannot tell what runs it: ${looked.join(', ')}; name the runtime with --runtime (installed: ${ids})`;
}
