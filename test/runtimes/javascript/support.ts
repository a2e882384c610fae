/** What the tests of the loader share: trees of files, and runs of programs by node itself. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Loaded, type LoadOptions, loadProgram } from '../../../runtimes/javascript/load.ts';
import type { Program } from '../../../src/model/task.ts';
import { Scratch } from '../../scratch.ts';

export const fixtures = join(import.meta.dirname, '../../fixtures/graph');

/** A directory with the files, gone after the tests. @returns its real path */
export function tree(files: Readonly<Record<string, string>>): string {
  const scratch = new Scratch();
  for (const [name, text] of Object.entries(files)) scratch.file(name, text);
  return scratch.root;
}

export async function isolateProgram(file: string, options: LoadOptions = {}): Promise<Program> {
  return programOf(await loadProgram(file, options));
}

export function programOf(loaded: Loaded): Program {
  if (loaded.choice !== 'isolate') throw new Error(`not an isolate: ${JSON.stringify(loaded)}`);
  return loaded.program;
}

/** Runs node. @returns its stdout */
export async function node(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const options = { timeout: 20_000, env: { ...process.env, ...env } };
  return (await promisify(execFile)(process.execPath, args, options)).stdout;
}

/**
 * Node as the isolate: its hooks give it the modules of the program and nothing from the disk.
 * `$impt$` and `$importMeta` are bound as the session does, by a line before the module.
 */
const runner = `
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
const { entry, modules } = JSON.parse(readFileSync(process.env.PROGRAM, 'utf8'));
const url = (path) => 'prisn:' + encodeURIComponent(path);
const path = (url) => decodeURIComponent(url.slice('prisn:'.length));
registerHooks({
  resolve: (specifier, { parentURL }) => ({
    url: specifier.startsWith('prisn:') ? specifier : url(modules[path(parentURL)].imports[specifier]),
    importAttributes: {},
    shortCircuit: true,
  }),
  load: (from) => {
    const key = path(from);
    const { format, code } = modules[key];
    const meta = { url: pathToFileURL(key).href, filename: key, dirname: key.replace(/\\/[^/]*$/, ''), main: key === entry };
    const bound = 'const $impt$ = (x) => import(x), $importMeta = ' + JSON.stringify(meta) + ';';
    const source = format === 'json' ? 'export default ' + code : bound + code;
    return { format: format === 'json' ? 'module' : format, source, shortCircuit: true };
  },
});
await import(url(entry));
`;

/** @returns the stdout of the program's modules, run by node */
export async function runProgram(program: Program): Promise<string> {
  const directory = tree({ 'program.json': JSON.stringify(program) });
  return node(['--input-type=module', '--eval', runner], { PROGRAM: join(directory, 'program.json') });
}
