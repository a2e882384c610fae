/**
 * `util.types` in JavaScript: node asks V8 what a value is, here a method of each type is asked to work on it, since it
 * refuses (throws) what lacks the type's internal slots. None of these methods runs code of the program.
 */

type Check = (value: unknown) => boolean;

const tagOf = Object.prototype.toString;
const { getPrototypeOf, getOwnPropertyDescriptor, isExtensible } = Object;
const isPrototypeOf = Object.prototype.isPrototypeOf;

/** A check that runs a brand-checking method or getter of the type. */
function slot(owner: object, key: PropertyKey, ...args: unknown[]): Check {
  const descriptor = getOwnPropertyDescriptor(owner, key);
  const method = (descriptor?.get ?? descriptor?.value) as (this: unknown, ...args: unknown[]) => unknown;
  return (value) => {
    if (isOrdinary(value)) return false;
    try {
      Reflect.apply(method, value, args);
      return true;
    } catch {
      return false;
    }
  };
}

/**
 * Whether a value is a plain object or an instance of a class that extends nothing: the common case, and a dozen checks in a
 * row, each of which would throw. (A Map whose prototype was replaced by such a class is taken for one.)
 */
function isOrdinary(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return !(Symbol.toStringTag in value) && isPrototypeOf.call(Object.prototype, value) && tagOf.call(value) === '[object Object]';
}

/** A check by V8's own tag, which a `Symbol.toStringTag` of the value hides. */
const tagged =
  (tag: string, otherwise: Check): Check =>
  (value) =>
    typeof value === 'object' && value !== null && (Symbol.toStringTag in value ? otherwise(value) : tagOf.call(value) === tag);

const inherits =
  (prototype: object): Check =>
  (value) =>
    isPrototypeOf.call(prototype, value as object);

const typedArrayTag = getOwnPropertyDescriptor(getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get as (
  this: unknown,
) => unknown;
const isTypedArray: Check = (value) => Reflect.apply(typedArrayTag, value, []) !== undefined;
const isArrayBuffer = slot(ArrayBuffer.prototype, 'byteLength');
const isSharedArrayBuffer =
  typeof SharedArrayBuffer === 'undefined' ? () => false : slot(SharedArrayBuffer.prototype, 'byteLength');
const isNumberObject = tagged('[object Number]', slot(Number.prototype, 'valueOf'));
const isStringObject = tagged('[object String]', slot(String.prototype, 'valueOf'));
const isBooleanObject = tagged('[object Boolean]', slot(Boolean.prototype, 'valueOf'));
const isBigIntObject = slot(BigInt.prototype, 'valueOf');
const isSymbolObject = slot(Symbol.prototype, 'valueOf');
const regExpSource = slot(RegExp.prototype, 'source');

const generator = getPrototypeOf(function* () {});
const asyncGenerator = getPrototypeOf(async function* () {});
const asyncFunction = getPrototypeOf(async () => {});
const isGenerator = inherits(generator);
const isAsyncGenerator = inherits(asyncGenerator);
const isPlainAsync = inherits(asyncFunction);

const { isError } = Error as unknown as { isError: Check };
export const mapIteratorPrototype: { next(): IteratorResult<unknown> } = getPrototypeOf(new Map().entries());
export const setIteratorPrototype: { next(): IteratorResult<unknown> } = getPrototypeOf(new Set().values());

/** `Promise.resolve` gives back a promise of that very constructor, and wraps everything else. */
function isPromise(value: unknown): boolean {
  if (!isPrototypeOf.call(Promise.prototype, value as object)) return false;
  const promise = value as Promise<unknown>;
  if (getPrototypeOf(promise) !== Promise.prototype || promise.constructor !== Promise) return value !== Promise.prototype;
  const resolved = Promise.resolve(promise);
  if (resolved === promise) return true;
  resolved.catch(() => {});
  return false;
}

/** The namespace object of a module: no prototype, sealed, and a tag that cannot be changed. */
function isModuleNamespaceObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || getPrototypeOf(value) !== null || isExtensible(value)) return false;
  const tag = getOwnPropertyDescriptor(value, Symbol.toStringTag);
  return tag?.value === 'Module' && !tag.writable && !tag.configurable;
}

/** What node's formatter takes from `internal/util/types`. */
export const types = {
  isAnyArrayBuffer: ((value) => isArrayBuffer(value) || isSharedArrayBuffer(value)) as Check,
  isArrayBuffer,
  isArgumentsObject: tagged('[object Arguments]', () => false),
  isAsyncFunction: ((value) => isPlainAsync(value) || isAsyncGenerator(value)) as Check,
  isGeneratorFunction: ((value) => isGenerator(value) || isAsyncGenerator(value)) as Check,
  isBigIntObject,
  isBooleanObject,
  isBoxedPrimitive: ((value) =>
    isNumberObject(value) ||
    isStringObject(value) ||
    isBooleanObject(value) ||
    isBigIntObject(value) ||
    isSymbolObject(value)) as Check,
  isDataView: ((value) => ArrayBuffer.isView(value) && !isTypedArray(value)) as Check,
  isDate: tagged('[object Date]', slot(Date.prototype, 'getTime')),
  isExternal: (() => false) as Check,
  isMap: slot(Map.prototype, 'size'),
  isMapIterator: inherits(mapIteratorPrototype),
  isModuleNamespaceObject,
  isNativeError: isError,
  isNumberObject,
  isPromise,
  isRegExp: tagged('[object RegExp]', (value) => value !== RegExp.prototype && regExpSource(value)),
  isSet: slot(Set.prototype, 'size'),
  isSetIterator: inherits(setIteratorPrototype),
  isStringObject,
  isTypedArray,
  isWeakMap: slot(WeakMap.prototype, 'has', {}),
  isWeakSet: slot(WeakSet.prototype, 'has', {}),
};
