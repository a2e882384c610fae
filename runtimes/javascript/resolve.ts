/**
 * From a specifier to a file, and from a file to what node takes it for.
 *
 * JavaScript resolves as node does (https://nodejs.org/api/esm.html#resolution-algorithm-specification). TypeScript
 * resolves as its compilers do: what node would not find may leave out its extension, name the file that a compiler
 * would write, name a directory with an index, or go through `paths` of tsconfig.json.
 */
import { basename, dirname, extname, join } from 'node:path';
import { isBuiltin } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Inputs } from './inputs.ts';
import type { Aliases } from './tsconfig.ts';
import { NodeOnly } from './verdicts.ts';

const fs = process.getBuiltinModule('node:fs');

/** What node takes a file for; with `detect` its syntax decides. */
export type Kind = 'module' | 'script' | 'detect';

/** How a file is read. */
export type FileKind = { readonly language: 'javascript' | 'typescript'; readonly kind: Kind } | { readonly language: 'json' };

export type Target =
  | { readonly file: string }
  /** A package, a built-in, a kind of file or of address that an isolate does not have; completes "x.js:3 …". */
  | { readonly lack: string; readonly isPackage?: boolean }
  /** Nothing is there; completes "x.js:3 …". */
  | { readonly missing: string };

/** Whatever package.json says: authors write `import` and `export` also where tsc makes CommonJS of them. */
const typescriptKinds: Readonly<Record<string, Kind>> = {
  '.ts': 'module',
  '.tsx': 'module',
  '.mts': 'module',
  '.cts': 'script',
  '.jsx': 'module',
};

/** What a compiler would have made the named file from. */
const writtenFrom: Readonly<Record<string, readonly string[]>> = {
  '.js': ['.ts', '.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
  '.jsx': ['.tsx'],
};
const leftOut = ['.ts', '.tsx', '.mts', '.js', '.mjs', '.jsx', '.json'];

/** Whether the extension is of a file that is translated before it runs. */
export function isTypeScript(path: string): boolean {
  return extname(path) in typescriptKinds;
}

/**
 * @param isInline the text is in no file: node gives it no package either, its syntax decides
 * @returns undefined for a file of another kind
 * @throws NodeOnly where the nearest package.json is damaged
 */
export function fileKind(path: string, inputs: Inputs, isInline = false): FileKind | undefined {
  const extension = extname(path);
  const typescript = typescriptKinds[extension];
  if (typescript) return { language: 'typescript', kind: typescript };
  switch (extension) {
    case '.json':
      return { language: 'json' };
    case '.mjs':
      return { language: 'javascript', kind: 'module' };
    case '.cjs':
      return { language: 'javascript', kind: 'script' };
    case '.js':
    case '':
      return { language: 'javascript', kind: isInline ? 'detect' : packageKind(dirname(path), inputs) };
    default:
      return undefined;
  }
}

/**
 * The `type` of the nearest package.json (https://nodejs.org/api/packages.html#determining-module-system).
 * @throws NodeOnly where that is damaged
 */
export function packageKind(directory: string, inputs: Inputs): Kind {
  if (basename(directory) !== 'node_modules') {
    const path = join(directory, 'package.json');
    const text = inputs.read(path);
    if (text !== undefined) return typeField(path, text);
    const parent = dirname(directory);
    if (parent !== directory) return packageKind(parent, inputs);
  }
  return 'detect';
}

function typeField(path: string, text: string): Kind {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new NodeOnly(`belongs to ${path}, which is not JSON`);
  }
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
  return type === 'module' ? 'module' : type === 'commonjs' ? 'script' : 'detect';
}

/**
 * @param specifier as written
 * @param importer absolute real path of the file it is written in
 * @param aliases of the importer's tsconfig.json
 * @returns the target; `file` is an absolute real path
 */
export function resolveImport(specifier: string, importer: string, inputs: Inputs, aliases: Aliases | undefined): Target {
  if (!/^(?:\.{0,2}\/|\.{1,2}$|file:)/.test(specifier)) {
    for (const path of aliases?.(specifier) ?? []) {
      const found = inputs.isFile(path) ? path : asWritten(path, inputs);
      if (found) return targetFile(specifier, found, inputs);
    }
    return { lack: `imports '${specifier}'`, isPackage: !/[#:]/.test(specifier) && !isBuiltin(specifier) };
  }
  let path: string;
  try {
    const url = new URL(specifier, pathToFileURL(importer));
    if (url.search || url.hash)
      return { lack: `imports '${specifier}', an address with ${url.search ? 'a query' : 'a fragment'}` };
    path = fileURLToPath(url);
  } catch {
    return { lack: `imports '${specifier}', which is not a path` };
  }
  if (inputs.isFile(path)) return targetFile(specifier, path, inputs);
  const written = asWritten(path, inputs);
  if (written && isTypeScript(importer)) return targetFile(specifier, written, inputs);
  return { missing: missingText(specifier, path, written) };
}

function targetFile(specifier: string, path: string, inputs: Inputs): Target {
  const file = fs.realpathSync.native(path);
  // A link may be pointed elsewhere: it is an input as well.
  if (file !== path) inputs.read(path);
  return fileKind(file, inputs) ? { file } : { lack: `imports '${specifier}', which is neither JavaScript nor JSON` };
}

/** The file that TypeScript means by a path at which none is: without its extension, by that of its output, a folder's index. */
export function asWritten(path: string, inputs: Inputs): string | undefined {
  const extension = extname(path);
  const stem = path.slice(0, path.length - extension.length);
  const candidates = [
    ...(writtenFrom[extension] ?? []).map((other) => stem + other),
    ...(path.endsWith('/') ? [] : leftOut.map((added) => path + added)),
    ...leftOut.map((added) => join(path, `index${added}`)),
  ];
  return candidates.find((candidate) => inputs.isFile(candidate));
}

function missingText(specifier: string, path: string, written: string | undefined): string {
  const isDirectory = fs.statSync(path, { throwIfNoEntry: false })?.isDirectory();
  const what = `imports '${specifier}', ${isDirectory ? 'which is a directory' : `but ${path} does not exist`}`;
  if (written === undefined) return what;
  const name = written.startsWith(path)
    ? specifier + written.slice(path.length)
    : specifier.slice(0, -extname(path).length) + extname(written);
  return `${what}; did you mean '${name}'?`;
}
