/**
 * The web APIs as globals, each behind a getter: a file is evaluated when a program first names what it defines, so a
 * program that names nothing pays for nothing. The first read, or an assignment, makes it a plain property.
 */
import type { Entries } from '../host.ts';

type Load = () => object;

const abort: Load = () => require('./abort.ts') as object;
const base64: Load = () => require('./base64.ts') as object;
const blob: Load = () => require('./blob.ts') as object;
const clone: Load = () => require('./clone.ts') as object;
const crypto: Load = () => require('./crypto.ts') as object;
const domException: Load = () => require('./dom-exception.ts') as object;
const encoding: Load = () => require('./encoding.ts') as object;
const event: Load = () => require('./event.ts') as object;
const eventTarget: Load = () => require('./event-target.ts') as object;
const fetching = () => require('./fetch.ts') as typeof import('./fetch.ts');
const formData: Load = () => require('./form-data.ts') as object;
const headers: Load = () => require('./headers.ts') as object;
const performance: Load = () => require('./performance.ts') as object;
const request: Load = () => require('./request.ts') as object;
const response: Load = () => require('./response.ts') as object;
const url: Load = () => require('./url.ts') as object;
const urlSearchParams: Load = () => require('./url-search-params.ts') as object;

/** In the order of node's own globals; `listed` ones are enumerable there. */
const globals: readonly (readonly [name: string, load: Load, listed?: 'listed'])[] = [
  ['URL', url],
  ['URLSearchParams', urlSearchParams],
  ['DOMException', domException],
  ['QuotaExceededError', domException],
  ['AbortController', abort],
  ['AbortSignal', abort],
  ['Event', event],
  ['EventTarget', eventTarget],
  ['CustomEvent', event],
  ['TextEncoder', encoding],
  ['TextDecoder', encoding],
  ['structuredClone', clone, 'listed'],
  ['atob', base64, 'listed'],
  ['btoa', base64, 'listed'],
  ['Blob', blob],
  ['File', blob],
  ['Performance', performance],
  ['PerformanceEntry', performance],
  ['PerformanceMark', performance],
  ['PerformanceMeasure', performance],
  ['performance', performance, 'listed'],
  ['fetch', fetching, 'listed'],
  ['FormData', formData],
  ['Headers', headers],
  ['Request', request],
  ['Response', response],
  ['crypto', crypto, 'listed'],
  ['Crypto', crypto],
];

/** Defines every web API on the global object. */
export function installWebGlobals(global: object): void {
  for (const [name, load, listed] of globals) define(global, name, load, listed !== undefined);
}

function define(global: object, name: string, load: Load, enumerable: boolean): void {
  const settle = (value: unknown): void => {
    Object.defineProperty(global, name, { value, enumerable, writable: true, configurable: true });
  };
  Object.defineProperty(global, name, {
    get() {
      const value: unknown = Reflect.get(load(), name);
      if (typeof value === 'function') Object.defineProperty(value, 'name', { value: name, configurable: true });
      settle(value);
      return value;
    },
    set: settle,
    enumerable,
    configurable: true,
  });
}

/** Hands the answer to a fetch to the program. */
export const deliver: Entries['deliver'] = (id, ok, head, body) => fetching().deliver(id, ok, head, body);
