import assert from 'node:assert/strict';
import { lstatSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { test } from 'node:test';
import { readConfig, removeSetting, withoutSetting, withSetting, writeSetting } from '../../src/cli/config-file.ts';
import { Scratch } from '../scratch.ts';

const text = `# mine
concurrency = 4   # as many # as cores

public_host = [  # from outside
  "a.example",
  "b.example",
] # both
"timeout" = '1h'# long
queue=12`;

test('a value is changed in its place, and every other byte stays', () => {
  assert.equal(withSetting(text, 'concurrency', '16'), text.replace('= 4 ', '= 16 '));
  assert.equal(withSetting(text, 'timeout', '90m'), text.replace("'1h'", '"90m"'));
  assert.equal(withSetting(text, 'queue', '0'), text.replace('queue=12', 'queue=0'));
  assert.equal(withSetting(text, 'public_host', 'c.example'), text.replace(/\[[^]*\] #/, '"c.example" #'));
});

test('a setting that is not there becomes the last line, with the line ends of the file', () => {
  assert.equal(withSetting(text, 'sync', 'off'), `${text}\nsync = "off"\n`);
  assert.equal(withSetting('', 'addr', 'off'), 'addr = "off"\n');
  assert.equal(withSetting('# a\r\nqueue = 1\r\n', 'sync', 'on'), '# a\r\nqueue = 1\r\nsync = "on"\r\n');
});

test('what is taken out goes with its line, or its lines', () => {
  assert.equal(withoutSetting(text, 'concurrency'), text.replace(/^concurrency.*\n/m, ''));
  assert.equal(withoutSetting(text, 'public_host'), text.replace(/^public_host[^]*both\n/m, ''));
  assert.equal(withoutSetting(text, 'sync'), text);
});

test('a line inside of a value is not taken for a setting', () => {
  const tricky = 'socket = """\nqueue = 3\n"""\nqueue = 4\n';
  assert.equal(withSetting(tricky, 'queue', '5'), tricky.replace('queue = 4', 'queue = 5'));
});

test('numbers, texts, lists and yes or no are read as a flag would say them', (t) => {
  const scratch = new Scratch(t);
  scratch.file('config.toml', `${text}\nsync = false\n`);
  assert.deepEqual(readConfig(scratch.root), {
    concurrency: '4',
    public_host: 'a.example,b.example',
    timeout: '1h',
    queue: '12',
    sync: 'off',
  });
  assert.deepEqual(readConfig(scratch.path('nowhere')), {});
});

test('what is wrong is told with its line and what was meant', (t) => {
  const scratch = new Scratch(t);
  const refused = (content: string, message: RegExp): void => {
    scratch.file('config.toml', content);
    assert.throws(() => readConfig(scratch.root), { code: 'usage', message });
    assert.throws(() => writeSetting(scratch.root, 'queue', '1'), { code: 'usage', message });
    assert.equal(readFileSync(scratch.path('config.toml'), 'utf8'), content);
  };
  refused(
    '# one\n\nconcurency = 4\n',
    /config\.toml, line 3: there is no setting 'concurency', did you mean concurrency; .*config unset concurency$/,
  );
  refused('queue = 1\n[server]\naddr = "off"\n', /line \d: there is no setting 'server'/);
  refused('queue = 1\nsync = \n', /config\.toml, line 2: /);
  scratch.file('config.toml', 'nosuch = 3\nqueue = 1\n');
  assert.ok(removeSetting(scratch.root, 'nosuch'));
  assert.equal(readFileSync(scratch.path('config.toml'), 'utf8'), 'queue = 1\n');
  refused('queue = { a = 1 }\n', /line 1: queue is no value of a setting/);
});

test('the file is made for its owner alone, and a link to it stays one', (t) => {
  const scratch = new Scratch(t);
  writeSetting(scratch.path('home'), 'queue', '1');
  assert.equal(statSync(scratch.path('home/config.toml')).mode & 0o777, 0o600);

  const elsewhere = scratch.file('dotfiles/prisn.toml', 'queue = 1\n');
  symlinkSync(elsewhere, scratch.path('config.toml'));
  writeSetting(scratch.root, 'queue', '2');
  assert.ok(lstatSync(scratch.path('config.toml')).isSymbolicLink());
  assert.equal(readFileSync(elsewhere, 'utf8'), 'queue = 2\n');
  assert.ok(removeSetting(scratch.root, 'queue'));
  assert.equal(readFileSync(elsewhere, 'utf8'), '');
});
