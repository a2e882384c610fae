/**
 * The forms in which a secret shows up in output: as it is, and as the common encoders write it.
 *
 * Base64 packs three bytes in four letters, so inside a longer text a value has three forms, one for each place of its
 * first byte in a group. The letters at its edges also hold bits of its neighbours and stay: at most six bits of the value.
 */

/** Shorter values are not masked: they would be found everywhere. */
export const minMaskedBytes = 4;

/**
 * @param value UTF-8 or any bytes; line ends around it do not count
 * @returns distinct byte strings of at least `minMaskedBytes`: of the value, and of each line of a longer one without the
 *   space around it; none for a value shorter than that
 */
export function formsOf(value: Uint8Array): Buffer[] {
  const whole = trimmed(Buffer.from(value), '\r\n');
  const texts = [...plainForms(whole), ...base64Forms(whole)];
  const lines = whole.toString('latin1').split(/[\r\n]+/);
  if (lines.length > 1) texts.push(...lines.flatMap((line) => plainForms(trimmed(Buffer.from(line, 'latin1'), ' \t'))));
  return [...new Set(texts)].map((text) => Buffer.from(text, 'latin1')).filter(({ length }) => length >= minMaskedBytes);
}

/** All forms are texts of one letter a byte. */
function plainForms(piece: Buffer): string[] {
  return piece.length < minMaskedBytes ? [] : [piece.toString('latin1'), ...urlForms(piece), ...jsonForms(piece)];
}

function base64Forms(piece: Buffer): string[] {
  if (piece.length < minMaskedBytes) return [];
  const forms = [0, 1, 2].flatMap((before) => {
    const letters = Buffer.concat([Buffer.alloc(before), piece]).toString('base64');
    const own = letters.slice(Math.ceil((before * 8) / 6), Math.floor(((before + piece.length) * 8) / 6));
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
  // What MIME (RFC 2045) and base64(1) write of a longer value, and PEM (RFC 7468).
  const wrapped = [76, 64].map((width) => (forms[0] ?? '').replace(new RegExp(`.{${width}}(?=.)`, 'g'), '$&\n'));
  return [...forms, ...wrapped];
}

/** What encoders leave as it is, besides letters and digits. */
const unescapedSets = [
  /** RFC 3986, section 2.3. */
  '-_.~',
  /** ECMA-262, encodeURIComponent. */
  "-_.!~*'()",
  /** WHATWG URL, application/x-www-form-urlencoded. */
  '-_.*',
  /** Paths, as `quote` of Python. */
  '-_.~/',
  /** ECMA-262, encodeURI. */
  "-_.!~*'();/?:@&=+$,#",
] as const;

const escapes = unescapedSets.map((unescaped) =>
  Array.from({ length: 256 }, (_, byte) => {
    const letter = String.fromCharCode(byte);
    return /[A-Za-z0-9]/.test(letter) || unescaped.includes(letter)
      ? letter
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }),
);

/** Long values are rarely part of an address; their many forms would cost megabytes. */
const longBytes = 4096;

function urlForms(piece: Buffer): string[] {
  const used = piece.length > longBytes ? escapes.slice(0, 2) : escapes;
  const forms = new Set(used.map((escape) => Array.from(piece, (byte) => escape[byte]).join('')));
  const all = [...forms].flatMap((form) => [form, form.replaceAll('%20', '+')]);
  return all.flatMap((form) => [form, form.replace(/%../g, (each) => each.toLowerCase())]);
}

/**
 * As JavaScript writes JSON, as Python does (ASCII only), and as Go does (safe in HTML); and as values are shown in source
 * form, by console.log in JavaScript and repr in Python, which escape no quotes but those around.
 */
function jsonForms(piece: Buffer): string[] {
  const text = piece.toString('utf8');
  if (!Buffer.from(text).equals(piece)) return [];
  const json = JSON.stringify(text).slice(1, -1);
  const escape = (letter: string): string => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
  const forms = [json, json.replace(/[^ -~]/g, escape), json.replace(/[<>&\u2028\u2029]/g, escape)];
  const shown = json.replaceAll('\\"', '"');
  return [...forms, shown, shown.replaceAll("'", "\\'")].map((form) => Buffer.from(form).toString('latin1'));
}

function trimmed(bytes: Buffer, letters: string): Buffer {
  let [start, end] = [0, bytes.length];
  while (start < end && letters.includes(String.fromCharCode(bytes[start] ?? 0))) start++;
  while (end > start && letters.includes(String.fromCharCode(bytes[end - 1] ?? 0))) end--;
  return bytes.subarray(start, end);
}
