import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSetting, resolveSettings } from '../../src/model/settings.ts';

const surroundings = { home: '/home/ada/.prisn', cores: 2 };

function addr(text: string): string {
  const { settings } = resolveSettings({ flags: {}, variables: {}, file: { addr: text } }, surroundings);
  return formatSetting('addr', settings.addr);
}

test('addr is a loopback address with a port, or off', () => {
  for (const text of ['127.0.0.1:7331', '127.1.2.3:0', '[::1]:80', 'off']) assert.equal(addr(text), text);
  assert.equal(addr('localhost:7331'), '127.0.0.1:7331');
});

test('addr is refused where it is set when no server could listen there, or others could reach it', () => {
  for (const text of ['0.0.0.0:80', '[::]:80', '192.168.1.1:80', 'example.com:80', '127.0.0.256:80'])
    assert.throws(() => addr(text), { code: 'usage', message: /^addr in config\.toml: .* can be reached from other machines/ });
  for (const text of ['7331', '127.0.0.1', '127.0.0.1:70000', '::1:80', ''])
    assert.throws(() => addr(text), { code: 'usage', message: /is not of the form host:port/ });
});
