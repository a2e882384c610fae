/**
 * TypeScript and JSX as isolates have it, for a program that runs in node: given to node by `--import`, it puts hooks
 * into node's loaders, of ES modules and of CommonJS alike (https://nodejs.org/api/module.html#customization-hooks).
 *
 *   resolve: what TypeScript writes and node would not find (`./x`, `./x.js` for x.ts, `paths` of tsconfig.json)
 *   load:    esbuild's translation, with enums, decorators, namespaces, parameter properties and JSX
 *
 * JavaScript, packages, and all that our resolution does not know stay node's own. Child processes that are forked and
 * worker threads inherit the option, and so the hooks.
 */
import { type LoadHookSync, registerHooks, type ResolveHookSync } from 'node:module';
import { dirname, extname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { detectFormat } from './format.ts';
import { Inputs, sourceText } from './inputs.ts';
import { isTypeScript, packageKind, resolveImport } from './resolve.ts';
import { type TsConfig, tsconfigFor } from './tsconfig.ts';
import { translateSync } from './typescript.ts';
import { ProgramFailure } from './verdicts.ts';

const fs = process.getBuiltinModule('node:fs');

/** The package.json and tsconfig.json that were read, once and for all as node does. */
const inputs = new Inputs();
const configs = new Map<string, TsConfig>();

const resolve: ResolveHookSync = (specifier, context, next) => {
  const importer = typescriptFile(context.parentURL);
  if (importer === undefined) return next(specifier, context);
  const target = resolveImport(specifier, importer, inputs, configOf(importer).aliases);
  return 'file' in target ? { url: pathToFileURL(target.file).href, shortCircuit: true } : next(specifier, context);
};

const load: LoadHookSync = (url, context, next) => {
  const file = typescriptFile(url);
  if (file === undefined) return next(url, context);
  try {
    const source = translateSync(file, sourceText(fs.readFileSync(file, 'utf8')), configOf(file));
    return { format: formatOf(file, source), source, shortCircuit: true };
  } catch (error) {
    throw error instanceof ProgramFailure ? syntaxError(error, url) : error;
  }
};

/** The failure says where it is; the one frame keeps node from showing ours. */
function syntaxError({ message }: ProgramFailure, url: string): SyntaxError {
  return Object.assign(new SyntaxError(message), { stack: `${message}\n    at ${url}` });
}

/** The path of a file that is translated before it runs. */
function typescriptFile(url: string | undefined): string | undefined {
  if (!url?.startsWith('file:')) return undefined;
  const path = fileURLToPath(url);
  return isTypeScript(path) ? path : undefined;
}

function configOf(file: string): TsConfig {
  const directory = dirname(file);
  const config = configs.get(directory) ?? tsconfigFor(directory, inputs);
  configs.set(directory, config);
  return config;
}

/** By extension, then `type` of package.json; but what only a module can say makes one, as in an isolate. */
function formatOf(file: string, translated: string): 'module' | 'commonjs' {
  const extension = extname(file);
  if (extension === '.cts') return 'commonjs';
  if (extension === '.mts' || packageKind(dirname(file), inputs) === 'module') return 'module';
  return detectFormat(translated) === 'script' ? 'commonjs' : 'module';
}

registerHooks({ resolve, load });
