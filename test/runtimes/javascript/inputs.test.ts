import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { compareInputs, hashOf, Inputs, sourceText } from '../../../runtimes/javascript/inputs.ts';
import { tree } from './support.ts';

/** A record of one file with the text `old`. */
function recordOf(file: string) {
  const inputs = new Inputs();
  inputs.read(file);
  return inputs.record();
}

describe('comparing inputs with the disk', () => {
  const path = () => join(tree({ file: 'old' }), 'file');

  test('trusts the stat of a file that had been left alone, without reading it', () => {
    const record = recordOf(import.meta.filename);
    const wrongHash = { ...record, files: record.files.map((file) => ({ ...file, hash: 'wrong' })) };
    assert.deepEqual(compareInputs(wrongHash), { same: true });
  });

  test('reads a file that was written just before it was looked at', () => {
    const record = recordOf(path());
    assert.deepEqual(compareInputs(record), { same: true });
    const wrongHash = { ...record, files: record.files.map((file) => ({ ...file, hash: 'wrong' })) };
    assert.deepEqual(compareInputs(wrongHash), { same: false });
  });

  test('gives a record with new stats once nothing in it is recent, and the old one until then', () => {
    const moved = (file: string) => {
      const record = recordOf(file);
      return { ...record, files: record.files.map((input) => ({ ...input, stamp: '' })) };
    };
    assert.equal('fresh' in compareInputs(moved(path())), false);
    const compared = compareInputs(moved(import.meta.filename));
    assert.ok(compared.same && compared.fresh);
    assert.deepEqual(compared.fresh.files, recordOf(import.meta.filename).files);
  });

  test('sees what was looked for and has appeared', () => {
    const file = path();
    const inputs = new Inputs();
    assert.equal(inputs.isFile(`${file}.ts`), false);
    assert.equal(inputs.read(`${file}.js`), undefined);
    assert.deepEqual(compareInputs(inputs.record()), { same: true });
    writeFileSync(`${file}.js`, '');
    assert.deepEqual(compareInputs(inputs.record()), { same: false });
  });

  test('a directory is not a file', () => {
    assert.equal(new Inputs().read(tree({})), undefined);
  });
});

test('the hash changes with every byte, its place and the length', () => {
  const texts = ['', '\0', '\0\0', 'a', 'b', 'ab', 'ba', 'aa', 'aab', 'aba'];
  assert.equal(new Set(texts.map((text) => hashOf(Buffer.from(text)))).size, texts.length);
});

test('source text has neither a byte order mark nor a hashbang, and keeps its length but for the mark', () => {
  assert.equal(sourceText('\uFEFF#!/usr/bin/node\n1'), '///usr/bin/node\n1');
  assert.equal(sourceText('1 #!'), '1 #!');
});
