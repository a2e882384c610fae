/**
 * `structuredClone` (https://html.spec.whatwg.org/#structured-cloning) by V8's own serializer: whatever crosses the
 * border to the host and back is a clone.
 */
import { host } from '../host.ts';
import { DOMException } from './dom-exception.ts';
import { isArrayBuffer, requireArguments, sequence } from './interface.ts';

/**
 * @param options `transfer`: ArrayBuffers that are detached here afterwards
 * @throws DOMException `DataCloneError` for functions, symbols, proxies and the like; what a getter throws, as it is
 */
export function structuredClone(value: unknown, options?: unknown): unknown {
  requireArguments(arguments.length, 'value');
  const transfer = transferList(options);
  const copy = clone(value);
  for (const buffer of transfer) buffer.transfer();
  return copy;
}

function clone(value: unknown): unknown {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function' && typeof value !== 'symbol') return value;
  try {
    // In an array, since isolated-vm takes a bare argument apart by itself and aborts on kinds that it does not know.
    return (host.clone([value]) as [unknown])[0];
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error instanceof TypeError && error.message.endsWith('could not be cloned.')) {
      throw new DOMException(error.message, 'DataCloneError');
    }
    // Where the copy failed on the host's side (its nesting is too deep), the stack names files of the host.
    throw error.stack?.includes('isolated-vm boundary') ? new RangeError(error.message) : error;
  }
}

function transferList(options: unknown): ArrayBuffer[] {
  if (options == null) return [];
  if (typeof options !== 'object' && typeof options !== 'function') throw invalid('Options cannot be converted to a dictionary');
  const { transfer } = options as { transfer?: unknown };
  if (transfer === undefined) return [];
  const list = sequence(transfer);
  if (list === undefined) throw invalid('transfer in Options cannot be converted to sequence.');
  for (const [index, item] of list.entries()) {
    if (Object(item) !== item) throw invalid(`transfer in Options[${index}] is not an object.`);
    if (!isArrayBuffer(item)) throw new DOMException('Found invalid value in transferList.', 'DataCloneError');
    if (list.indexOf(item) !== index) throw new DOMException('Transfer list contains duplicate ArrayBuffer', 'DataCloneError');
    if (item.detached) throw new DOMException('Cannot transfer object of unsupported type.', 'DataCloneError');
  }
  return list as ArrayBuffer[];
}

function invalid(what: string): Error {
  return Object.assign(new TypeError(`Failed to execute 'structuredClone': ${what}`), { code: 'ERR_INVALID_ARG_TYPE' });
}
