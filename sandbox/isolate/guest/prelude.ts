/**
 * The platform inside an isolate, as far as every program has it: a core whose modules are evaluated at once, and the
 * borders at which all others are, when a program first comes there (`globals.ts`, and each `require` in a function).
 * `console.log('hello')` takes one module more, an empty program none.
 *
 * Evaluating it makes all that no program and no host differ in, so that a snapshot of V8's can hold the outcome with
 * the modules of `ahead` (`prelude.ts` of the host); `boot` adds the rest, once in every fresh context.
 */
import { invalidArgument } from './arguments.ts';
import { installGlobals } from './globals.ts';
import { connect, type Entries, type HostCall, type ModuleBindings, nextTurn } from './host.ts';
import { installProxy, noteGlobals } from './inspect-start.ts';
import { installOutliving } from './outliving.ts';
import { exitCode, setStart, startInfo } from './program.ts';
import { installWebAssembly } from './webassembly.ts';

const errors = () => require('./errors.ts') as typeof import('./errors.ts');
const main = () => require('./main.ts') as typeof import('./main.ts');
const modules = () => require('./modules.ts') as typeof import('./modules.ts');
const serving = () => require('./serving.ts') as typeof import('./serving.ts');
const timers = () => require('./timers.ts') as typeof import('./timers.ts');
const fetching = () => require('./web/fetch.ts') as typeof import('./web/fetch.ts');

/** What nearly every program of a server uses, and what those that answer requests do. */
const aheadOfAll = ['console', 'errors', 'function', 'main', 'modules', 'pacing', 'serving', 'timers'];
const aheadOfWeb = ['exchange', 'web/fetch'];

/** Evaluates what a snapshot is to hold beside the core. */
export function ahead(web: boolean): void {
  for (const module of web ? [...aheadOfAll, ...aheadOfWeb] : aheadOfAll) require(module);
}

function queueMicrotask(callback: () => void): void {
  if (typeof callback !== 'function') throw invalidArgument('callback', 'of type function', callback);
  void Promise.resolve().then(() => {
    try {
      callback();
    } catch (error) {
      errors().reportWhereMade(error);
    }
  });
}

function setTimeout(callback: unknown, delay?: unknown, ...args: unknown[]): object {
  return timers().setTimeout(callback, delay, ...args);
}

function setInterval(callback: unknown, delay?: unknown, ...args: unknown[]): object {
  return timers().setInterval(callback, delay, ...args);
}

function clearTimeout(timer: unknown): void {
  timers().clearTimer(timer);
}

function clearInterval(timer: unknown): void {
  timers().clearTimer(timer);
}

let hasBegun = false;
let isModule = false;

const entries: Entries = {
  fire: () => timers().fire(),
  deliver: (id, ok, head, body) => fetching().deliver(id, ok, head, body),
  input: (text) => main().input(text),
  calls: (...fields) => serving().calls(...fields),
  opening: (id) => modules().opening(id),
  importedBefore: (id, first) => modules().importedBefore(id, first),
  importFailed: (id, failure) => modules().importFailed(id, failure),
  unhandled: (failure) => modules().unhandled(failure),
  hasBegun: () => hasBegun,
  exitCode: () => (isModule ? main().finalExitCode() : exitCode()),
};

const bindings: ModuleBindings = {
  script,
  importer: (referrer) => modules().importer(referrer),
  meta: (file, url, isMain) => modules().meta(file, url, isMain),
  imported: (id, namespace) => modules().imported(id, namespace),
  evaluated: (namespace) => modules().evaluated(namespace),
};

/**
 * Runs a CommonJS body, which is known to compile by now, without `require`: `this` is an empty object, as
 * `module.exports` would be.
 */
function script(body: (importModule: unknown) => unknown): void {
  hasBegun = true;
  try {
    body.call({}, async (specifier: unknown) => modules().importer(startInfo().entry)(specifier));
  } catch (error) {
    errors().reportUncaught(error);
  }
}

function format(error: object, sites: NodeJS.CallSite[]): string {
  return errors().format(error, sites);
}

Object.defineProperty(Error, 'prepareStackTrace', { value: format, writable: true, configurable: true });
installGlobals(globalThis, { queueMicrotask, setTimeout, setInterval, clearTimeout, clearInterval });
Object.defineProperty(globalThis, Symbol.for('prisn.module'), { value: bindings });
installOutliving(globalThis);
// Last: what prisn itself makes of a proxy is not shown as one.
installProxy(globalThis);

type Enter = (name: keyof Entries, ...args: unknown[]) => unknown;

/**
 * What a context is entered by. V8 adds some of its own globals to a context only after those of its snapshot, so what
 * changes them is done here.
 * @param ask calls a function of the host by its place in `hostFunctions` and has its answer
 * @param tell the same without an answer, which is quicker
 * @param start JSON of a `Start`
 * @param ofModule whether the program is an ES module: what it needs is evaluated before it can change a builtin
 * @param body of the request that the program answers, where it is no text
 * @param gate from now on each write is held back while the word behind this is 1
 */
export function boot(
  ask: HostCall,
  tell: HostCall,
  start: string,
  ofModule: boolean,
  body?: Uint8Array,
  gate?: SharedArrayBuffer,
): Enter {
  connect(ask, tell);
  setStart(start, body);
  noteGlobals();
  installWebAssembly(globalThis);
  isModule = ofModule;
  if (ofModule) modules();
  if (gate) (require('./pacing.ts') as typeof import('./pacing.ts')).pace(gate);
  return (name, ...args) => {
    nextTurn();
    return (entries[name] as (...args: unknown[]) => unknown)(...args);
  };
}
