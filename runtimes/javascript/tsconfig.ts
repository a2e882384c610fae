/**
 * The nearest tsconfig.json, as far as it changes what a program does: decorators, class fields, JSX, import elision and
 * `paths`. Everything else in it is for a type checker.
 */
import type { Expression } from 'acorn';
import type { TsconfigRaw } from 'esbuild';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { Inputs } from './inputs.ts';
import { ProgramFailure } from './verdicts.ts';

/** The absolute paths that `paths` gives a specifier, in the order to try; none where no pattern fits. */
export type Aliases = (specifier: string) => readonly string[];

export interface TsConfig {
  /** For esbuild. */
  readonly compilerOptions: NonNullable<TsconfigRaw['compilerOptions']>;
  readonly aliases?: Aliases;
}

/** Options as in the file; a path among them is absolute. */
type Options = Record<string, unknown>;

const passedOn = [
  'alwaysStrict',
  'experimentalDecorators',
  'importsNotUsedAsValues',
  'jsx',
  'jsxFactory',
  'jsxFragmentFactory',
  'jsxImportSource',
  'preserveValueImports',
  'strict',
  'target',
  'useDefineForClassFields',
  'verbatimModuleSyntax',
];

/**
 * @param directory absolute path of the directory of a source file
 * @throws ProgramFailure when a tsconfig.json does not parse
 */
export function tsconfigFor(directory: string, inputs: Inputs): TsConfig {
  const path = join(directory, 'tsconfig.json');
  if (inputs.read(path) === undefined) {
    const parent = dirname(directory);
    return parent === directory ? { compilerOptions: {} } : tsconfigFor(parent, inputs);
  }
  const options = optionsOf(path, inputs, []);
  const compilerOptions = Object.fromEntries(passedOn.filter((name) => name in options).map((name) => [name, options[name]]));
  // Somebody else was to compile the JSX; here nobody follows.
  if (compilerOptions['jsx'] === 'preserve' || compilerOptions['jsx'] === 'react-native') compilerOptions['jsx'] = 'react-jsx';
  const aliases = aliasesOf(options);
  return { compilerOptions, ...(aliases && { aliases }) };
}

/** The compilerOptions of a file over those of the files that it extends; of several the last wins. */
function optionsOf(path: string, inputs: Inputs, above: readonly string[]): Options {
  const text = inputs.read(path);
  if (text === undefined || above.includes(path)) return {};
  const file = parseConfig(path, text);
  const bases = [file['extends'] ?? []].flat().filter((base) => typeof base === 'string');
  const inherited = bases.map((base) => optionsOf(extendedPath(base, path, inputs), inputs, [...above, path]));
  const own = isRecord(file['compilerOptions']) ? { ...file['compilerOptions'] } : {};
  if (typeof own['baseUrl'] === 'string') own['baseUrl'] = resolve(dirname(path), own['baseUrl']);
  if (isRecord(own['paths'])) own['pathsBase'] = dirname(path);
  return Object.assign({}, ...inherited, own);
}

/** https://www.typescriptlang.org/tsconfig/#extends */
function extendedPath(base: string, from: string, inputs: Inputs): string {
  if (base.startsWith('.') || isAbsolute(base)) {
    const path = resolve(dirname(from), base);
    return path.endsWith('.json') || inputs.isFile(path) ? path : `${path}.json`;
  }
  const require = createRequire(from);
  for (const name of [base, `${base}/tsconfig.json`]) {
    try {
      const path = require.resolve(name);
      if (path.endsWith('.json')) return path;
    } catch {
      // A base that is not installed changes types, seldom the program: esbuild goes on without it as well.
    }
  }
  return join(dirname(from), 'node_modules', base);
}

/** https://www.typescriptlang.org/tsconfig/#paths: the pattern with the longest prefix wins, an exact one before all. */
function aliasesOf({ paths, baseUrl, pathsBase }: Options): Aliases | undefined {
  if (!isRecord(paths)) return undefined;
  const base = String(baseUrl ?? pathsBase);
  const patterns = Object.entries(paths).map(([pattern, targets]) => {
    const [prefix = '', suffix] = pattern.split('*');
    return { prefix, suffix, targets: [targets].flat().map(String) };
  });
  patterns.sort((a, b) => Number(a.suffix !== undefined) - Number(b.suffix !== undefined) || b.prefix.length - a.prefix.length);
  return (specifier) => {
    const best = patterns.find(({ prefix, suffix }) =>
      suffix === undefined
        ? specifier === prefix
        : specifier.length >= prefix.length + suffix.length && specifier.startsWith(prefix) && specifier.endsWith(suffix),
    );
    if (!best) return [];
    const middle = specifier.slice(best.prefix.length, specifier.length - (best.suffix?.length ?? 0));
    return best.targets.map((target) =>
      resolve(
        base,
        target.replace('*', () => middle),
      ),
    );
  };
}

/** A tsconfig.json is JSON, or with comments and trailing commas an expression of JavaScript. */
function parseConfig(path: string, text: string): Record<string, unknown> {
  try {
    const value = parseJson(text) ?? parseLoosely(text);
    if (isRecord(value)) return value;
    throw new SyntaxError('not an object');
  } catch (cause) {
    throw new ProgramFailure(`${path} is not a configuration of TypeScript: ${(cause as Error).message}`, { cause });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseLoosely(text: string): unknown {
  const { parseExpressionAt } = createRequire(import.meta.url)('acorn') as typeof import('acorn');
  return valueOf(parseExpressionAt(text, 0, { ecmaVersion: 'latest' }));
}

function valueOf(node: Expression): unknown {
  switch (node.type) {
    case 'Literal':
      return node.value;
    case 'ArrayExpression':
      return node.elements.map((element) => (element && element.type !== 'SpreadElement' ? valueOf(element) : null));
    case 'ObjectExpression':
      return Object.fromEntries(
        node.properties.map((property) => {
          if (property.type !== 'Property' || property.key.type !== 'Literal') throw new SyntaxError('a key is not a string');
          return [property.key.value, valueOf(property.value)];
        }),
      );
    default:
      if (node.type === 'UnaryExpression' && node.operator === '-') return undefined;
      throw new SyntaxError(`${node.type} is not JSON`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
