import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CgiReader, cgiVariables } from '../../src/engine/cgi.ts';
import type { FunctionHead, FunctionRequest } from '../../src/model/task.ts';
import { refused } from './deployments-harness.ts';

interface Read {
  head: FunctionHead | undefined;
  body: string;
  invalid: string | undefined;
}

/** @param pieces what the program writes, as it comes @param isOver whether it has ended */
function read(pieces: readonly (string | Uint8Array)[], isOver = true): Read {
  const result: Read = { head: undefined, body: '', invalid: undefined };
  const reader = new CgiReader({
    head: (head) => {
      assert.equal(result.head ?? result.invalid, undefined);
      result.head = head;
    },
    body: (chunk) => {
      assert.ok(result.head);
      result.body += Buffer.from(chunk).toString('latin1');
    },
    invalid: (why) => {
      assert.equal(result.head ?? result.invalid, undefined);
      result.invalid = why;
    },
  });
  for (const piece of pieces) reader.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
  if (isOver) reader.end();
  return result;
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...ends].map((start, i) => bytes.subarray(start, ends[i] ?? bytes.length));
}

const text = 'text/plain; charset=utf-8';

describe('what a program writes', () => {
  test('is the body, as text of a known length', () => {
    const body = 'hello\nworld\n';
    assert.deepEqual(read([body]), {
      head: {
        status: 200,
        headers: [
          ['content-type', text],
          ['content-length', '12'],
        ],
      },
      body,
      invalid: undefined,
    });
    assert.deepEqual(read([]).head?.headers.at(-1), ['content-length', '0']);
  });

  test('is held until the end, but no more than 64 kB of it', () => {
    assert.equal(read(['x'.repeat(65_536)], false).head, undefined);
    const streamed = read(['x'.repeat(65_536), 'y'], false);
    assert.deepEqual(streamed.head, { status: 200, headers: [['content-type', text]] });
    assert.equal(streamed.body.length, 65_537);
    const line = `Content-Type: a/b;${'x'.repeat(20_000)}\n\n`;
    for (const pieces of [[line], [line.slice(0, 18_000), line.slice(18_000)]]) assert.equal(read(pieces).body, line);
  });

  test('may begin with a header block, which decides status and headers at once', () => {
    const page = read(['Content-Type: text/html\r\nX-Two: a\r\nX-Two: b\r\n\r\n<p>'], false);
    assert.deepEqual(page, {
      head: {
        status: 200,
        headers: [
          ['content-type', 'text/html'],
          ['x-two', 'a'],
          ['x-two', 'b'],
        ],
      },
      body: '<p>',
      invalid: undefined,
    });
    const missing = read(['Status: 404 Not Found\nContent-Length: 999\n\nno']);
    assert.deepEqual([missing.head, missing.body], [{ status: 404, headers: [] }, 'no']);
    assert.deepEqual(read(['Location: https://example.org/\n\n']).head, {
      status: 302,
      headers: [['location', 'https://example.org/']],
    });
    assert.equal(read(['location:/a\nstatus: 307\n\n']).head?.status, 307);
  });

  test('is no header block when its first line is none of the three', () => {
    const texts = [
      'Status: all is well\n\n',
      'Location: Berlin\n\n',
      'Content-Type: unknown\n\n',
      'X-A: b\n\nc',
      '\nStatus: 404\n\n',
    ];
    for (const body of texts) {
      const { head, body: seen } = read([body]);
      assert.deepEqual([head?.status, head?.headers[0], seen], [200, ['content-type', text], body]);
    }
  });

  test('with a header block that is none is refused, and says why', () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['Status: 200\nno header\n\n', /line 2 .*"no header"/],
      ['Status: 200\n folded: x\n\n', /line 2/],
      ['Status: 200\nX A: b\n\n', /line 2/],
      ['Status: 200\nX-A: a\rX-B: b\n\n', /line 2/],
      ['Status: 200\nX-A: a\0\n\n', /line 2/],
      ['Status: 200\nStatus: 201\n\n', /more than one status/],
      ['Location: /a\nLocation: /b\n\n', /more than one location/],
      ['Location: /a\nStatus: 2000\n\n', /its status is "2000"/],
      ['Status: 200\n', /empty line/],
      [`Status: 200\nX-A: ${'x'.repeat(17_000)}\n\n`, /longer than 16384/],
    ];
    for (const [output, why] of cases) {
      const { head, body, invalid } = read([output, 'more']);
      assert.deepEqual([head, body], [undefined, '']);
      assert.match(invalid ?? '', why);
    }
  });

  test('means the same however it is cut', () => {
    const line = fc.oneof(
      fc.constantFrom('Status: 404 x', 'Content-Type: a/b', 'Location: /x', 'X-A: b', 'Status: no', '', 'a'),
      fc.string({ unit: 'binary-ascii', maxLength: 20 }),
    );
    const output = fc.tuple(fc.array(line, { maxLength: 6 }), fc.constantFrom('\n', '\r\n', '\r'), fc.uint8Array());
    fc.assert(
      fc.property(output, fc.array(fc.nat(300)), ([lines, end, rest], places) => {
        const bytes = Buffer.concat([Buffer.from(lines.map((each) => each + end).join(''), 'latin1'), rest]);
        assert.deepEqual(read(cut(bytes, places)), read([bytes]));
      }),
    );
  });

  test('never becomes a header that splits the answer, and is lost nowhere', () => {
    const start = fc.constantFrom('Status: 200\n', 'Content-Type: a/b\r\n', '');
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 200 }), (first, rest) => {
        const bytes = Buffer.concat([Buffer.from(first), rest]);
        const { head, body, invalid } = read([bytes]);
        assert.notEqual(head === undefined, invalid === undefined);
        for (const [name, value] of head?.headers ?? []) assert.doesNotMatch(name + value, /[\0\r\n]/);
        if (head) assert.ok(bytes.toString('latin1').endsWith(body));
      }),
    );
  });

  test('brings every header through that HTTP allows', () => {
    const name = fc.stringMatching(/^x-[a-z\d!#$%&'*+.^_`|~-]{1,20}$/);
    const value = fc.stringMatching(/^[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]{0,20}[\x21-\x7e\x80-\xff])?$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 10 }), fc.uint8Array(), (headers, rest) => {
        const lines = headers.map((header) => `${header.join(': ')}\r\n`);
        const { head, body } = read([`Status: 201\r\n${lines.join('')}\r\n`, rest]);
        assert.deepEqual([head, body], [{ status: 201, headers }, Buffer.from(rest).toString('latin1')]);
      }),
    );
  });
});

describe('the variables of a request', () => {
  const request = (fields: Partial<FunctionRequest>): FunctionRequest => ({
    method: 'POST',
    url: 'http://localhost:7331/fn/hook',
    headers: [],
    body: new Uint8Array(),
    ...fields,
  });

  test('are those of RFC 3875', () => {
    const variables = cgiVariables(
      request({
        url: 'http://example.org:8080/ns/team/fn/hook/a%20b/../c?x=1&y=%20',
        headers: [
          ['content-type', 'application/json'],
          ['content-length', '2'],
          ['x-a', '1'],
          ['x-a', '2'],
          ['cookie', 'a=1'],
          ['cookie', 'b=2'],
          ['authorization', 'Bearer t'],
        ],
        body: Buffer.from('{}'),
      }),
      '192.0.2.1',
    );
    assert.deepEqual(variables, {
      CONTENT_LENGTH: '2',
      CONTENT_TYPE: 'application/json',
      GATEWAY_INTERFACE: 'CGI/1.1',
      HTTP_AUTHORIZATION: 'Bearer t',
      HTTP_COOKIE: 'a=1; b=2',
      HTTP_X_A: '1, 2',
      PATH_INFO: '/a b/../c',
      QUERY_STRING: 'x=1&y=%20',
      REMOTE_ADDR: '192.0.2.1',
      REQUEST_METHOD: 'POST',
      SCRIPT_NAME: '/ns/team/fn/hook',
      SERVER_NAME: 'example.org',
      SERVER_PORT: '8080',
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_SOFTWARE: 'prisn',
    });
  });

  test('of a bare request have an empty query and path, and no length', () => {
    const variables = cgiVariables(request({}));
    assert.deepEqual([variables['QUERY_STRING'], variables['PATH_INFO'], variables['SCRIPT_NAME']], ['', '', '/fn/hook']);
    assert.equal('CONTENT_LENGTH' in variables || 'CONTENT_TYPE' in variables || 'REMOTE_ADDR' in variables, false);
    assert.equal(cgiVariables(request({ url: 'http://localhost/fn/hook/%zz' }))['PATH_INFO'], '/%zz');
  });

  test('leave out Proxy, and headers that could pass for another', () => {
    const variables = cgiVariables(
      request({
        headers: [
          ['proxy', 'http://evil'],
          ['x_forwarded_for', '1'],
          ['x.a', '1'],
        ],
      }),
    );
    assert.deepEqual(
      Object.keys(variables).filter((name) => name.startsWith('HTTP_')),
      [],
    );
  });

  test('cannot hold a NUL', () => {
    assert.throws(() => cgiVariables(request({ url: 'http://localhost/fn/hook/a%00b' })), refused('usage', 'NUL'));
  });
});
