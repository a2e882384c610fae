/**
 * Takes secrets out of output while it streams: every byte that belongs to a form of a secret (`forms.ts`) goes, and
 * each run of overlapping forms becomes `***`; all other bytes pass unchanged.
 *
 * All forms are sought at once by an automaton (Aho and Corasick, 1975): one state a prefix of a form, in time linear to
 * the output whatever is in it. The state says how many of the last bytes may yet become a secret; those wait for
 * the next chunk, and nothing else does, so at most the longest form less one byte is held.
 */
import { PrisnError } from '../base/error.ts';
import { formsOf } from './forms.ts';

/** A transition, its state and its byte, is a number of 31 bits. */
const maxStates = 2 ** 23;

const star = Buffer.from('***');

export interface Masker {
  /** @returns what may be shown now; it may share the chunk's memory */
  readonly write: (chunk: Uint8Array) => Uint8Array;
  /** @returns the rest, once the output has ended */
  readonly end: () => Uint8Array;
}

/** What is sought; made once for the secrets of a run, and used for each of its streams. */
export class Mask {
  readonly #automaton: Automaton | undefined;

  /**
   * @param values of the secrets; those shorter than four bytes are not masked
   * @throws PrisnError `too_large` for many of the largest that there can be
   */
  constructor(values: Iterable<Uint8Array | string>) {
    const forms = Array.from(values, (value) => formsOf(typeof value === 'string' ? Buffer.from(value) : value)).flat();
    this.#automaton = forms.length === 0 ? undefined : new Automaton(forms);
  }

  /** A masker for one stream. */
  stream(): Masker {
    const automaton = this.#automaton;
    if (automaton === undefined) return { write: (chunk) => chunk, end: () => new Uint8Array() };
    const masking = new Masking(automaton);
    return { write: (chunk) => masking.write(chunk), end: () => masking.end() };
  }

  /** A text that stands alone: a result, the message of an error. */
  text(text: string): string {
    if (this.#automaton === undefined) return text;
    const masking = new Masking(this.#automaton);
    return Buffer.concat([masking.write(Buffer.from(text)), masking.end()]).toString();
  }
}

class Masking {
  readonly #automaton: Automaton;
  #state = 0;
  /** The last bytes that were read and not yet given back. */
  #held: Uint8Array = new Uint8Array();
  /** Found forms, as ranges in `#held` and the chunk, disjoint and ascending. */
  #found: { readonly start: number; readonly end: number }[] = [];
  /** A range whose `***` is out already reaches so far into what is held. */
  #hiddenTo = 0;

  constructor(automaton: Automaton) {
    this.#automaton = automaton;
  }

  write(chunk: Uint8Array): Uint8Array {
    const held = this.#held.length;
    this.#state = this.#automaton.scan(this.#state, chunk, (end, length) => this.#add(held + end - length, held + end));
    const waiting = this.#automaton.waiting(this.#state);
    if (held === 0 && waiting === 0 && this.#found.length === 0 && this.#hiddenTo === 0) return chunk;
    const bytes = held === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    return this.#release(bytes, bytes.length - waiting);
  }

  end(): Uint8Array {
    this.#state = 0;
    return this.#release(this.#held, this.#held.length);
  }

  /** A later form may begin before an earlier one, but not before what was released. */
  #add(start: number, end: number): void {
    let first = start;
    for (let last = this.#found.at(-1); last !== undefined && last.end > start; last = this.#found.at(-1)) {
      first = Math.min(first, last.start);
      this.#found.pop();
    }
    this.#found.push({ start: first, end });
  }

  /** Gives back the bytes before `safe`; no form that is yet to be found reaches before it. */
  #release(bytes: Uint8Array, safe: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let done = Math.min(this.#hiddenTo, safe);
    let hiddenTo = this.#hiddenTo;
    const begun = this.#found.filter(({ start }) => start < safe);
    for (const { start, end } of begun) {
      if (start >= hiddenTo) parts.push(bytes.subarray(done, start), star);
      hiddenTo = Math.max(hiddenTo, end);
      done = Math.min(hiddenTo, safe);
    }
    parts.push(bytes.subarray(done, safe));
    this.#hiddenTo = Math.max(0, hiddenTo - safe);
    this.#found = this.#found.slice(begun.length).map(({ start, end }) => ({ start: start - safe, end: end - safe }));
    this.#held = new Uint8Array(bytes.subarray(safe));
    return Buffer.concat(parts);
  }
}

/**
 * States are numbers in the order of their depth, 0 the empty prefix. Transitions stand in one open hash table, since most
 * states have a single one; the empty prefix, where output without secrets stays, has a table of its own.
 */
class Automaton {
  readonly #waiting: Int32Array;
  /** The longest proper suffix that is a state too. */
  readonly #fail: Int32Array;
  /** Bytes of the longest form that ends here, 0 for none. */
  readonly #found: Int32Array;
  readonly #roots = new Int32Array(256);
  readonly #keys: Int32Array;
  readonly #targets: Int32Array;
  readonly #shift: number;
  #size = 1;

  constructor(forms: readonly Uint8Array[]) {
    const most = forms.reduce((sum, form) => sum + form.length, 1);
    if (most > maxStates)
      throw new PrisnError('too_large', 'the secrets of this run are too large to be masked in its output; give it fewer');
    const bits = Math.ceil(Math.log2(most)) + 1;
    this.#waiting = new Int32Array(most);
    this.#fail = new Int32Array(most);
    this.#found = new Int32Array(most);
    this.#keys = new Int32Array(2 ** bits).fill(-1);
    this.#targets = new Int32Array(2 ** bits);
    this.#shift = 32 - bits;
    this.#grow(forms);
  }

  /**
   * @param found is told where a form ends and how long it is, the longest of those that end there
   * @returns the state after the bytes
   */
  scan(from: number, bytes: Uint8Array, found: (end: number, length: number) => void): number {
    const [roots, lengths] = [this.#roots, this.#found];
    let state = from;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      state = state === 0 ? (roots[byte] as number) : this.#next(state, byte);
      const length = lengths[state] as number;
      if (length > 0) found(i + 1, length);
    }
    return state;
  }

  #next(from: number, byte: number): number {
    for (let state = from; state !== 0; state = this.#fail[state] as number) {
      const slot = this.#slot(state, byte);
      if (this.#keys[slot] !== -1) return this.#targets[slot] as number;
    }
    return this.#roots[byte] as number;
  }

  /** How many of the last bytes may be the beginning of a form that goes on. */
  waiting(state: number): number {
    return this.#waiting[state] as number;
  }

  /** All forms grow by one byte at a time, so where a new state falls back to is there already. */
  #grow(forms: readonly Uint8Array[]): void {
    let growing = forms.map((form) => ({ form, state: 0 }));
    for (let depth = 0; growing.length > 0; depth++) {
      for (const each of growing) {
        each.state = this.#child(each.state, each.form[depth] as number);
        if (each.form.length === depth + 1) this.#found[each.state] = depth + 1;
      }
      growing = growing.filter(({ form }) => form.length > depth + 1);
      for (const { state } of growing) this.#waiting[state] = depth + 1;
    }
    // A form that ends waits for nothing; its own end may be the beginning of another.
    for (let state = 1; state < this.#size; state++)
      this.#waiting[state] ||= this.#waiting[this.#fail[state] as number] as number;
  }

  #child(parent: number, byte: number): number {
    const slot = parent === 0 ? -1 : this.#slot(parent, byte);
    const known = parent === 0 ? this.#roots[byte] : this.#keys[slot] === -1 ? 0 : this.#targets[slot];
    if (known) return known;
    const state = this.#size++;
    const fail = parent === 0 ? 0 : this.#next(this.#fail[parent] as number, byte);
    this.#fail[state] = fail;
    this.#found[state] = this.#found[fail] as number;
    if (parent === 0) this.#roots[byte] = state;
    else [this.#keys[slot], this.#targets[slot]] = [parent * 256 + byte, state];
    return state;
  }

  /** Where the transition stands, or the free slot where it would. */
  #slot(state: number, byte: number): number {
    const key = state * 256 + byte;
    let slot = Math.imul(key, 0x9e3779b1) >>> this.#shift;
    while (this.#keys[slot] !== key && this.#keys[slot] !== -1) slot = (slot + 1) % this.#keys.length;
    return slot;
  }
}
