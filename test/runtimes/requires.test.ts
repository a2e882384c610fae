import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requiredIn } from '../../runtimes/shell/requires.ts';
import { prisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';

test('a shell script names what it requires in the comment at its top', () => {
  assert.deepEqual(requiredIn('#!/bin/sh\n\n# Requires: jq, psql  jq\n# requires: curl\necho\n# requires: late\n'), [
    'jq',
    'psql',
    'curl',
  ]);
  assert.deepEqual(requiredIn('# requires:\n# requires: $(rm) a/b\n'), []);
});

test('a shell script does not begin without what it requires', async (context) => {
  const folder = new Scratch(context);
  const file = folder.file('x.sh', '# requires: sh prisn-none psql-none\necho begun\n');
  const { code, stdout, stderr } = await prisn(['run', file]);
  assert.deepEqual([code, stdout], [125, '']);
  assert.match(stderr, /^prisn: x\.sh requires prisn-none and psql-none, which are not found in PATH; to install: \S/);
  const forced = await prisn(['run', '--no-deps', file]);
  assert.equal(forced.stdout, 'begun\n');
  folder.script('bin/prisn-none', '');
  folder.script('bin/psql-none', '');
  const found = await prisn(['run', file], { env: { PATH: `${folder.path('bin')}:${process.env['PATH']}` } });
  assert.deepEqual([found.stdout, found.stderr], ['begun\n', '']);
});
