/**
 * What node is given before a program that it runs as it is would be less than in an isolate: TypeScript that node's
 * type stripping does not know, a default export that wants to be called.
 */
import { extname } from 'node:path';
import { PrisnError } from '../../src/base/error.ts';
import type { Preload } from '../command.ts';
import { moduleWords } from './lacks.ts';
import { type Packages, packagesVariable } from './packages.ts';
import { isTypeScript } from './resolve.ts';

const fs = process.getBuiltinModule('node:fs');

/**
 * @param file path of the program
 * @param input JSON text of --input
 * @param importsTypeScript whether something that it imports is known to be TypeScript
 * @param packages where its packages are, when they are not beside it
 * @returns undefined for a program that node starts as it is: JavaScript without a default export
 * @throws PrisnError `usage` when there is an input and nothing that takes it
 */
export async function nodePreload(
  file: string,
  input: string | undefined,
  importsTypeScript: boolean,
  packages?: Packages,
): Promise<Preload | undefined> {
  // A pipe gives its bytes once, to node.
  const isFile = fs.statSync(file).isFile();
  const isTranslated = isFile && isTypeScript(fs.realpathSync.native(file));
  const needsHooks = isTranslated || importsTypeScript;
  const mayBeCalled = isFile && (await hasDefaultExport(file, isTranslated));
  if (input !== undefined && !mayBeCalled)
    throw new PrisnError(
      'usage',
      `--input calls the default export of a program, and ${file} has none; node takes its input on stdin`,
    );
  if (!mayBeCalled && !needsHooks && !packages) return undefined;
  return {
    args: [
      ...(packages ? [importOf('node-packages')] : []),
      ...(needsHooks ? ['--enable-source-maps', importOf('node-typescript')] : []),
      ...(mayBeCalled ? [importOf('node-entry')] : []),
    ],
    env: {
      ...(packages && { [packagesVariable]: JSON.stringify([packages.home, packages.modules]) }),
      ...(mayBeCalled && { PRISN_INPUT: input ?? '' }),
    },
    minimum: hooked,
  };
}

/** The first version whose loaders take the hooks in all that is used of them. */
export const hooked = '24';

/** Of a file beside this one, which has its extension. */
function importOf(name: string): string {
  return `--import=${new URL(`${name}${extname(import.meta.url)}`, import.meta.url)}`;
}

/** Whether JavaScript exports a default, or TypeScript may. Of what cannot be read or parsed node shall say so. */
async function hasDefaultExport(file: string, isTypeScript: boolean): Promise<boolean> {
  if (extname(file) === '.cjs') return false;
  try {
    const text = fs.readFileSync(file, 'utf8');
    if (!moduleWords.test(text) || !text.includes('default')) return false;
    if (isTypeScript) return true;
    const { init, parse } = await import('es-module-lexer');
    await init();
    const [, exports] = parse(text);
    return exports.some((found) => found.type !== 'reexport-all' && found.name === 'default');
  } catch {
    return false;
  }
}
