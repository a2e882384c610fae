import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { formsOf } from '../../src/secrets/forms.ts';
import { Mask } from '../../src/secrets/mask.ts';

const secret = 'p&ss wörd/"x"+\\~';
const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** What a mask gives out for these chunks, each overwritten once it was taken, as the memory of a pipe would be. */
function masked(mask: Mask, chunks: readonly Uint8Array[]): Buffer {
  const masker = mask.stream();
  const parts = chunks.map((chunk) => {
    const lent = Buffer.from(chunk);
    const part = Buffer.from(masker.write(lent));
    lent.fill(0);
    return part;
  });
  return Buffer.concat([...parts, masker.end()]);
}

/** The same by the plainest means: all places of all forms, overlapping ones joined. */
function expected(values: readonly Uint8Array[], text: Buffer): string {
  const ranges = values.flatMap(formsOf).flatMap((form) => {
    const found: [number, number][] = [];
    for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1)) found.push([at, at + form.length]);
    return found;
  });
  let [shown, done] = ['', 0];
  for (const [start, end] of ranges.toSorted((a, b) => a[0] - b[0])) {
    if (start >= done) shown += `${latin(text.subarray(done, start))}***`;
    done = Math.max(done, end);
  }
  return shown + latin(text.subarray(done));
}

describe('a mask', () => {
  test('hides a value as it is and as encoders write it', () => {
    const mask = new Mask([secret]);
    const python = (code: string): string =>
      spawnSync('python3', ['-c', `import sys,json,urllib.parse,base64\ns=sys.argv[1]\nprint(${code},end='')`, secret], {
        encoding: 'utf8',
      }).stdout;
    const bytes = Buffer.from(secret);
    const written = {
      plain: secret,
      base64: bytes.toString('base64'),
      'base64 in a URL': bytes.toString('base64url'),
      encodeURIComponent: encodeURIComponent(secret),
      encodeURI: encodeURI(secret),
      form: new URLSearchParams({ '': secret }).toString().slice(1),
      lowerCase: encodeURIComponent(secret).replace(/%../g, (each) => each.toLowerCase()),
      JSON: JSON.stringify(secret).slice(1, -1),
      'JSON of Python': python('json.dumps(s)[1:-1]'),
      'quote of Python': python('urllib.parse.quote(s)'),
      'quote_plus of Python': python('urllib.parse.quote_plus(s)'),
    };
    for (const [how, text] of Object.entries(written)) {
      assert.ok(text.length >= bytes.length - 2, how);
      const shown = mask.text(`<${text}>`);
      // At the edges of base64 some bits of the value stay, at the most two letters.
      assert.match(shown, how.startsWith('base64') ? /^<\*\*\*[\w+/-]?=*>$/ : /^<\*\*\*>$/, how);
    }
  });

  test('hides a value as it is shown in source form', () => {
    for (const value of ['ab"cd\\ef-Zq9', `it's-\\a-"secret"`, 'back\\slash-only', "quote's-only"]) {
      const mask = new Mask([value]);
      const python = spawnSync('python3', ['-c', 'import sys; print(repr(sys.argv[1]))', value], { encoding: 'utf8' }).stdout;
      for (const text of [inspect({ value }), inspect([value]), python.trim()]) {
        assert.ok(text.length >= value.length, text);
        assert.match(mask.text(text), /^[^a-z]*(?:value: )?[^a-z]*\*\*\*['"`] ?[\]}]?$/, text);
      }
    }
  });

  test('hides base64 of a longer text that has the value at any place', () => {
    const mask = new Mask([secret]);
    for (const before of ['', 'a', 'ab', 'abc', 'Authorization: user:']) {
      for (const after of ['', 'x', '\n', 'and more']) {
        for (const encoding of ['base64', 'base64url'] as const) {
          const shown = mask.text(Buffer.from(before + secret + after).toString(encoding));
          assert.match(shown, /\*\*\*/);
          const rest = shown.split('***').map((part) => Buffer.from(part, encoding).toString('latin1'));
          assert.ok(!rest.some((part) => part.includes('p&') || part.includes('\\~')), shown);
        }
      }
    }
  });

  test('hides the wrapped output of base64(1)', () => {
    const value = randomBytes(200).toString('hex');
    const wrapped = spawnSync('base64', { input: `${value}\n`, encoding: 'utf8' }).stdout;
    assert.ok(wrapped.split('\n').length > 3);
    assert.match(new Mask([value]).text(wrapped), /^\*\*\*[\w+/]{0,2}=*\n$/);
  });

  test('hides a value of several lines, whole and line by line, but no line shorter than four bytes', () => {
    const mask = new Mask(['first line\r\n  indented\nab\n\nlast line\n']);
    assert.equal(mask.text('first line\r\n  indented\nab\n\nlast line\n'), '***\n');
    assert.equal(mask.text('> last line <\n> indented <\n> ab <\n    \n'), '> *** <\n> *** <\n> ab <\n    \n');
  });

  test('leaves values shorter than four bytes, and empty ones, alone', () => {
    const mask = new Mask(['', 'abc', '\n\n\n\n\n', 'é']);
    assert.equal(mask.text('abc é YWJj \n\n\n\n\n'), 'abc é YWJj \n\n\n\n\n');
    assert.equal(new Mask(['abcd']).text('abc abcd'), 'abc ***');
  });

  test('hides each of several values, also where they overlap or one is part of another', () => {
    const mask = new Mask(['abcdef', 'defghi', 'cdef', 'ef'.repeat(3)]);
    assert.equal(mask.text('-abcdefghi-cdef-abcdef-abcdefef-efefefef-'), '-***-***-***-***ef-***-');
    assert.equal(mask.text('abcdefabcdef'), '******');
  });

  test('hands on what cannot become a secret at once, and the very chunk when there is nothing to hide', () => {
    const chunk = Buffer.from('a line of output\n');
    assert.equal(new Mask([]).stream().write(chunk), chunk);
    const masker = new Mask(['xylophone']).stream();
    assert.equal(masker.write(chunk), chunk);
    assert.equal(latin(masker.write(Buffer.from('a xylo'))), 'a ');
    assert.equal(latin(masker.write(Buffer.from('gram xylophone'))), 'xylogram ***');
    assert.equal(latin(masker.write(Buffer.from('x'))), '');
    assert.equal(latin(masker.end()), 'x');
  });

  test('holds no more than its longest form, though the output is one long secret', () => {
    const masker = new Mask(['aaaaaaaab']).stream();
    let shown = 0;
    for (let i = 0; i < 1000; i++) shown += masker.write(Buffer.alloc(1000, 'a')).length;
    assert.equal(shown, 1_000_000 - 8);
    const endless = new Mask(['aaaa']).stream();
    const parts = Array.from({ length: 100 }, () => latin(endless.write(Buffer.alloc(1000, 'a'))));
    assert.equal(parts.join('') + latin(endless.end()), '***');
  });

  test('passes all bytes of other output, whatever they are', () => {
    const all = Buffer.from(Array.from({ length: 512 }, (_, i) => i % 256));
    assert.deepEqual(masked(new Mask([secret]), [all.subarray(0, 100), all.subarray(100)]), all);
  });

  test('refuses secrets that would take too much memory', () => {
    const values = Array.from({ length: 3 }, () => randomBytes(65_536));
    assert.throws(() => new Mask(values), { code: 'too_large' });
  });
});

describe('however output is cut into chunks', () => {
  /** Few letters, so that values occur, overlap and nearly occur all the time. */
  const letters = (max: number) => fc.string({ unit: fc.constantFrom('a', 'b', '/', '\n', '"'), minLength: 0, maxLength: max });
  const values = fc.array(letters(9), { maxLength: 4 });
  const cuts = fc.array(fc.nat(400), { maxLength: 12 });
  const chunksOf = (text: Buffer, at: readonly number[]): Buffer[] => {
    const borders = [0, ...at.map((each) => Math.min(each, text.length)).toSorted((a, b) => a - b), text.length];
    return borders.slice(1).map((end, i) => text.subarray(borders[i], end));
  };

  test('the mask hides what it should and changes nothing else', () => {
    const piece = fc.oneof(letters(12), fc.nat(3), fc.tuple(fc.nat(3), fc.nat(20)));
    fc.assert(
      fc.property(values, fc.array(piece, { maxLength: 20 }), cuts, (secrets, pieces, at) => {
        const bytes = secrets.map((value) => Buffer.from(value));
        const forms = bytes.map(formsOf);
        const text = pieces.map((each) => {
          if (typeof each === 'string') return Buffer.from(each);
          if (typeof each === 'number') return bytes[each] ?? Buffer.alloc(0);
          const own = forms[each[0]] ?? [];
          return own[each[1] % Math.max(1, own.length)] ?? Buffer.alloc(0);
        });
        const whole = Buffer.concat(text);
        assert.equal(latin(masked(new Mask(secrets), chunksOf(whole, at))), expected(bytes, whole));
      }),
      { numRuns: 2000 },
    );
  });

  test('no value of at least four bytes comes through', () => {
    const value = fc
      .uint8Array({ minLength: 4, maxLength: 40 })
      .filter((bytes) => Buffer.from(bytes).toString('latin1').trim().length >= 4);
    fc.assert(
      fc.property(value, fc.uint8Array({ maxLength: 30 }), fc.uint8Array({ maxLength: 30 }), cuts, (bytes, before, after, at) => {
        const hidden = latin(bytes).replace(/^[\r\n]+|[\r\n]+$/g, '');
        fc.pre(hidden.length >= 4 && !latin(before).includes('*') && !latin(after).includes('*') && !hidden.includes('*'));
        const shown = latin(masked(new Mask([bytes]), chunksOf(Buffer.concat([before, bytes, after]), at)));
        assert.ok(!shown.includes(hidden) && shown.includes('***'));
      }),
      { numRuns: 1000 },
    );
  });
});
