/** Programs that answer HTTP requests, and what they answer. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { IsolatePool } from '../../sandbox/isolate/pool.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { FunctionHead, FunctionRequest, IsolateTask } from '../../src/model/task.ts';
import { moduleTask, scriptTask } from './recording.ts';

const pool = new IsolatePool({ threads: 2, maxHostBytes: 700 * 2 ** 20 });
after(() => pool.close());

interface Answer extends Outcome {
  readonly head: FunctionHead | undefined;
  readonly body: string;
  readonly stderr: string;
  /** How the response came, a word a report. */
  readonly order: readonly string[];
}

interface Asked extends Partial<Omit<FunctionRequest, 'body'>> {
  readonly body?: string;
}

function requestOf({ body = '', ...rest }: Asked): FunctionRequest {
  const method = body === '' ? 'GET' : 'POST';
  return { method, url: 'http://127.0.0.1:7331/fn/hello', headers: [], ...rest, body: Buffer.from(body) };
}

async function ask(task: IsolateTask): Promise<Answer> {
  let head: FunctionHead | undefined;
  const body: Buffer[] = [];
  const stderr: Buffer[] = [];
  const order: string[] = [];
  const outcome = await pool.start(task, {
    stdout: () => order.push('stdout'),
    stderr: (chunk) => stderr.push(Buffer.from(chunk)),
    head: (given) => {
      head = given;
      order.push('head');
    },
    body: (chunk) => {
      body.push(Buffer.from(chunk));
      order.push(chunk.length === 0 ? 'end' : 'body');
    },
  }).exited;
  return { ...outcome, head, body: Buffer.concat(body).toString(), stderr: Buffer.concat(stderr).toString(), order };
}

function call(code: string, asked: Asked = {}, more: Partial<IsolateTask> = {}): Promise<Answer> {
  return ask(moduleTask(code, { request: requestOf(asked), limits: { timeoutMs: 20_000 }, ...more }));
}

describe('a function of its input', () => {
  const echo = 'export default (input) => ({ input, type: typeof input });';
  const cases: readonly (readonly [string, Asked, unknown])[] = [
    ['gets a JSON body, whatever its Content-Type says', { body: '{"a":[1]}' }, { input: { a: [1] }, type: 'object' }],
    ['gets any other text as it is', { body: 'a=1&b' }, { input: 'a=1&b', type: 'string' }],
    [
      'gets the parameters of the URL where there is no body',
      { url: 'http://h/x?a=1&b=2&b=3#f' },
      { input: { a: '1', b: ['2', '3'] }, type: 'object' },
    ],
    ['gets nothing where there is neither', {}, { type: 'undefined' }],
  ];
  for (const [title, asked, expected] of cases)
    test(title, async () => {
      const { head, body, reason, exitCode } = await call(echo, asked);
      assert.deepEqual([reason, exitCode, head?.status], ['exit', 0, 200]);
      assert.deepEqual(JSON.parse(body), expected);
      assert.deepEqual(head?.headers, [
        ['content-type', 'application/json'],
        ['content-length', String(body.length)],
      ]);
    });

  test('is not called with a body that is not the JSON that it says to be', async () => {
    const headers = [['content-type', 'application/problem+json; charset=utf-8']] as const;
    const { head, body, order } = await call('export default () => console.log("called")', { body: '{', headers });
    assert.equal(head?.status, 400);
    assert.match((JSON.parse(body) as { message: string }).message, /the body is not JSON/);
    assert.deepEqual(order, ['head', 'body', 'end']);
  });

  test('that returns nothing answers 204 without a body', async () => {
    const { head, order } = await call('export default async () => {}');
    assert.deepEqual(head, { status: 204, headers: [] });
    assert.deepEqual(order, ['head', 'end']);
  });

  test('may return a Response', async () => {
    const { head, body } = await call('export default () => new Response("made", { status: 201, headers: { "X-A": "1" } })');
    assert.deepEqual([head?.status, body], [201, 'made']);
    assert.deepEqual(head?.headers, [
      ['content-type', 'text/plain;charset=UTF-8'],
      ['x-a', '1'],
      ['content-length', '4'],
    ]);
  });

  test('gets its arguments and its environment', async () => {
    const { body } = await call(
      'export default (input, { args, env }) => [args, env.LEVEL]',
      {},
      { args: ['a'], env: { LEVEL: 'high' } },
    );
    assert.equal(body, '[["a"],"high"]');
  });
});

describe('a function of a request', () => {
  const show =
    '({ method: request.method, url: request.url, type: request.headers.get("x-type"), text: await request.text(), a: env.A, waits: typeof ctx.waitUntil })';
  const forms = [
    `export default async function (request, env, ctx) { return Response.json(${show}); }`,
    `export default async (request, env, ctx) => Response.json(${show});`,
    `export default async function handler(/* the */ req, env, ctx) { const request = req; return Response.json(${show}); }`,
    `export default { async fetch(request, env, ctx) { return Response.json(${show}); } };`,
    `class App { async fetch(request, env, ctx) { return this.answer(${show}); } answer(value) { return Response.json(value); } } export default new App();`,
  ];
  for (const [index, code] of forms.entries())
    test(`is called as on Workers, in form ${index + 1}`, async () => {
      const asked = { body: 'text', method: 'PUT', url: 'http://h:1/fn/a/b?c=d', headers: [['x-type', 't']] as const };
      const { head, body, stderr } = await call(code, asked, { env: { A: 'a' } });
      assert.equal(head?.status, 200, stderr);
      assert.deepEqual(JSON.parse(body), {
        method: 'PUT',
        url: 'http://h:1/fn/a/b?c=d',
        type: 't',
        text: 'text',
        a: 'a',
        waits: 'function',
      });
    });

  test('is told by the name of its first parameter alone', async () => {
    for (const parameter of ['requested', 'input /* , request */', '{ request }', 'required = 1']) {
      const { body } = await call(`export default function f(${parameter}) { return typeof arguments[0]; }`, { body: '{}' });
      assert.equal(body, '"object"', parameter);
      const { body: isRequest } = await call(
        `export default function f(${parameter}) { return arguments[0] instanceof Request; }`,
        { body: '{}' },
      );
      assert.equal(isRequest, 'false', parameter);
    }
    const { body } = await call('export default request => request instanceof Request');
    assert.equal(body, 'true');
  });

  test('that throws ends with exit code 1 and its report, without a head', async () => {
    const { exitCode, reason, head, stderr } = await call('export default (request) => { throw new RangeError("too far"); }');
    assert.deepEqual([reason, exitCode, head], ['exit', 1, undefined]);
    assert.match(stderr, /RangeError: too far\n {4}at .*program\.mjs:1:37/);
  });

  test('whose fetch returns no Response fails', async () => {
    const { exitCode, head, stderr } = await call('export default { fetch: () => "text" }');
    assert.deepEqual([exitCode, head], [1, undefined]);
    assert.match(stderr, /fetch of the default export must return a Response, and returned string/);
  });

  test('that never answers ends with the code of an unsettled promise', async () => {
    const { exitCode, stderr } = await call('export default (request) => new Promise(() => {})');
    assert.equal(exitCode, 13);
    assert.match(stderr, /unsettled promise of the default export/);
  });
});

describe('a response', () => {
  test('keeps each cookie apart', async () => {
    const code =
      'export default (request) => { const h = new Headers(); h.append("Set-Cookie", "a=1"); h.append("Set-Cookie", "b=2"); return new Response(null, { headers: h }); }';
    assert.deepEqual((await call(code)).head?.headers, [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ]);
  });

  test('of bytes, a form or a blob is sent as that', async () => {
    for (const body of [
      'new Uint8Array([104, 105, 33]).subarray(0, 2)',
      'new Blob(["h", "i"])',
      'new TextEncoder().encode("hi").buffer',
    ]) {
      const answer = await call(`export default (request) => new Response(${body})`);
      assert.deepEqual([answer.body, answer.head?.headers], ['hi', [['content-length', '2']]], body);
    }
    assert.equal((await call('export default (request) => new Response(new URLSearchParams({ a: "b c" }))')).body, 'a=b+c');
  });

  test('to HEAD has the length of its body and no body', async () => {
    const { head, order } = await call('export default (request) => new Response("four")', { method: 'HEAD' });
    assert.deepEqual(head?.headers.at(-1), ['content-length', '4']);
    assert.deepEqual(order, ['head', 'end']);
  });

  test('of several megabytes comes whole', async () => {
    const { body } = await call('export default (request) => new Response("x".repeat(5_000_000))', {}, { paced: false });
    assert.equal(body.length, 5_000_000);
  });

  test('made in pieces is sent piece by piece, while the program goes on', async () => {
    const code = `export default (request) => new Response((async function* () {
      for (const piece of ["a", new TextEncoder().encode("b"), ""]) { yield piece; await new Promise((done) => setTimeout(done, 30)); }
    })(), { headers: { "content-type": "text/event-stream" } })`;
    const { head, body, order } = await call(code);
    assert.deepEqual(head?.headers, [['content-type', 'text/event-stream']]);
    assert.equal(body, 'ab');
    assert.deepEqual(order, ['head', 'body', 'body', 'end']);
  });

  test('that breaks on the way ends the run with exit code 1 and without its end', async () => {
    const code = 'export default (request) => new Response((async function* () { yield "a"; throw new Error("broke"); })())';
    const { exitCode, order, stderr } = await call(code);
    assert.deepEqual([exitCode, order], [1, ['head', 'body']]);
    assert.match(stderr, /Error: broke/);
  });

  test('is at its end before what waitUntil holds is, which is still done', async () => {
    const code = `export default { fetch(request, env, ctx) {
      ctx.waitUntil(new Promise((done) => setTimeout(done, 30)).then(() => console.log("later")));
      return new Response("now");
    } }`;
    assert.deepEqual((await call(code)).order, ['head', 'body', 'end', 'stdout']);
  });

  test('with a header that no HTTP has is not sent, whatever the program did to its checks', async () => {
    const code = `RegExp.prototype.test = () => false; String.prototype.search = () => -1;
      export default (request) => new Response("x", { headers: { "x-a": "1\\r\\nset-cookie: stolen=1" } })`;
    const { head, exitCode } = await call(code);
    assert.deepEqual([head, exitCode], [undefined, 1]);
  });
});

describe('a program that cannot answer a request is invalid, with what to export', () => {
  const programs: readonly (readonly [string, IsolateTask])[] = [
    ['without a default export', moduleTask('export const a = 1;')],
    ['with a class', moduleTask('export default class { fetch() {} }')],
    ['with an object of something else', moduleTask('export default { get: () => {} }')],
    ['that is a script', scriptTask('console.log("ran")')],
  ];
  for (const [title, task] of programs)
    test(title, async () => {
      const { reason, message, order } = await ask({ ...task, request: requestOf({}) });
      assert.equal(reason, 'invalid');
      assert.match(message ?? '', /export default function \(request\).*export default \{ fetch\(request/);
      assert.deepEqual(order, []);
    });
});
