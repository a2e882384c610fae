/**
 * The guest's side of modules: running a script's body, `import()`, `import.meta`, and what follows the evaluation.
 *
 * V8 gives an embedder callbacks for `import()` and `import.meta`, which isolated-vm does not hand on. The loader
 * therefore writes `$impt$` and `$importMeta` in their place (names of the same length, so that positions stay exact),
 * and the host puts a line before the module that binds both to this module's own.
 */
import { type Failure, host } from './host.ts';
import { callOnce } from './main.ts';
import { startInfo } from './program.ts';

const errors = () => require('./errors.ts') as typeof import('./errors.ts');
const serving = () => require('./serving.ts') as typeof import('./serving.ts');

interface Import {
  readonly promise: Promise<object>;
  resolve(namespace: object | Promise<object>): void;
  reject(error: unknown): void;
  state: 'asked' | 'opening' | 'settled';
}

const imports = new Map<number, Import>();
let nextId = 0;

/** `import()` of one module. */
export function importer(referrer: string): (specifier: unknown) => Promise<object> {
  return async (specifier) => {
    const text = `${specifier}`;
    const id = ++nextId;
    const { promise, resolve, reject } = Promise.withResolvers<object>();
    imports.set(id, { promise, resolve, reject, state: 'asked' });
    host.importModule(id, referrer, text);
    return promise;
  };
}

/** `import.meta` of one module, with node's properties. */
export function meta(file: string, url: string, main: boolean): object {
  return Object.assign(Object.create(null), { dirname: file.replace(/\/[^/]*$/, '') || '/', filename: file, main, url });
}

export function imported(id: number, namespace: object): void {
  settle(id)?.resolve(namespace);
}

/** @returns the import, if it waits */
function settle(id: number): Import | undefined {
  const found = imports.get(id);
  if (!found || found.state === 'settled') return undefined;
  found.state = 'settled';
  return found;
}

export function opening(id: number): void {
  const found = imports.get(id);
  if (found) found.state = 'opening';
}

export function importedBefore(id: number, first: number): void {
  const earlier = imports.get(first)?.promise;
  if (earlier) settle(id)?.resolve(earlier);
}

/** The entry that evaluates an imported module also brings out what else was rejected meanwhile. */
export function importFailed(id: number, failure: Failure): void {
  const waiting = settle(id);
  if (waiting) waiting.reject(thrown(failure));
  else errors().reportUnhandled(failure);
}

/**
 * A rejection that nobody handled. While a module is being evaluated it is taken for that evaluation's, which V8 does not
 * tell apart: the import rejects, and if nobody listens to that either, it is reported then.
 */
export function unhandled(failure: Failure): boolean {
  for (const [id, { state }] of imports) {
    if (state !== 'opening') continue;
    settle(id)?.reject(thrown(failure));
    return true;
  }
  errors().reportUnhandled(failure);
  return false;
}

/** The error object itself where it is still known, else its like. */
function thrown(failure: Failure): unknown {
  if ('primitive' in failure) return failure.primitive;
  return (
    errors().original(failure.stack) ??
    (failure.syntax === undefined ? new Error(failure.message) : new SyntaxError(failure.syntax))
  );
}

export function evaluated(namespace: object): void {
  const { default: main } = namespace as { default?: unknown };
  if (startInfo().serves) serving().open(main);
  else callOnce(main);
}
