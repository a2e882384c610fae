import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PrisnError } from '../../src/base/error.ts';
import { guard, tcpDoor, type Door } from '../../src/api/guard.ts';
import { Running } from './harness.ts';

const tcp = tcpDoor('127.0.0.1', 7331, ['hooks.example.com']);
const host = 'localhost:7331';

function refusedFor(target: string, rawHeaders: readonly string[], door: Door = tcp): string | undefined {
  try {
    guard({ target, rawHeaders }, door);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof PrisnError);
    return error.code;
  }
}

/** Head of a request, and the code with which it is refused. */
const cases: readonly (readonly [title: string, target: string, headers: readonly string[], code: string | undefined])[] = [
  ['localhost', '/health', ['Host', host], undefined],
  ['127.0.0.1', '/health', ['Host', '127.0.0.1:7331'], undefined],
  ['[::1]', '/health', ['Host', '[::1]:7331'], undefined],
  ['Host in capitals', '/health', ['HOST', 'LocalHost:7331'], undefined],
  ['no Host', '/health', [], 'forbidden'],
  ['an empty Host', '/health', ['Host', ''], 'forbidden'],
  ['a Host without the port', '/health', ['Host', 'localhost'], 'forbidden'],
  ['a Host with another port', '/health', ['Host', 'localhost:7332'], 'forbidden'],
  ['a foreign Host', '/health', ['Host', 'evil.example:7331'], 'forbidden'],
  ['a Host with ours in front', '/health', ['Host', 'localhost:7331.evil.example'], 'forbidden'],
  ['a Host with a user', '/health', ['Host', 'localhost:7331@evil.example'], 'forbidden'],
  ['a Host with a final dot', '/health', ['Host', 'localhost.:7331'], 'forbidden'],
  ['0.0.0.0', '/health', ['Host', '0.0.0.0:7331'], 'forbidden'],
  ['two Hosts, the same', '/health', ['Host', host, 'Host', host], 'forbidden'],
  ['two Hosts, the second foreign', '/health', ['Host', host, 'host', 'evil.example'], 'forbidden'],
  ['its own Origin', '/health', ['Host', host, 'Origin', `http://${host}`], undefined],
  ['an Origin that is ours by another name', '/health', ['Host', host, 'Origin', 'http://127.0.0.1:7331'], 'forbidden'],
  ['the Origin of another port', '/health', ['Host', host, 'Origin', 'http://localhost:3000'], 'forbidden'],
  ['Origin: null', '/health', ['Host', host, 'Origin', 'null'], 'forbidden'],
  ['an empty Origin', '/health', ['Host', host, 'Origin', ''], 'forbidden'],
  ['https', '/health', ['Host', host, 'Origin', `https://${host}`], 'forbidden'],
  ['two Origins', '/health', ['Host', host, 'Origin', `http://${host}`, 'Origin', `http://${host}`], 'forbidden'],
  ['Sec-Fetch-Site: same-origin', '/health', ['Host', host, 'Sec-Fetch-Site', 'same-origin'], undefined],
  ['Sec-Fetch-Site: none', '/health', ['Host', host, 'Sec-Fetch-Site', 'none'], undefined],
  ['Sec-Fetch-Site: same-site', '/health', ['Host', host, 'Sec-Fetch-Site', 'same-site'], 'forbidden'],
  ['Sec-Fetch-Site: cross-site', '/health', ['Host', host, 'Sec-Fetch-Site', 'cross-site'], 'forbidden'],
  ['a websocket', '/health', ['Host', host, 'Upgrade', 'websocket'], 'forbidden'],
  ['an offer of HTTP/2', '/health', ['Host', host, 'Upgrade', 'h2c'], undefined],
  ['an absolute target', `http://${host}/health`, ['Host', host], 'usage'],
  ['a target that begins with two slashes', '//evil.example/health', ['Host', host], 'usage'],
  ['the target *', '*', ['Host', host], 'usage'],
  ['a segment ..', '/api/../health', ['Host', host], 'usage'],
  ['a segment %2e%2e', '/api/%2e%2e/health', ['Host', host], 'usage'],
  ['a segment .%2E', '/api/.%2E/health', ['Host', host], 'usage'],
  ['an encoded slash', '/api/v1/deployments/a%2fb', ['Host', host], 'usage'],
  ['an encoded backslash', '/api/v1/deployments/a%5cb', ['Host', host], 'usage'],
  ['a NUL', '/api/v1/deployments/a%00', ['Host', host], 'usage'],
  ['a broken encoding', '/api/v1/deployments/a%f', ['Host', host], 'usage'],
  ['dots in a query', '/health?path=../..', ['Host', host], undefined],
  ['a function on our own host, of another page', '/fn/hello', ['Host', host, 'Origin', 'https://evil.example'], 'forbidden'],
  ['a public host at a function', '/fn/hello', ['Host', 'hooks.example.com'], undefined],
  ['a public host with a port', '/fn/hello/a/b?c', ['Host', 'hooks.example.com:443'], undefined],
  ['a public host at a function of a namespace', '/ns/team/fn/hello', ['Host', 'hooks.example.com'], undefined],
  ['a public host and any Origin', '/fn/hello', ['Host', 'hooks.example.com', 'Origin', 'https://shop.example'], undefined],
  ['a public host and an encoded slash for a function', '/fn/hello/a%2fb', ['Host', 'hooks.example.com'], undefined],
  ['a public host and an encoded way out of a function', '/fn/hello/..%2f..%2fapi', ['Host', 'hooks.example.com'], 'usage'],
  ['a public host at the API', '/api/v1/executions', ['Host', 'hooks.example.com'], 'forbidden'],
  ['a public host at /fn alone', '/fn', ['Host', 'hooks.example.com'], 'forbidden'],
  ['a public host at what looks like a function', '/fnx/hello', ['Host', 'hooks.example.com'], 'forbidden'],
  ['a public host at a namespace', '/ns/team/api', ['Host', 'hooks.example.com'], 'forbidden'],
  ['a public host at the start page', '/', ['Host', 'hooks.example.com'], 'forbidden'],
  ['a subdomain of a public host', '/fn/hello', ['Host', 'a.hooks.example.com'], 'forbidden'],
  ['two public hosts', '/fn/hello', ['Host', 'hooks.example.com', 'Host', 'hooks.example.com'], 'forbidden'],
  ['too many header fields', '/health', ['Host', host, ...Array.from({ length: 200 }, () => 'x')], 'usage'],
];

for (const [title, target, headers, code] of cases)
  test(`${code === undefined ? 'lets in' : 'refuses'} ${title}`, () => {
    assert.equal(refusedFor(target, headers), code);
  });

test('the default port may be left out', () => {
  const door = tcpDoor('127.0.0.1', 80, []);
  assert.equal(refusedFor('/', ['Host', 'localhost'], door), undefined);
  assert.equal(refusedFor('/', ['Host', 'localhost:80'], door), undefined);
});

test('the socket takes any Host and no other target', () => {
  const socket = { kind: 'socket' } as const;
  assert.equal(refusedFor('/', [], socket), undefined);
  assert.equal(refusedFor('/', ['Host', 'anything', 'Host', 'at all'], socket), undefined);
  assert.equal(refusedFor('/api/%2e%2e/', [], socket), 'usage');
});

test('what is refused has no effect, and no origin is ever allowed', async (t) => {
  let calls = 0;
  const running = await Running.start(t, { executor: { cancel: async () => (calls++, Promise.reject(new Error('called'))) } });
  const { port } = running;
  const line = 'POST /api/v1/executions/exec-1/cancel HTTP/1.1';
  for (const head of [
    '',
    'Host: evil.example',
    `Host: localhost:${port}\r\nHost: evil.example`,
    `Host: localhost:${port}\r\nOrigin: null`,
    `Host: localhost:${port}\r\nOrigin: https://evil.example\r\nContent-Type: text/plain`,
    `Host: localhost:${port}\r\nSec-Fetch-Site: cross-site`,
    `Host: localhost:${port}\r\nConnection: upgrade\r\nUpgrade: websocket`,
  ]) {
    const answer = await running.raw(`${line}\r\n${head}${head && '\r\n'}Content-Length: 2\r\n\r\n{}`);
    assert.match(answer, /^HTTP\/1\.1 403 /, head);
    assert.doesNotMatch(answer, /access-control-allow/i);
  }
  const absolute = await running.raw(
    `POST http://localhost:${port}/api/v1/executions/exec-1/cancel HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`,
  );
  assert.match(absolute, /^HTTP\/1\.1 400 /);
  assert.equal(calls, 0);
});

test('the refusal of a Host names those that are allowed', async (t) => {
  const running = await Running.start(t);
  const { status, json } = await running.ask('/health', { headers: { host: 'evil.example' } });
  assert.equal(status, 403);
  assert.equal(json.error, 'Forbidden');
  assert.equal(json.code, 'forbidden');
  for (const name of ['localhost', '127.0.0.1', '[::1]']) assert.ok(json.message.includes(`${name}:${running.port}`));
});
