/**
 * The platform's globals, each behind a getter: a module is evaluated when a program first names what it defines, so a
 * program that names nothing pays for nothing. The first read, or an assignment, makes it a plain property.
 */

/** Each name with the module that exports it, in the order of node's own globals; flat, as a list of lists takes longer to make. */
// biome-ignore format: a row each
const late = [
  'console', 'console',
  'process', 'process',
  'URL', 'web/url',
  'URLSearchParams', 'web/url-search-params',
  'DOMException', 'web/dom-exception',
  'QuotaExceededError', 'web/dom-exception',
  'AbortController', 'web/abort',
  'AbortSignal', 'web/abort',
  'Event', 'web/event',
  'EventTarget', 'web/event-target',
  'CustomEvent', 'web/event',
  'TextEncoder', 'web/encoding',
  'TextDecoder', 'web/encoding',
  'structuredClone', 'web/clone',
  'atob', 'web/base64',
  'btoa', 'web/base64',
  'Blob', 'web/blob',
  'File', 'web/blob',
  'Performance', 'web/performance',
  'PerformanceEntry', 'web/performance',
  'PerformanceMark', 'web/performance',
  'PerformanceMeasure', 'web/performance',
  'performance', 'web/performance',
  'fetch', 'web/fetch',
  'FormData', 'web/form-data',
  'Headers', 'web/headers',
  'Request', 'web/request',
  'Response', 'web/response',
  'crypto', 'web/crypto',
  'Crypto', 'web/crypto',
] as const;

/** Those that are enumerable in node. */
const listed: readonly string[] = ['structuredClone', 'atob', 'btoa', 'performance', 'fetch', 'crypto'];

const { defineProperty } = Object;
const { get: read } = Reflect;

let plain: Readonly<Record<string, unknown>>;

/** @param values those that are there from the start, enumerable */
export function installGlobals(global: object, values: Readonly<Record<string, unknown>>): void {
  plain = values;
  define(global, 'global', global, false);
  for (const name in values) define(global, name, values[name], true);
  for (let at = 0; at < late.length; at += 2) defineLate(global, late[at] as string, late[at + 1] as string);
}

/** The names that the platform adds to V8's. */
export function ownNames(): Set<string> {
  return new Set(['global', ...Object.keys(plain), ...late.filter((_, at) => at % 2 === 0)]);
}

function define(global: object, name: string, value: unknown, enumerable: boolean): void {
  defineProperty(global, name, { value, enumerable, writable: true, configurable: true });
}

function defineLate(global: object, name: string, module: string): void {
  const enumerable = listed.includes(name);
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
