/** A function that may be called as it is, or undefined: a class may not. */
export function callable(value: unknown): ((...args: unknown[]) => unknown) | undefined {
  const isFunction = typeof value === 'function' && !/^class\b/.test(Function.prototype.toString.call(value));
  return isFunction ? (value as (...args: unknown[]) => unknown) : undefined;
}
