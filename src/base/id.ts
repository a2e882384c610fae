/**
 * Ids ordered by time and unique for good: 48 bits of milliseconds, then 80 random bits, in Crockford's base 32, as a
 * ULID (https://github.com/ulid/spec) but in lower case and with a prefix that names the kind.
 */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

export type IdKind = 'exec' | 'dep';

/** @returns such as `exec-01kb3v9m3q8j0r6s1t2v3w4x5y` */
export function newId(kind: IdKind, nowMs = Date.now()): string {
  let time = '';
  for (let rest = nowMs, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = alphabet.charAt(rest % 32) + time;
  const random = crypto.getRandomValues(new Uint8Array(16));
  return `${kind}-${time}${Array.from(random, (byte) => alphabet.charAt(byte % 32)).join('')}`;
}
