import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Reply, ReplyReader } from '../../src/load/http-reply.ts';

/** @returns the replies of these bytes, however they are cut */
function read(text: string, pieces: number): Reply[] {
  const reader = new ReplyReader();
  const replies: Reply[] = [];
  const bytes = Buffer.from(text, 'latin1');
  const size = Math.ceil(bytes.length / pieces);
  for (let at = 0; at < bytes.length; at += size) {
    const reply = reader.read(bytes.subarray(at, at + size));
    if (reply) replies.push(reply);
  }
  const last = reader.end();
  return last ? [...replies, last] : replies;
}

function summary({ status, body, isKept }: Reply): [number, string, boolean] {
  return [status, body.toString('latin1'), isKept];
}

describe('a reply is read whole, in one piece and byte by byte', () => {
  for (const [what, text, expected] of [
    ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', [200, 'hello', true]],
    ['without a body', 'HTTP/1.1 204 No Content\r\n\r\n', [204, '', true]],
    ['with an empty one', 'HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n', [200, '', true]],
    ['that is not changed', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n', [304, '', true]],
    ['that closes the connection', 'HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno', [500, 'no', false]],
    ['up to the end of the connection', 'HTTP/1.1 200 OK\r\n\r\nall of it', [200, 'all of it', false]],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', [200, 'ok', false]],
    [
      'after an interim one',
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx',
      [200, 'x', true],
    ],
    [
      'in chunks, with extensions and trailers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nab\n\r\nA \r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n',
      [200, 'ab\n0123456789', true],
    ],
    ['in no chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', [200, '', true]],
  ] as const)
    test(what, () => {
      for (const pieces of [1, 2, 3, text.length]) assert.deepEqual(read(text, pieces).map(summary), [expected]);
    });
});

test('replies follow each other on one connection', () => {
  const reader = new ReplyReader();
  const first = reader.read(Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n'));
  const second = reader.read(Buffer.from('HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nb'));
  assert.deepEqual(
    [first, second].map((reply) => reply && summary(reply)),
    [
      [200, 'a', true],
      [201, 'b', true],
    ],
  );
});

for (const [what, text] of [
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['a chunk without a size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ['a chunk longer than it says', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n'],
  ['a head without an end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`],
] as const)
  test(`${what} is refused`, () => assert.throws(() => read(text, 1), Error));

test('a reply that is cut off is none', () => {
  assert.deepEqual(read('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf', 1), []);
});
