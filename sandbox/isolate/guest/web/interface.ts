/**
 * What the web interfaces have in common: how WebIDL makes a class look, how arguments are converted, node's errors.
 *
 * State lives in `#private` fields; code outside of a class reaches it by a function that a static block hands out, so
 * that nothing of it shows on the objects that a program holds. WebIDL 3.7: https://webidl.spec.whatwg.org/
 */

/** A method of this name returns what `console.log` shows. */
export const inspectSymbol: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never;

export interface InspectOptions {
  readonly depth?: number | null;
  readonly breakLength?: number;
  readonly stylize?: (text: string, style: string) => string;
}

export type Inspect = (value: unknown, options: InspectOptions) => string;

/** The options for what stands one level below. */
export function deeper(options: InspectOptions): InspectOptions {
  return typeof options.depth === 'number' ? { ...options, depth: options.depth - 1 } : options;
}

/** Gives a class its name (a bundler may change it), its `Symbol.toStringTag` and enumerable members. */
export function defineInterface(type: { readonly prototype: object }, name: string, hidden: readonly string[] = []): void {
  Object.defineProperty(type, 'name', { value: name, configurable: true });
  Object.defineProperty(type.prototype, Symbol.toStringTag, { value: name, configurable: true });
  const list = (holder: object, ...unlisted: string[]): void => {
    for (const key of Object.getOwnPropertyNames(holder)) {
      if (!unlisted.includes(key) && !hidden.includes(key)) Object.defineProperty(holder, key, { enumerable: true });
    }
  };
  list(type, 'length', 'name', 'prototype');
  list(type.prototype, 'constructor');
}

/** Constants of an interface: on the class and on its prototype, read-only. */
export function defineConstants(holders: readonly object[], constants: Readonly<Record<string, number>>): void {
  for (const holder of holders) {
    for (const [key, value] of Object.entries(constants)) Object.defineProperty(holder, key, { value, enumerable: true });
  }
}

/** An error as node makes its own: `code`, and the code in brackets wherever the error is shown. */
export function nodeError(type: ErrorConstructor, code: string, message: string): Error {
  const error = new type(message);
  const { name } = error;
  Object.defineProperty(error, 'name', { value: `${name} [${code}]`, configurable: true });
  void error.stack; // V8 writes the first line when the stack is first read
  Reflect.deleteProperty(error, 'name');
  Object.defineProperty(error, 'toString', {
    value: () => `${name} [${code}]: ${error.message}`,
    configurable: true,
    writable: true,
  });
  return Object.assign(error, { code });
}

/** Throws node's `ERR_MISSING_ARGS` where fewer arguments came than there are names. */
export function requireArguments(given: number, ...names: string[]): void {
  if (given >= names.length) return;
  const quoted = names.map((name) => `"${name}"`).join(' and ');
  throw nodeError(TypeError, 'ERR_MISSING_ARGS', `The ${quoted} argument${names.length > 1 ? 's' : ''} must be specified`);
}

/** The same in the words of fetch's interfaces. */
export function requireCount(given: number, needed: number, where: string): void {
  if (given >= needed) return;
  const plural = needed === 1 ? '' : 's';
  throw new TypeError(`${where}: ${needed} argument${plural} required, but${given ? ' only' : ''} ${given} found.`);
}

/** Node's `ERR_INVALID_ARG_TYPE`; `expected` such as `of type object` or `an instance of Event`. */
export function invalidArgument(name: string, expected: string, value: unknown): Error {
  const kind = name.includes('.') ? 'property' : 'argument';
  return nodeError(TypeError, 'ERR_INVALID_ARG_TYPE', `The "${name}" ${kind} must be ${expected}. Received ${received(value)}`);
}

function received(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'function') return `function ${value.name}`;
  if (typeof value === 'object') {
    return value.constructor?.name ? `an instance of ${value.constructor.name}` : Object.prototype.toString.call(value);
  }
  const text = typeof value === 'string' ? `'${value.length > 28 ? `${value.slice(0, 25)}...` : value}'` : String(value);
  return `type ${typeof value} (${text}${typeof value === 'bigint' ? 'n' : ''})`;
}

export function illegalConstructor(): Error {
  return nodeError(TypeError, 'ERR_ILLEGAL_CONSTRUCTOR', 'Illegal constructor');
}

/** WebIDL `USVString`: no lone surrogates. */
export function usvString(value: unknown): string {
  return `${value as string}`.toWellFormed();
}

/** WebIDL `sequence<T>` as far as node checks it: undefined for what cannot be iterated. */
export function sequence(value: unknown): unknown[] | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  return typeof (value as Iterable<unknown>)[Symbol.iterator] === 'function' ? [...(value as Iterable<unknown>)] : undefined;
}

export type BufferSource = ArrayBufferLike | ArrayBufferView;

export function isBufferSource(value: unknown): value is BufferSource {
  return ArrayBuffer.isView(value) || isArrayBuffer(value) || isShared(value);
}

export function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return hasSlot(value, ArrayBuffer.prototype);
}

function isShared(value: unknown): value is SharedArrayBuffer {
  return hasSlot(value, SharedArrayBuffer.prototype);
}

/** Whether `byteLength`, read as for an object of this kind, finds the internal slot. A look-alike has none. */
function hasSlot(value: unknown, prototype: object): boolean {
  if (typeof value !== 'object' || value === null) return false;
  try {
    Reflect.get(prototype, 'byteLength', value);
    return true;
  } catch {
    return false;
  }
}

/** The bytes of a buffer or of the part that a view shows, not copied. */
export function bytesOf(source: BufferSource): Uint8Array {
  return ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
}

/**
 * Bytes in a buffer of their own and of exactly their size, as they go to the host: isolated-vm copies the whole buffer
 * behind a view, and what is shared or resizable may change on the way.
 */
export function ownBytes(source: BufferSource): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytesOf(source));
}
