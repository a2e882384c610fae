/**
 * Ids ordered by time and unique for good: 48 bits of milliseconds, then 80 random bits, in Crockford's base 32, as a
 * ULID (https://github.com/ulid/spec) but in lower case and with a prefix that names the kind.
 */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const randomLength = 16;

export type IdKind = 'exec' | 'dep';

/** @returns such as `exec-01kb3v9m3q8j0r6s1t2v3w4x5y` */
export function newId(kind: IdKind, nowMs = Date.now()): string {
  return idOf(kind, nowMs, randomDigits());
}

/** Ids each of which sorts after the one before: also within a millisecond, and when the clock goes back. */
export class IdSequence {
  #ms = 0;
  #digits: number[] = [];

  next(kind: IdKind, nowMs: number): string {
    if (nowMs > this.#ms || !increase(this.#digits)) {
      this.#ms = Math.max(nowMs, this.#ms + 1);
      this.#digits = randomDigits();
    }
    return idOf(kind, this.#ms, this.#digits);
  }
}

function idOf(kind: IdKind, ms: number, digits: readonly number[]): string {
  let time = '';
  for (let rest = ms, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = alphabet.charAt(rest % 32) + time;
  return `${kind}-${time}${digits.map((digit) => alphabet.charAt(digit)).join('')}`;
}

/** Asked for by the hundred: one question costs ten times as much as the sixteen bytes of an id. */
const random = new Uint8Array(128 * randomLength);
let used = random.length;

function randomDigits(): number[] {
  if (used === random.length) {
    crypto.getRandomValues(random);
    used = 0;
  }
  return Array.from(random.subarray(used, (used += randomLength)), (byte) => byte % 32);
}

/** Adds one. @returns false when there is no greater number of so many digits */
function increase(digits: number[]): boolean {
  for (let i = digits.length - 1; i >= 0; i--) {
    const digit = digits[i] ?? 0;
    digits[i] = (digit + 1) % 32;
    if (digit < 31) return true;
  }
  return false;
}
