/** What a default export can be called as. */

/** What was asked for before, since the text of a function is as long as that. */
const known = new WeakMap<object, boolean>();

/** A function that may be called as it is, or undefined: a class may not. */
export function callable(value: unknown): ((...args: unknown[]) => unknown) | undefined {
  if (typeof value !== 'function') return undefined;
  let isCallable = known.get(value);
  if (isCallable === undefined) {
    isCallable = !/^class\b/.test(Function.prototype.toString.call(value));
    known.set(value, isCallable);
  }
  return isCallable ? (value as (...args: unknown[]) => unknown) : undefined;
}

/** Whether it answers requests by a method `fetch`. */
export function hasFetch(main: unknown): main is { readonly fetch: (...args: unknown[]) => unknown } {
  const isObject = (typeof main === 'object' && main !== null) || typeof main === 'function';
  return isObject && typeof (main as { fetch?: unknown }).fetch === 'function';
}
