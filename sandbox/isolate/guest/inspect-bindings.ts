/**
 * What node's formatter expects around it: stand-ins for the internal modules that it requires and for its bindings to
 * V8. Only what it calls is here.
 *
 * JavaScript cannot see two things that V8 shows to node. A promise keeps its state to itself: it is shown as pending,
 * which is what a program that logs a promise mostly has. The entries left in a Map or Set iterator come out only by
 * taking them: they are taken, and given back by a `next` of the iterator's own.
 */
import { proxyDetails } from './inspect-start.ts';
import { mapIteratorPrototype, setIteratorPrototype, types } from './inspect-types.ts';
import { stringWidth } from './inspect-width.ts';

const allProperties = 0;
const onlyEnumerable = 2;
const pending = 0;
const rejected = 2;

/** Above this length an array's extra properties are not looked for: every index would become a string first. */
const maxIndices = 50_000;
const indexName = /^(?:0|[1-9]\d{0,9})$/;
const maxIndex = 2 ** 32 - 2;

const isIndex = (key: string) => indexName.test(key) && Number(key) <= maxIndex;

function ownNonIndexProperties(value: object, filter: number): PropertyKey[] {
  const { length } = value as { length: number };
  const keys = length > maxIndices ? Object.getOwnPropertySymbols(value) : Reflect.ownKeys(value);
  return keys.filter((key) => {
    if (typeof key === 'string' && isIndex(key)) return false;
    return filter === allProperties || Object.prototype.propertyIsEnumerable.call(value, key);
  });
}

/** Iterators that were looked into, with what they still have to give. */
const drained = new WeakMap<object, unknown[]>();

/** The entries left in an iterator, from the next one on. Later changes of its Map or Set do not reach it any more. */
function remaining(iterator: Iterator<unknown>): readonly unknown[] {
  const known = drained.get(iterator);
  if (known) return known;
  const { next } = types.isMapIterator(iterator) ? mapIteratorPrototype : setIteratorPrototype;
  const entries: unknown[] = [];
  if (!Object.isExtensible(iterator)) return entries;
  try {
    for (let step = next.call(iterator); !step.done; step = next.call(iterator)) entries.push(step.value);
  } catch {
    return entries; // inherits from the prototype, and is no iterator
  }
  drained.set(iterator, entries);
  const value = () => (entries.length > 0 ? { value: entries.shift(), done: false } : { value: undefined, done: true });
  Object.defineProperty(iterator, 'next', { value, writable: true, configurable: true });
  return entries;
}

const isPair = (entry: unknown) => Array.isArray(entry) && entry.length === 2;

/** For an iterator its entries, flat where they are pairs, and whether they are; undefined for a weak collection. */
function previewEntries(value: Iterator<unknown>, describe?: boolean): unknown {
  if (!types.isMapIterator(value) && !types.isSetIterator(value)) return [];
  const entries = remaining(value);
  if (!describe) return [...entries];
  const pairs = entries.length > 0 && entries.every(isPair);
  return [pairs ? entries.flat() : [...entries], pairs];
}

/** The class of an object that has no prototype, by its internal slots. */
function constructorName(value: object): string {
  if (typeof value === 'function') return 'Function';
  if (Array.isArray(value)) return 'Array';
  for (const [check, name] of classes) if (types[check](value)) return name;
  return 'Object';
}

const classes = [
  ['isMap', 'Map'],
  ['isSet', 'Set'],
  ['isDate', 'Date'],
  ['isRegExp', 'RegExp'],
  ['isNativeError', 'Error'],
  ['isWeakMap', 'WeakMap'],
  ['isWeakSet', 'WeakSet'],
  ['isDataView', 'DataView'],
  ['isArrayBuffer', 'ArrayBuffer'],
  ['isNumberObject', 'Number'],
  ['isStringObject', 'String'],
  ['isBooleanObject', 'Boolean'],
] as const satisfies readonly (readonly [keyof typeof types, string])[];

const bindings: Readonly<Record<string, object>> = {
  util: {
    constants: { ALL_PROPERTIES: allProperties, ONLY_ENUMERABLE: onlyEnumerable, kPending: pending, kRejected: rejected },
    getOwnNonIndexProperties: ownNonIndexProperties,
    getPromiseDetails: () => [pending, undefined],
    getProxyDetails(value: object, both = true) {
      const details = proxyDetails(value);
      if (details === undefined) return undefined;
      return both ? (details ?? [null, null]) : details && details[0];
    },
    previewEntries,
    getConstructorName: constructorName,
    getExternalValue: () => 0n,
  },
  config: { hasIntl: true },
  icu: { getStringWidth: stringWidth },
};

const colorCode = new RegExp(String.raw`\x1b\[\d\d?m`, 'g');

const isErrorLike = (value: unknown) => types.isNativeError(value) || value instanceof Error;

const modules: Readonly<Record<string, object>> = {
  'internal/util': {
    customInspectSymbol: Symbol.for('nodejs.util.inspect.custom'),
    isError: isErrorLike,
    join: (parts: readonly string[], separator: string) => parts.join(separator),
    removeColors: (text: string) => text.replace(colorCode, ''),
  },
  'internal/errors': {
    isStackOverflowError: (error: unknown) => error instanceof RangeError && error.message === 'Maximum call stack size exceeded',
  },
  'internal/util/types': types,
  'internal/assert': (value: unknown) => {
    if (!value) throw new Error('inspect: an invariant of the formatter does not hold');
  },
  'internal/bootstrap/realm': { BuiltinModule: { exists: () => true } },
  // The callers are ours: they pass what is asked for.
  'internal/validators': { kValidateObjectAllowArray: 1, validateObject() {}, validateString() {} },
  'internal/url': {
    get URL() {
      return (globalThis as { URL?: unknown }).URL;
    },
    pathToFileURL: (path: string) => ({ href: `file://${encodeURI(path)}` }),
  },
  buffer: {
    Buffer: {
      prototype: {
        hexSlice(this: Uint8Array, start: number, end: number) {
          return Array.from(this.subarray(start, end), (byte) => byte.toString(16).padStart(2, '0')).join('');
        },
      },
    },
  },
};

function found<T>(table: Readonly<Record<string, T>>, name: string): T {
  const entry = table[name];
  if (entry === undefined) throw new Error(`inspect: node's formatter asks for ${name}, which the guest does not have`);
  return entry;
}

/** `internalBinding` of node's sources. */
export const internalBinding = (name: string): object => found(bindings, name);

/** `require` of node's sources. */
export const internalRequire = (id: string): object => found(modules, id);
