/**
 * Whether a file that nothing else decides is a script or a module, by node's rule: CommonJS if it compiles as such, a
 * module if what stops it is something that only modules have
 * (https://nodejs.org/api/packages.html#syntax-detection). V8 itself is asked, which takes less than any parser's load.
 */
import { compileFunction } from 'node:vm';

/** Names that node's CommonJS wrapper binds. A module may declare them at its top, a script may not. */
export const wrapperNames: readonly string[] = ['exports', 'require', 'module', '__filename', '__dirname'];

/** V8's words for module syntax, `await` at the top and declared wrapper names. */
const onlyInModules = new RegExp(
  [
    '^Cannot use import statement outside a module',
    "^Unexpected token 'export'",
    "^Cannot use 'import\\.meta' outside a module",
    '^await is only valid in async functions and the top level bodies of modules',
    '^Unexpected reserved word',
    `^Identifier '(?:${wrapperNames.join('|')})' has already been declared`,
  ].join('|'),
);

/** What stops a script at an `await` inside an expression, in V8's words for what stands after that name. */
const perhapsAwait = /^(?:missing \) after argument list|Unexpected )/;

/** A source that is neither, because its syntax is wrong, counts as a script: that is what node reports on. */
export function detectFormat(source: string): 'script' | 'module' {
  const { message } = syntaxError(source) ?? {};
  if (message === undefined) return 'script';
  if (onlyInModules.test(message)) return 'module';
  const isAwait = perhapsAwait.test(message) && /\bawait\b/.test(source);
  return isAwait && syntaxError(`(async () => {${source}\n})`) === undefined ? 'module' : 'script';
}

function syntaxError(source: string): Error | undefined {
  try {
    compileFunction(source, wrapperNames);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
