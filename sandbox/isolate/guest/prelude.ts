/**
 * The platform inside an isolate, bundled to one script (`bin/build.js`) that evaluates to `boot`.
 *
 * The host runs it once in every fresh context, so it does as little as it can: whatever a program may never touch
 * (inspection, URL, fetch …) sits behind a getter and is evaluated on first use. What is needed for `console.log('hello')`
 * is a few closures.
 */
import { invalidArgument } from './arguments.ts';
import { createConsole } from './console.ts';
import { installStackTraces, reportWhereMade } from './errors.ts';
import { type Entries, type Host, hostFunctions, setHost, type Start } from './host.ts';
import { installProxy } from './inspect-start.ts';
import { bindings, finalExitCode, importedBefore, importFailed, input, opening, runScript, unhandled } from './modules.ts';
import { pace } from './pacing.ts';
import { createProcess, setStart } from './process.ts';
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
  start(start: Start) {
    setStart(start);
    define('global', globalThis);
    define('console', createConsole());
    define('process', createProcess(start));
    define('queueMicrotask', queueMicrotask, true);
    define('setTimeout', setTimeout, true);
    define('setInterval', setInterval, true);
    define('clearTimeout', clearTimer('clearTimeout'), true);
    define('clearInterval', clearTimer('clearInterval'), true);
    Object.defineProperty(globalThis, Symbol.for('prisn.module'), { value: bindings });
    installWebGlobals(globalThis);
    installWebAssembly(globalThis);
    // Last: what prisn itself makes of a proxy is not shown as one.
    installProxy(globalThis);
  },
  pace,
  runScript,
  fire,
  deliver,
  input,
  opening,
  importedBefore,
  importFailed,
  unhandled,
  exitCode: finalExitCode,
};

type Enter = (name: keyof Entries, ...args: unknown[]) => unknown;

/** The value of the bundle: called by the host with its functions, in the order of `hostFunctions`. */
export function boot(...functions: unknown[]): Enter {
  setHost(Object.fromEntries(hostFunctions.map((name, index) => [name, functions[index]])) as unknown as Host);
  installStackTraces();
  return (name, ...args) => (entries[name] as (...args: unknown[]) => unknown)(...args);
}
