/** `DOMException` and `QuotaExceededError`. WebIDL 2.8.1, 3.14: https://webidl.spec.whatwg.org/#idl-DOMException */
import { defineConstants, defineInterface } from './interface.ts';

/** The names that have a code, in the order of the codes from 1; a name without one is no longer in use. */
const constants: readonly (readonly [constant: string, name?: string])[] = [
  ['INDEX_SIZE_ERR', 'IndexSizeError'],
  ['DOMSTRING_SIZE_ERR'],
  ['HIERARCHY_REQUEST_ERR', 'HierarchyRequestError'],
  ['WRONG_DOCUMENT_ERR', 'WrongDocumentError'],
  ['INVALID_CHARACTER_ERR', 'InvalidCharacterError'],
  ['NO_DATA_ALLOWED_ERR'],
  ['NO_MODIFICATION_ALLOWED_ERR', 'NoModificationAllowedError'],
  ['NOT_FOUND_ERR', 'NotFoundError'],
  ['NOT_SUPPORTED_ERR', 'NotSupportedError'],
  ['INUSE_ATTRIBUTE_ERR', 'InUseAttributeError'],
  ['INVALID_STATE_ERR', 'InvalidStateError'],
  ['SYNTAX_ERR', 'SyntaxError'],
  ['INVALID_MODIFICATION_ERR', 'InvalidModificationError'],
  ['NAMESPACE_ERR', 'NamespaceError'],
  ['INVALID_ACCESS_ERR', 'InvalidAccessError'],
  ['VALIDATION_ERR'],
  ['TYPE_MISMATCH_ERR', 'TypeMismatchError'],
  ['SECURITY_ERR', 'SecurityError'],
  ['NETWORK_ERR', 'NetworkError'],
  ['ABORT_ERR', 'AbortError'],
  ['URL_MISMATCH_ERR', 'URLMismatchError'],
  ['QUOTA_EXCEEDED_ERR', 'QuotaExceededError'],
  ['TIMEOUT_ERR', 'TimeoutError'],
  ['INVALID_NODE_TYPE_ERR', 'InvalidNodeTypeError'],
  ['DATA_CLONE_ERR', 'DataCloneError'],
];

interface State {
  readonly name: string;
  readonly message: string;
}

const states = new WeakMap<object, State>();

function stateOf(exception: object): State {
  const state = states.get(exception);
  if (state === undefined) throw new TypeError('Value of "this" must be of DOMException');
  return state;
}

export class DOMException {
  /** Returns an object that `new Error` made, so that it is an error to V8 too, while the class extends nothing. */
  constructor(message: unknown = '', options: unknown = 'Error') {
    const self: object = Object.setPrototypeOf(new Error(), new.target.prototype);
    const named = typeof options === 'object' && options !== null ? (options as { name?: unknown; cause?: unknown }) : undefined;
    states.set(self, { message: `${message as string}`, name: `${(named ? named.name : options) as string}` });
    if (named && 'cause' in named) {
      Object.defineProperty(self, 'cause', { value: named.cause, writable: true, configurable: true });
    }
    return self as DOMException;
  }

  get name(): string {
    return stateOf(this).name;
  }

  get message(): string {
    return stateOf(this).message;
  }

  get code(): number {
    const { name } = stateOf(this);
    return constants.findIndex((constant) => constant[1] === name) + 1;
  }
}
Object.setPrototypeOf(DOMException.prototype, Error.prototype);
defineInterface(DOMException, 'DOMException');
defineConstants(
  [DOMException, DOMException.prototype],
  Object.fromEntries(constants.map(([constant], index) => [constant, index + 1])),
);

interface QuotaOptions {
  readonly quota?: unknown;
  readonly requested?: unknown;
}

/** https://webidl.spec.whatwg.org/#quotaexceedederror */
export class QuotaExceededError extends DOMException {
  readonly #quota: number | null;
  readonly #requested: number | null;

  constructor(message: unknown = '', options: QuotaOptions = {}) {
    super(message, 'QuotaExceededError');
    this.#quota = amount(options?.quota, 'quota');
    this.#requested = amount(options?.requested, 'requested');
    if (this.#quota !== null && this.#requested !== null && this.#requested < this.#quota) {
      throw new RangeError('options.requested must not be less than options.quota');
    }
  }

  get quota(): number | null {
    return this.#quota;
  }

  get requested(): number | null {
    return this.#requested;
  }
}
defineInterface(QuotaExceededError, 'QuotaExceededError');

function amount(value: unknown, field: string): number | null {
  if (value === undefined) return null;
  const number = Number(value);
  if (!Number.isFinite(number))
    throw new TypeError(`Cannot convert options.${field} to a double: the value is ${Number.isNaN(number) ? 'NaN' : 'Infinity'}`);
  if (number < 0) throw new RangeError(`options.${field} must not be negative`);
  return number;
}
