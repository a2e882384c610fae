/**
 * Iteration over a list of name–value pairs, the same for `URLSearchParams`, `Headers` and `FormData`: live, by index,
 * with an iterator prototype of each interface's own. WebIDL 3.7.10.2.
 */
import { type Inspect, type InspectOptions, inspectSymbol, invalidArgument } from './interface.ts';

type Pair<V> = readonly [string, V];
type Kind = 'entries' | 'keys' | 'values';

const iteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object;

/**
 * Adds `entries`, `keys`, `values`, `forEach` and `Symbol.iterator` to an interface.
 *
 * @param listOf the current pairs of an object; throws for one that is not of the interface
 * @param node whether it looks as node's own code does it (URLSearchParams: its iterator shows what it still holds), not undici
 */
export function definePairs<T extends object, V>(
  type: { readonly prototype: T },
  name: string,
  listOf: (target: T) => readonly Pair<V>[],
  node: boolean,
): void {
  const Iterator = iteratorClass(name, listOf, node);
  const methods = {
    entries(this: T) {
      return new Iterator(this, 'entries');
    },
    forEach(this: T, callback: (value: V, key: string, target: T) => void, thisArg: unknown = undefined) {
      listOf(this);
      if (typeof callback !== 'function') throw notCallable(name, node, callback);
      for (let index = 0, list = listOf(this); index < list.length; index++, list = listOf(this)) {
        const [key, value] = list[index] as Pair<V>;
        callback.call(thisArg, value, key, this);
      }
    },
    keys(this: T) {
      return new Iterator(this, 'keys');
    },
    values(this: T) {
      return new Iterator(this, 'values');
    },
  };
  for (const [key, value] of Object.entries(methods)) define(type.prototype, key, value, true);
  define(type.prototype, Symbol.iterator, methods.entries, false);
}

function define(target: object, key: PropertyKey, value: unknown, enumerable: boolean): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true });
}

function notCallable(name: string, node: boolean, callback: unknown): Error {
  if (!node) return new TypeError(`Failed to execute 'forEach' on '${name}': parameter 1 is not of type 'Function'.`);
  return invalidArgument('callback', 'of type function', callback);
}

function iteratorClass<T extends object, V>(name: string, listOf: (target: T) => readonly Pair<V>[], node: boolean) {
  class PairIterator {
    readonly #target: T;
    readonly #kind: Kind;
    #index = 0;

    constructor(target: T, kind: Kind) {
      listOf(target);
      this.#target = target;
      this.#kind = kind;
    }

    next(): { value: unknown; done: boolean } {
      const list = listOf(this.#target);
      const pair = list[this.#index];
      if (pair === undefined) return { value: undefined, done: true };
      this.#index++;
      return { value: this.#pick(pair), done: false };
    }

    #pick(pair: Pair<V>): unknown {
      if (this.#kind === 'entries') return [...pair];
      return this.#kind === 'keys' ? pair[0] : pair[1];
    }

    static show(iterator: PairIterator, depth: number, options: InspectOptions, inspect: Inspect): string {
      if (depth < 0) return options.stylize?.('[Object]', 'special') ?? '[Object]';
      const rest = listOf(iterator.#target).slice(iterator.#index);
      const inner = { ...options, depth: depth - 1 };
      const output = rest.map((pair) => inspect(iterator.#pick(pair), inner));
      const wide = inspect(
        rest.map((pair) => iterator.#pick(pair)),
        inner,
      ).includes('\n');
      return `${name} Iterator {${wide ? `\n  ${output.join(',\n  ')}` : ` ${output.join(', ')}`} }`;
    }
  }
  const { prototype, show } = PairIterator;
  Object.setPrototypeOf(prototype, iteratorPrototype);
  Object.defineProperty(prototype, 'next', { enumerable: true });
  Reflect.deleteProperty(prototype, 'constructor');
  Object.defineProperty(prototype, Symbol.toStringTag, { value: `${name} Iterator`, configurable: true });
  if (node) {
    define(
      prototype,
      inspectSymbol,
      function inspectIterator(this: PairIterator, depth: number, options: InspectOptions, inspect: Inspect) {
        return show(this, depth, options, inspect);
      },
      false,
    );
  }
  return PairIterator;
}
