/** TypeScript and JSX to JavaScript, a file at a time, by esbuild. */
import type { Loader, Message, TransformOptions } from 'esbuild';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { TsConfig } from './tsconfig.ts';
import { ProgramFailure } from './verdicts.ts';

const loaders: Readonly<Record<string, Loader>> = { '.tsx': 'tsx', '.jsx': 'jsx' };

export interface Translation {
  readonly code: string;
  /** Source map, version 3, with the source's text in it. */
  readonly map: string;
}

/** How many translations are under way, of all programs that are read at this moment. */
let underWay = 0;

/**
 * @param path absolute path of the file, for its extension and the source map
 * @throws ProgramFailure for a syntax error, in the form in which node reports one
 */
export async function translate(path: string, source: string, config: TsConfig): Promise<Translation> {
  underWay++;
  try {
    const { transform } = await import('esbuild');
    const { code, map } = await transform(source, { ...optionsFor(path, config), sourcemap: 'external', sourcefile: path });
    return { code, map };
  } catch (error) {
    throw failure(path, error);
  } finally {
    underWay--;
  }
}

/**
 * The same at once, for a loader that cannot wait.
 * @returns the code, with its source map in a comment at its end; a `.cts` file as CommonJS
 * @throws ProgramFailure as `translate`
 */
export function translateSync(path: string, source: string, config: TsConfig): string {
  const { transformSync } = esbuildSync();
  try {
    return transformSync(source, {
      ...optionsFor(path, config),
      ...(extname(path) === '.cts' && { format: 'cjs', platform: 'node' }),
      sourcemap: 'inline',
      sourcefile: pathToFileURL(path).href,
    }).code;
  } catch (error) {
    throw failure(path, error);
  }
}

function optionsFor(path: string, { compilerOptions }: TsConfig): TransformOptions {
  return {
    loader: loaders[extname(path)] ?? 'ts',
    target: 'esnext',
    // `esnext` would hand decorators on, and V8 has none yet.
    supported: { decorators: false },
    tsconfigRaw: { compilerOptions },
    logLevel: 'silent',
  };
}

/** So many files are translated by a process each; a thread that keeps one takes as long to start as five of these. */
const filesByProcess = 4;
let files = 0;

/** esbuild chooses between the two once, by the environment, so a second instance of it takes over. */
function esbuildSync(): typeof import('esbuild') {
  const require = createRequire(import.meta.url);
  const name = 'ESBUILD_WORKER_THREADS';
  const before = process.env[name];
  const byProcess = files++ < filesByProcess;
  if (files === filesByProcess + 1) delete require.cache[require.resolve('esbuild')];
  process.env[name] = byProcess ? '0' : '1';
  try {
    return require('esbuild');
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
}

/**
 * Ends esbuild's own process, which otherwise lives as long as this one; not while another program is translated, which would
 * wait for its answer for ever, and ends it afterwards.
 */
export async function stopTranslator(): Promise<void> {
  const { stop } = await import('esbuild');
  if (underWay === 0) await stop();
}

function failure(path: string, error: unknown): unknown {
  const [first] = (error as { errors?: Message[] }).errors ?? [];
  return first ? new ProgramFailure(syntaxError(path, first), { cause: error }) : error;
}

function syntaxError(path: string, { text, location }: Message): string {
  if (!location) return `${path}\n\nSyntaxError: ${text}`;
  const { line, column, lineText, length } = location;
  // esbuild counts bytes.
  const before = Buffer.from(lineText).subarray(0, column).toString();
  const marked = Buffer.from(lineText)
    .subarray(column, column + length)
    .toString();
  const caret = before.replace(/[^\t]/g, ' ') + '^'.repeat(Math.max(1, marked.length));
  return `${path}:${line}\n${lineText}\n${caret}\n\nSyntaxError: ${text}`;
}
