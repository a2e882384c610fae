/**
 * Packages that lie elsewhere than beside the program, for a program that runs in node: given to node by `--import`. For the files of the
 * program's folder it is as if the installed `node_modules` were in that folder; what is not found there is looked for as ever.
 *
 * Worker threads and forked children inherit the option, and `PRISN_PACKAGES`.
 */
import { createRequire, isBuiltin, registerHooks, type ResolveHookSync } from 'node:module';
import { pathToFileURL } from 'node:url';
import { packagesVariable } from './packages.ts';

const given = process.env[packagesVariable];
const [home = '', modules = ''] = given === undefined ? [] : (JSON.parse(given) as string[]);
const homeUrl = `${pathToFileURL(home).href}/`;
/** A file that need not be there: what it would import lies in `node_modules` beside it. */
const besideModules = new URL('x.js', pathToFileURL(modules)).href;
const requireBeside = createRequire(besideModules);

const resolve: ResolveHookSync = (specifier, context, next) => {
  if (!isPackage(specifier) || !isOwn(context.parentURL)) return next(specifier, context);
  try {
    // What `require` asks for is looked for from the requiring file, whatever the context says.
    if (context.conditions?.includes('require'))
      return { url: pathToFileURL(requireBeside.resolve(specifier)).href, shortCircuit: true };
    return next(specifier, { ...context, parentURL: besideModules });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error;
    return next(specifier, context);
  }
};

function isPackage(specifier: string): boolean {
  return /^[^./#]/.test(specifier) && !specifier.includes(':') && !isBuiltin(specifier);
}

/** What is looked for beside the modules is so by ourselves, and they may lie in the folder. */
function isOwn(importer: string | undefined): boolean {
  if (importer === besideModules) return false;
  return importer?.startsWith(homeUrl) === true && !importer.slice(homeUrl.length).split('/').includes('node_modules');
}

if (given !== undefined) registerHooks({ resolve });
