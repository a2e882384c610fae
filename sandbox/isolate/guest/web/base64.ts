/** `atob` and `btoa`. HTML 8.3: https://html.spec.whatwg.org/#atob, forgiving decode: https://infra.spec.whatwg.org/ */
import { DOMException } from './dom-exception.ts';
import { requireArguments } from './interface.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const notADigit = 64;
/** The value of each digit by its character code. */
const values = new Uint8Array(256).fill(notADigit);
for (let value = 0; value < alphabet.length; value++) values[alphabet.charCodeAt(value)] = value;

/** @throws DOMException `InvalidCharacterError` for a character above U+00FF */
export function btoa(input: unknown): string {
  requireArguments(arguments.length, 'input');
  const text = `${input as string}`;
  const codes = new Uint8Array(4 * Math.ceil(text.length / 3));
  for (let index = 0, at = 0; index < text.length; index += 3, at += 4) {
    const a = text.charCodeAt(index);
    const b = text.charCodeAt(index + 1);
    const c = text.charCodeAt(index + 2);
    if (a > 0xff || b > 0xff || c > 0xff) throw new DOMException('Invalid character', 'InvalidCharacterError');
    const bits = (a << 16) | (b << 8) | c; // NaN past the end counts as 0
    codes[at] = alphabet.charCodeAt(bits >> 18);
    codes[at + 1] = alphabet.charCodeAt((bits >> 12) & 63);
    codes[at + 2] = alphabet.charCodeAt((bits >> 6) & 63);
    codes[at + 3] = alphabet.charCodeAt(bits & 63);
  }
  const missing = (3 - (text.length % 3)) % 3;
  return latin1(codes).slice(0, codes.length - missing) + '='.repeat(missing);
}

/** @throws DOMException `InvalidCharacterError` for what is not base64 */
export function atob(input: unknown): string {
  requireArguments(arguments.length, 'input');
  let text = `${input as string}`.replace(/[\t\n\f\r ]/g, '');
  if (text.length % 4 === 0) text = text.replace(/={1,2}$/, '');
  const codes = new Uint8Array(Math.floor((text.length * 6) / 8));
  let at = 0;
  let bits = 0;
  for (let index = 0; index < text.length; index++) {
    const value = values[text.charCodeAt(index)] ?? notADigit;
    if (value === notADigit) throw new DOMException('Invalid character', 'InvalidCharacterError');
    bits = (bits << 6) | value;
    const spare = (index * 6 + 6) & 7;
    if (spare < 6) codes[at++] = bits >> spare;
  }
  if (text.length % 4 !== 1) return latin1(codes);
  throw new DOMException('The string to be decoded is not correctly encoded.', 'InvalidCharacterError');
}

/** A string of the characters with these codes; in pieces, since the stack bounds the arguments of a call. */
function latin1(codes: Uint8Array): string {
  let text = '';
  for (let index = 0; index < codes.length; index += 8192)
    text += Reflect.apply(String.fromCharCode, null, codes.subarray(index, index + 8192)) as string;
  return text;
}
