/**
 * The platform's globals, each behind a getter: a module is evaluated when a program first names what it defines, so a
 * program that names nothing pays for nothing. The first read, or an assignment, makes it a plain property.
 */

/** In the order of node's own globals, with the module that exports it; `listed` ones are enumerable there. */
const globals: readonly (readonly [name: string, module: string, listed?: 'listed'])[] = [
  ['console', 'console'],
  ['process', 'process'],
  ['URL', 'web/url'],
  ['URLSearchParams', 'web/url-search-params'],
  ['DOMException', 'web/dom-exception'],
  ['QuotaExceededError', 'web/dom-exception'],
  ['AbortController', 'web/abort'],
  ['AbortSignal', 'web/abort'],
  ['Event', 'web/event'],
  ['EventTarget', 'web/event-target'],
  ['CustomEvent', 'web/event'],
  ['TextEncoder', 'web/encoding'],
  ['TextDecoder', 'web/encoding'],
  ['structuredClone', 'web/clone', 'listed'],
  ['atob', 'web/base64', 'listed'],
  ['btoa', 'web/base64', 'listed'],
  ['Blob', 'web/blob'],
  ['File', 'web/blob'],
  ['Performance', 'web/performance'],
  ['PerformanceEntry', 'web/performance'],
  ['PerformanceMark', 'web/performance'],
  ['PerformanceMeasure', 'web/performance'],
  ['performance', 'web/performance', 'listed'],
  ['fetch', 'web/fetch', 'listed'],
  ['FormData', 'web/form-data'],
  ['Headers', 'web/headers'],
  ['Request', 'web/request'],
  ['Response', 'web/response'],
  ['crypto', 'web/crypto', 'listed'],
  ['Crypto', 'web/crypto'],
];

const { defineProperty } = Object;
const { get: read } = Reflect;

let plain: Readonly<Record<string, unknown>>;

/** @param values those that are there from the start, enumerable */
export function installGlobals(global: object, values: Readonly<Record<string, unknown>>): void {
  plain = values;
  define(global, 'global', global, false);
  for (const name in values) define(global, name, values[name], true);
  for (let index = 0; index < globals.length; index++) {
    const [name, module, listed] = globals[index] as (typeof globals)[number];
    defineLate(global, name, module, listed !== undefined);
  }
}

/** The names that the platform adds to V8's. */
export function ownNames(): Set<string> {
  return new Set(['global', ...Object.keys(plain), ...globals.map(([name]) => name)]);
}

function define(global: object, name: string, value: unknown, enumerable: boolean): void {
  defineProperty(global, name, { value, enumerable, writable: true, configurable: true });
}

function defineLate(global: object, name: string, module: string, enumerable: boolean): void {
  const settle = (value: unknown): void => define(global, name, value, enumerable);
  defineProperty(global, name, {
    get: () => {
      const value: unknown = read(require(module) as object, name);
      if (typeof value === 'function') defineProperty(value, 'name', { value: name, configurable: true });
      settle(value);
      return value;
    },
    set: settle,
    enumerable,
    configurable: true,
  });
}
