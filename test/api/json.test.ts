import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PrisnError } from '../../src/base/error.ts';
import { canonicalJson, parseJson } from '../../src/api/json.ts';

function messageFor(text: string | Uint8Array): string {
  try {
    parseJson(typeof text === 'string' ? Buffer.from(text) : text);
  } catch (error) {
    assert.ok(error instanceof PrisnError);
    assert.equal(error.code, 'usage');
    return error.message;
  }
  return 'none';
}

/** JSON that a decent sender would write. */
const values = fc.jsonValue({ noUnicodeString: false }).filter((value) => !JSON.stringify(value).includes('__proto__'));

test('reads what JSON.stringify writes', () => {
  fc.assert(
    fc.property(values, fc.constantFrom(undefined, 2), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      assert.deepEqual(parseJson(Buffer.from(text)).value, JSON.parse(text));
    }),
  );
});

test('hands out the members of the outermost object as they were sent', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), values), fc.constantFrom(undefined, 2), (object, indent) => {
      fc.pre(!Object.hasOwn(object, '__proto__'));
      const { member } = parseJson(Buffer.from(JSON.stringify(object, null, indent)));
      for (const [name, value] of Object.entries(object))
        assert.equal(member(name), JSON.stringify(value, null, indent)?.replaceAll('\n', '\n  ') ?? '');
      assert.equal(member('not there'), undefined);
    }),
  );
});

test('keeps numbers that JavaScript cannot hold', () => {
  const { member } = parseJson(Buffer.from('{"a": {"input":1}, "input" : [12345678901234567890, 1e400, 1.0 ] ,"b":2}'));
  assert.equal(member('input'), '[12345678901234567890, 1e400, 1.0 ]');
});

test('tells where the text is no JSON', () => {
  assert.match(messageFor('{"a": 1,}'), /not valid JSON: .*position 8 \(line 1 column 9\)/);
  assert.match(messageFor('{"a": [1}'), /not valid JSON/);
  for (const text of ['', ' ', '{', '"', '{"a":', '[', 'tru', '{"a" "b"}', ']', '{"\\u12":1}'])
    assert.match(messageFor(text), /not valid JSON/);
});

test('refuses a member that is there twice, escaped or not', () => {
  assert.match(messageFor('{"a":1,"b":2,"a":3}'), /"a" twice/);
  assert.match(messageFor('[{"x":{"a":1,"\\u0061":3}}]'), /"a" twice/);
  assert.equal(messageFor('{"a":{"a":1},"b":{"a":["a","a"]}}'), 'none');
});

test('refuses __proto__ as a member, escaped or not, and leaves the word alone elsewhere', () => {
  assert.match(messageFor('{"__proto__":{"admin":true}}'), /"__proto__"/);
  assert.match(messageFor('{"env":{"\\u005f_proto__":"x"}}'), /"__proto__"/);
  assert.equal(messageFor('{"source":"__proto__","constructor":{"prototype":1}}'), 'none');
});

test('refuses what nests deeper than 200 levels, however deep', () => {
  assert.equal(messageFor('['.repeat(200) + ']'.repeat(200)), 'none');
  assert.match(messageFor('['.repeat(201) + ']'.repeat(201)), /deeper than 200 levels/);
  assert.match(messageFor('{"a":'.repeat(100_000)), /deeper than 200 levels/);
  assert.equal(messageFor(`"${'['.repeat(1000)}"`), 'none');
});

test('refuses what is not UTF-8', () => {
  assert.match(messageFor(Uint8Array.of(0x22, 0xff, 0x22)), /not valid UTF-8/);
});

test('the canonical text does not depend on the order of members', () => {
  assert.equal(
    canonicalJson({ b: 1, a: { d: [2, { f: 1, e: 2 }], c: 3 } }),
    canonicalJson({ a: { c: 3, d: [2, { e: 2, f: 1 }] }, b: 1 }),
  );
  assert.notEqual(canonicalJson({ a: [1, 2] }), canonicalJson({ a: [2, 1] }));
});

test('refuses more values than anybody needs, in arrays and in objects', () => {
  const members = Object.fromEntries(Array.from({ length: 100_001 }, (_, i) => [`k${i}`, 1]));
  assert.match(messageFor(JSON.stringify({ env: members })), /more than 100000 values/);
  assert.match(messageFor(`[${'{},'.repeat(100_000)}{}]`), /more than 100000 values/);
  assert.equal(messageFor(`[${'1,'.repeat(90_000)}"${','.repeat(100_000)}"]`), 'none');
});
