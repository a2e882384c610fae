/** `crypto` without `subtle`. Web Cryptography 10: https://w3c.github.io/webcrypto/#crypto-interface */
import { host } from '../host.ts';
import { DOMException, QuotaExceededError } from './dom-exception.ts';
import { bytesOf, defineInterface, illegalConstructor, nodeError, requireArguments } from './interface.ts';

const made = Symbol('made by the platform');
const quotaBytes = 65_536;
const integers = new Set(
  ['Int8', 'Uint8', 'Uint8Clamped', 'Int16', 'Uint16', 'Int32', 'Uint32', 'BigInt64', 'BigUint64'].map((kind) => `${kind}Array`),
);
/** Reads the kind of a typed array from its internal slot. */
const kindOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get;

export class Crypto {
  // oxlint-disable-next-line no-unused-private-class-members -- the brand that `#check` looks for
  readonly #made = true;

  constructor(token: unknown = undefined) {
    if (token !== made) throw illegalConstructor();
  }

  getRandomValues<T>(array: T): T {
    Crypto.#check(this);
    requireArguments(arguments.length, 'array');
    if (!integers.has(kindOf?.call(array) as string)) {
      throw new DOMException('The data argument must be an integer-type TypedArray', 'TypeMismatchError');
    }
    const bytes = bytesOf(array as ArrayBufferView);
    if (bytes.length > quotaBytes) throw new QuotaExceededError('The requested length exceeds 65,536 bytes');
    if (bytes.length > 0) bytes.set(new Uint8Array(host.random(bytes.length)));
    return array;
  }

  randomUUID(): string {
    Crypto.#check(this);
    return host.uuid();
  }

  static #check(target: Crypto): void {
    const isCrypto = typeof target === 'object' && target !== null && #made in target;
    if (!isCrypto) throw nodeError(TypeError, 'ERR_INVALID_THIS', 'Value of "this" must be of type Crypto');
  }
}
defineInterface(Crypto, 'Crypto');

export const crypto: Crypto = new Crypto(made);
