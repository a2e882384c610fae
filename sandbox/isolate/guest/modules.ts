/**
 * The guest's side of modules: running a script's body, `import()`, `import.meta`, and the default export.
 *
 * V8 gives an embedder callbacks for `import()` and `import.meta`, which isolated-vm does not hand on. The loader
 * therefore writes `$impt$` and `$importMeta` in their place (names of the same length, so that positions stay exact),
 * and the host puts a line before the module that binds both to this module's own.
 */
import { callable } from './callable.ts';
import { excerpt, onlyPlace, original, reportUncaught, reportUnhandled } from './errors.ts';
import { type Failure, host, type ModuleBindings } from './host.ts';
import { exitCode, startInfo } from './process.ts';

/** Taken before the program can replace them. */
const { parse, stringify } = JSON;

interface Import {
  readonly promise: Promise<object>;
  resolve(namespace: object | Promise<object>): void;
  reject(error: unknown): void;
  state: 'asked' | 'opening' | 'settled';
}

const imports = new Map<number, Import>();
let nextId = 0;

/** `import()` of one module. */
function importer(referrer: string): (specifier: unknown) => Promise<object> {
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
function meta(file: string, url: string, main: boolean): object {
  return Object.assign(Object.create(null), { dirname: file.replace(/\/[^/]*$/, '') || '/', filename: file, main, url });
}

function imported(id: number, namespace: object): void {
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
  else reportUnhandled(failure);
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
  reportUnhandled(failure);
  return false;
}

/** The error object itself where it is still known, else its like. */
function thrown(failure: Failure): unknown {
  if ('primitive' in failure) return failure.primitive;
  return original(failure.stack) ?? (failure.syntax === undefined ? new Error(failure.message) : new SyntaxError(failure.syntax));
}

/** A CommonJS body without `require`: `this` is an empty object, as `module.exports` would be. */
export function runScript(body: (importModule: unknown) => unknown): void {
  try {
    body.call({}, importer(startInfo().entry));
  } catch (error) {
    reportUncaught(error);
  }
}

/** What an ES module still waits for: its evaluation, then what its default export returned. */
const topLevelAwait = 'top-level await';
let awaited: string | undefined = topLevelAwait;

/** A default export that is a function is called with the input, and one that answers requests with the request. */
function evaluated(namespace: object): void {
  awaited = undefined;
  const { request } = startInfo();
  if (request) return void settled(() => (require('./function.ts') as typeof import('./function.ts')).answer(namespace, request));
  const main = callable((namespace as { default?: unknown }).default);
  if (main) void settled(() => callMain(main));
  else host.settled();
}

async function settled(work: () => Promise<void>): Promise<void> {
  awaited = 'promise of the default export';
  try {
    await work();
    awaited = undefined;
    host.settled();
  } catch (error) {
    reportUncaught(error);
  }
}

/** Characters of a result that are worth to be handed to the host, which counts bytes. */
const maxResultLength = 512 * 2 ** 10;

/** What the function returns is printed as JSON, or told to the host. */
async function callMain(main: (input: unknown, context: object) => unknown): Promise<void> {
  const { argv, env, input, returnsToHost } = startInfo();
  const text = input ?? (await readInput());
  const value = await main(text === undefined ? undefined : parse(text), { args: argv.slice(2), env });
  const json = toJson(value);
  if (json === undefined) return;
  if (returnsToHost) host.result(json.length > maxResultLength ? json.length : json);
  else host.write(1, `${json}\n`);
}

let answerInput: (text: string | undefined) => void;

function readInput(): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  answerInput = resolve;
  host.readInput();
  return promise;
}

export function input(text: string | undefined): void {
  answerInput(text);
}

function toJson(value: unknown): string | undefined {
  try {
    return stringify(value);
  } catch (error) {
    throw new TypeError(
      `the default export returned what JSON cannot hold: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

/** Exit code of node for a top-level await that never settles. */
const unsettled = 13;

/** The exit code at the program's natural end, when nothing can enter it any more. */
export function finalExitCode(): number {
  const code = exitCode();
  if (awaited === undefined || !startInfo().isModule || code !== 0) return code;
  const place = awaited === topLevelAwait ? excerpt(onlyPlace(/\bawait\b/)) : '';
  host.write(
    2,
    `Warning: Detected unsettled ${awaited} at ${place === '' ? `the end of ${startInfo().entry}\n` : `${place}\n\n`}`,
  );
  return unsettled;
}

export const bindings: Omit<ModuleBindings, 'script'> = { importer, meta, imported, evaluated };
