/** `FormData` (https://xhr.spec.whatwg.org/#interface-formdata) and its multipart form (HTML 4.10.21.7, RFC 7578). */
import { host } from '../host.ts';
import { Blob, blobBytes, File, joined } from './blob.ts';
import { encodeUtf8 } from './encoding.ts';
import { defineInterface, type Inspect, type InspectOptions, inspectSymbol, requireCount, usvString } from './interface.ts';
import { definePairs } from './pairs.ts';

type Value = string | File;

let entriesOf: (form: FormData) => [string, Value][];

export class FormData {
  static {
    entriesOf = (form) => form.#entries;
  }

  #entries: [string, Value][] = [];

  constructor(form: unknown = undefined) {
    if (form !== undefined) {
      throw new TypeError('FormData constructor: Argument 1 could not be converted to: undefined.');
    }
  }

  append(name: unknown, value: unknown, filename: unknown = undefined): void {
    requireCount(arguments.length, 2, 'FormData.append');
    this.#entries.push([usvString(name), entryValue(value, filename, arguments.length > 2, 'append')]);
  }

  delete(name: unknown): void {
    requireCount(arguments.length, 1, 'FormData.delete');
    const key = usvString(name);
    this.#entries = this.#entries.filter((entry) => entry[0] !== key);
  }

  get(name: unknown): Value | null {
    requireCount(arguments.length, 1, 'FormData.get');
    const key = usvString(name);
    return this.#entries.find((entry) => entry[0] === key)?.[1] ?? null;
  }

  getAll(name: unknown): Value[] {
    requireCount(arguments.length, 1, 'FormData.getAll');
    const key = usvString(name);
    return this.#entries.filter((entry) => entry[0] === key).map((entry) => entry[1]);
  }

  has(name: unknown): boolean {
    requireCount(arguments.length, 1, 'FormData.has');
    const key = usvString(name);
    return this.#entries.some((entry) => entry[0] === key);
  }

  set(name: unknown, value: unknown, filename: unknown = undefined): void {
    requireCount(arguments.length, 2, 'FormData.set');
    const key = usvString(name);
    const fresh: [string, Value] = [key, entryValue(value, filename, arguments.length > 2, 'set')];
    const first = this.#entries.findIndex((entry) => entry[0] === key);
    if (first < 0) this.#entries.push(fresh);
    else this.#entries = this.#entries.flatMap((entry, index) => (index === first ? [fresh] : entry[0] === key ? [] : [entry]));
  }

  [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): string {
    const fields: Record<string, Value | Value[]> = {};
    for (const [name, value] of this.#entries) {
      const known = Object.hasOwn(fields, name) ? fields[name] : undefined;
      fields[name] = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value];
    }
    return `FormData ${inspect(fields, { ...options, depth: options.depth ?? depth })}`;
  }
}
definePairs(FormData, 'FormData', entriesOf, false);
defineInterface(FormData, 'FormData');

/** A form as the body of a message. @returns its bytes and media type */
export function encodeForm(form: FormData): { bytes: Uint8Array<ArrayBuffer>; type: string } {
  const boundary = `----formdata-${host.uuid()}`;
  const parts = entriesOf(form).flatMap(([name, value]) => {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(name.replace(/\r\n?|\n/g, '\r\n'))}"`;
    if (typeof value === 'string') return [encodeUtf8(`${head}\r\n\r\n${value.replace(/\r\n?|\n/g, '\r\n')}\r\n`)];
    const type = value.type || 'application/octet-stream';
    return [
      encodeUtf8(`${head}; filename="${escaped(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`),
      blobBytes(value),
      encodeUtf8('\r\n'),
    ];
  });
  return { bytes: joined([...parts, encodeUtf8(`--${boundary}--\r\n`)]), type: `multipart/form-data; boundary=${boundary}` };
}

function escaped(name: string): string {
  return name.replaceAll('\n', '%0A').replaceAll('\r', '%0D').replaceAll('"', '%22');
}

function entryValue(value: unknown, filename: unknown, named: boolean, method: string): Value {
  if (!(value instanceof Blob)) {
    if (named)
      throw new TypeError(`FormData.${method}: Argument 2 ("${String(value)}") is not a Blob, and a file name needs one.`);
    return usvString(value);
  }
  if (value instanceof File && !named) return value;
  const name = named ? usvString(filename) : 'blob';
  const lastModified = value instanceof File ? value.lastModified : Date.now();
  return new File([value], name, { type: value.type, lastModified });
}
