/**
 * The platform inside an isolate, bundled to one script (`bin/build.js`) that evaluates to `boot`.
 *
 * Evaluating it makes all that no program and no host differ in, so that a snapshot of V8's can hold the outcome
 * (`prelude.ts` of the host); `boot` adds the rest, once in every fresh context. Both do as little as they can: whatever a
 * program may never touch (inspection, URL, fetch …) sits behind a getter and is evaluated on first use. What is needed
 * for `console.log('hello')` is a few closures.
 */
import { invalidArgument } from './arguments.ts';
import { createConsole } from './console.ts';
import { installStackTraces, reportWhereMade } from './errors.ts';
import { connect, type Entries, type HostCall, nextTurn, type Start } from './host.ts';
import { installProxy, noteLateBuiltins, noteOwnGlobals } from './inspect-start.ts';
import { finalExitCode, input } from './main.ts';
import { bindings, importedBefore, importFailed, opening, runScript, unhandled } from './modules.ts';
import { installOutliving } from './outliving.ts';
import { pace } from './pacing.ts';
import { createProcess, setStart } from './process.ts';
import { calls } from './serving.ts';
import { clearTimer, fire, setInterval, setTimeout } from './timers.ts';
import { deliver, installWebGlobals } from './web/globals.ts';
import { installWebAssembly } from './webassembly.ts';

function define(name: string, value: unknown, enumerable = false): void {
  Object.defineProperty(globalThis, name, { value, enumerable, writable: true, configurable: true });
}

function queueMicrotask(callback: () => void): void {
  if (typeof callback !== 'function') throw invalidArgument('callback', 'of type function', callback);
  void Promise.resolve().then(() => {
    try {
      callback();
    } catch (error) {
      reportWhereMade(error);
    }
  });
}

const entries: Entries = {
  fire,
  deliver,
  input,
  calls,
  opening,
  importedBefore,
  importFailed,
  unhandled,
  hasBegun: () => hasBegun,
  exitCode: finalExitCode,
};

let hasBegun = false;

/** The body of the program's script is known to compile, and is run. */
function script(body: (importModule: unknown) => unknown): void {
  hasBegun = true;
  runScript(body);
}

installStackTraces();
define('global', globalThis);
define('console', createConsole());
define('process', undefined);
define('queueMicrotask', queueMicrotask, true);
define('setTimeout', setTimeout, true);
define('setInterval', setInterval, true);
define('clearTimeout', clearTimer('clearTimeout'), true);
define('clearInterval', clearTimer('clearInterval'), true);
Object.defineProperty(globalThis, Symbol.for('prisn.module'), { value: { ...bindings, script } });
installWebGlobals(globalThis);
installOutliving(globalThis);
// Last: what prisn itself makes of a proxy is not shown as one.
installProxy(globalThis);
noteOwnGlobals();

type Enter = (name: keyof Entries, ...args: unknown[]) => unknown;

/**
 * The value of the bundle. V8 adds some of its own globals to a context only after those of its snapshot, so what changes
 * them is done here.
 * @param ask calls a function of the host by its place in `hostFunctions` and has its answer
 * @param tell the same without an answer, which is quicker
 * @param gate from now on each write is held back while the word behind this is 1
 */
export function boot(ask: HostCall, tell: HostCall, start: Start, gate?: SharedArrayBuffer): Enter {
  connect(ask, tell);
  noteLateBuiltins();
  setStart(start);
  define('process', createProcess(start));
  installWebAssembly(globalThis);
  if (gate) pace(gate);
  return (name, ...args) => {
    nextTurn();
    return (entries[name] as (...args: unknown[]) => unknown)(...args);
  };
}
