import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress } from '../../src/client/address.ts';

const shown = (text: string): string => formatAddress(parseAddress(text, '--server'));

test('a server may be named without a scheme, a port, or with a slash at its end', () => {
  assert.equal(shown('localhost:7331'), 'http://localhost:7331');
  assert.equal(shown('localhost'), 'http://localhost:7331');
  assert.equal(shown('http://localhost:7331/'), 'http://localhost:7331');
  assert.equal(shown('10.0.0.1:80'), 'http://10.0.0.1:80');
  assert.equal(shown('[::1]:8000'), 'http://[::1]:8000');
});

test('with a scheme the port is that of the scheme, and a path stays', () => {
  assert.equal(shown('https://prisn.example'), 'https://prisn.example:443');
  assert.equal(shown('http://prisn.example/below/it/'), 'http://prisn.example:80/below/it');
});

test('a socket is named by its path', () => {
  assert.deepEqual(parseAddress('unix:/run/prisn.sock', '--server'), { kind: 'socket', path: '/run/prisn.sock' });
  assert.equal(shown('unix:///run/prisn.sock'), 'unix:/run/prisn.sock');
});

test('what is no address is refused with the place where it stands', () => {
  for (const text of ['ftp://host', 'http://', 'host:port', 'unix:relative', 'http://user@host', 'host?x=1', ''])
    assert.throws(
      () => parseAddress(text, 'PRISN_SERVER'),
      { code: 'usage', message: /^PRISN_SERVER: '.*' is no address/ },
      text,
    );
});
