import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { prisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';

test('a setting is written, shown with its source, and taken out', async (t) => {
  const home = new Scratch(t).root;
  const config = (...words: string[]) => prisn(['config', ...words], { env: { PRISN_HOME: home, PRISN_TIMEOUT: '5m' } });
  assert.equal((await config('set', 'concurrency', '7')).code, 0);
  assert.equal(readFileSync(join(home, 'config.toml'), 'utf8'), 'concurrency = 7\n');
  assert.equal((await config('get', 'concurrency')).stdout, '7\n');
  const { items } = JSON.parse((await config('list', '-o', 'json')).stdout) as {
    items: { name: string; value: string; source: string }[];
  };
  const found = Object.fromEntries(items.map(({ name, value, source }) => [name, `${value} ${source}`]));
  assert.equal(found['concurrency'], '7 file');
  assert.equal(found['timeout'], '5m variable');
  assert.equal(found['addr'], '127.0.0.1:7331 default');
  assert.equal((await config('unset', 'concurrency')).code, 0);
  assert.match((await config('list')).stdout, /^concurrency +\d+ +default/m);
});

test('a value that the server would refuse is not written', async (t) => {
  const home = new Scratch(t).root;
  const refused = await prisn(['config', 'set', 'concurrency', 'many'], { env: { PRISN_HOME: home } });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /concurrency in config\.toml: 'many' is not a whole number/);
  const unknown = await prisn(['config', 'set', 'concurency', '3'], { env: { PRISN_HOME: home } });
  assert.equal(unknown.code, 2);
  assert.equal(unknown.stderr, "prisn: there is no setting 'concurency'; did you mean concurrency?\n");
});

test('it says when a variable wins over what is written', async (t) => {
  const env = { PRISN_HOME: new Scratch(t).root, PRISN_QUEUE: '9' };
  const { code, stderr } = await prisn(['config', 'set', 'queue', '3'], { env });
  assert.equal(code, 0);
  assert.match(stderr, /PRISN_QUEUE is set, and wins over the file/);
});
