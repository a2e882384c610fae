/**
 * What `bin/prisn` starts in a build: the bundle for the first word, with V8's code for all that such a command runs.
 *
 * Node's own compile cache keeps what V8 compiles when it loads a file, which is everything but the functions that are called
 * later; to compile these took 3 ms of a `get`. So the build runs each bundle and keeps the code that it has by then
 * (`bin/code-cache.cjs`). That code is for the Node that built; for another one there is Node's cache.
 */
import { existsSync, readFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { Script } from 'node:vm';
import { heldRun } from './held-run.ts';

/**
 * A bundle as V8 takes it: a function of what every CommonJS module is given.
 * @param code what `createCachedData` gave for the same bundle in the same Node; V8 sees for itself whether it fits
 */
export function scriptOf(file: string, code?: Buffer): Script {
  const head = '(function (exports, require, module, __filename, __dirname) {';
  // One character a byte: bundles are ASCII.
  const source = `${head}${readFileSync(file, 'latin1')}\n})`;
  return new Script(source, { filename: file, columnOffset: -head.length, ...(code && { cachedData: code }) });
}

/** Where the code of a bundle is kept, for this Node. */
export function codeFile(file: string): string {
  return file.replace(/\.cjs$/, `.${process.version}-${process.arch}.code`);
}

function start(): void {
  const file = bundleOf(bundleName(process.argv.slice(2))) ?? `${__dirname}/cli-main.cjs`;
  const code = codeOf(file);
  // Of what is loaded beside the bundle: esbuild, the server.
  if (!code || /(?:main|run)\.cjs$/.test(file)) enableCompileCache(`${__dirname}/compile-cache`);
  if (!code) return require(file);
  const module = { exports: {} };
  scriptOf(file, code).runInThisContext()(module.exports, require, module, file, __dirname);
}

function bundleName([word = '', ...more]: readonly string[]): string {
  if (more.length === 0 && ['', '-h', '--help'].includes(word)) return 'usage';
  return word === heldRun ? 'run' : word;
}

function bundleOf(word: string): string | undefined {
  const file = `${__dirname}/cli-${word}.cjs`;
  return /^[a-z]+$/.test(word) && existsSync(file) ? file : undefined;
}

function codeOf(file: string): Buffer | undefined {
  try {
    return readFileSync(codeFile(file));
  } catch {
    return undefined;
  }
}

if (require.main === module) start();
