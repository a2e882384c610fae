/** Programs that need node answer an HTTP request as they do in an isolate: head and body on standard output. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { IsolatePool } from '../../../sandbox/isolate/pool.ts';
import type { FunctionRequest } from '../../../src/model/task.ts';
import { createWorkloads } from '../../../src/workload.ts';
import { Scratch } from '../../scratch.ts';

const scratch = new Scratch();
const pool = new IsolatePool({ threads: 1, maxHostBytes: 2 ** 30 });
after(() => pool.close());
const workloads = createWorkloads({ pool, cacheDir: scratch.folder('cache'), env: process.env });
let runs = 0;

interface Answer {
  readonly code: number;
  readonly head: readonly string[];
  readonly body: string;
  readonly stderr: string;
}

/** Runs the text in node, after an import of a module that no isolate has. */
async function call(text: string, sent: Partial<FunctionRequest> = {}, file = 'x.mjs'): Promise<Answer> {
  const folder = `node-request-${process.pid}-${++runs}`;
  scratch.file(`${folder}/${file}`, `import os from 'node:os';\nos.EOL;\n${text}`);
  const request = { method: 'POST', url: 'http://localhost/fn/x/a%2Fb?q=1', headers: [], body: Buffer.of(), ...sent };
  const cwd = scratch.path(folder);
  const prepared = await workloads.prepare({
    runId: folder,
    domain: 'test',
    program: { folder: cwd, entrypoint: file },
    args: [],
    env: { K: 'v' },
    cwd,
    limits: {},
    request,
    stdin: request.body,
  });
  assert.equal(prepared.kind, 'process');
  const output = { stdout: '', stderr: '' };
  const keep = (stream: 'stdout' | 'stderr') => (chunk: Uint8Array) => {
    output[stream] += Buffer.from(chunk).toString('latin1');
  };
  const { exitCode: code } = await prepared.start({ stdout: keep('stdout'), stderr: keep('stderr') }).exited;
  const [head = '', body = ''] = output.stdout.split(/\r?\n\r?\n(.*)/s);
  return { code, head: head.split('\r\n'), body, stderr: output.stderr };
}

const json = ['Status: 200', 'content-type: application/json'];

describe('a default export in node', () => {
  test('with fetch gets the request and answers with its Response, and what it prints goes to the log', async () => {
    const text = `console.log('before');
      export default {
        async fetch(request, env, ctx) {
          ctx.waitUntil(new Promise((done) => setTimeout(() => done(console.log('after')), 20)));
          const sent = [request.method, request.url, request.headers.get('x-a'), await request.text()];
          const cookies = [['set-cookie', 'a=1'], ['set-cookie', 'b=\\xfc']];
          return Response.json([...sent, env.K, this === undefined, 'PRISN_REQUEST' in process.env], { status: 201, headers: cookies });
        },
      };`;
    const { code, head, body, stderr } = await call(text, { headers: [['x-a', '1']], body: Buffer.from('in') });
    assert.deepEqual(
      [code, head],
      [0, ['Status: 201', 'content-type: application/json', 'set-cookie: a=1', 'set-cookie: b=\xfc']],
    );
    assert.deepEqual(JSON.parse(body), ['POST', 'http://localhost/fn/x/a%2Fb?q=1', '1', 'in', 'v', false, false]);
    assert.equal(stderr, 'before\nafter\n');
  });

  test('of TypeScript whose parameter is a request gets that', async () => {
    const text = 'export default async (req: Request): Promise<Response> => new Response(req.method);';
    const { head, body } = await call(text, { method: 'PUT' }, 'x.mts');
    assert.deepEqual([head, body], [['Status: 200', 'content-type: text/plain;charset=UTF-8'], 'PUT']);
  });

  test('streams, and a HEAD has no body', async () => {
    const text = `async function* pieces() { yield 'a'; yield 'b'; }
      export default { fetch: () => new Response(pieces()) };`;
    assert.deepEqual(await call(text), { code: 0, head: ['Status: 200'], body: 'ab', stderr: '' });
    assert.equal((await call(text, { method: 'HEAD' })).body, '');
  });

  const echo = 'export default (input, { env }) => { console.log("seen"); return { input, env: env.K }; };';
  const inputs: readonly (readonly [what: string, sent: Partial<FunctionRequest>, input: unknown])[] = [
    ['JSON', { body: Buffer.from('{"a":1}') }, { a: 1 }],
    ['text', { body: Buffer.from('a=1') }, 'a=1'],
    ['the parameters of the URL', { url: 'http://localhost/fn/x?a=1&b=2&a=3' }, { a: ['1', '3'], b: '2' }],
  ];
  for (const [what, sent, input] of inputs)
    test(`of input gets ${what} and answers with JSON`, async () => {
      const { head, body, stderr } = await call(echo, sent);
      assert.deepEqual([head, JSON.parse(body), stderr], [json, { input, env: 'v' }, 'seen\n']);
    });

  test('of input answers 400 to a body that is no JSON though it says so', async () => {
    const { head, body } = await call(echo, { headers: [['content-type', 'application/json']], body: Buffer.from('{a') });
    assert.deepEqual([head[0], (JSON.parse(body) as { code: string }).code], ['Status: 400', 'usage']);
  });

  test('that returns nothing is a 204, unless it printed its answer itself', async () => {
    assert.deepEqual((await call('export default () => {};')).head, ['Status: 204']);
    const printed = await call('export default () => console.log("Content-Type: text/html\\n\\n<p>");');
    assert.deepEqual([printed.head, printed.body], [['Content-Type: text/html'], '<p>\n']);
  });

  test('that answers no request leaves the answer to what is printed, also by a program that fails', async () => {
    const { head, body, stderr } = await call('console.log("Status: 404\\n\\nno"); export default class {}');
    assert.deepEqual([head, body, stderr], [['Status: 404'], 'no\n', '']);
    const failed = await call('console.log("part"); process.exit(3); export default {};');
    assert.deepEqual([failed.code, failed.head], [3, ['part\n']]);
  });

  const failures: readonly (readonly [what: string, text: string, says: RegExp])[] = [
    ['throws', 'export default { fetch() { throw new RangeError("no moon"); } };', /RangeError: no moon/],
    ['returns no Response', 'export default { fetch: () => 1 };', /must return a Response, and returned number/],
    ['returns what JSON cannot hold', 'export default () => () => {};', /function, which JSON cannot hold/],
  ];
  for (const [what, text, says] of failures)
    test(`that ${what} fails without an answer`, async () => {
      const { code, head, stderr } = await call(text);
      assert.deepEqual([code, head], [1, ['']]);
      assert.match(stderr, says);
    });
});
