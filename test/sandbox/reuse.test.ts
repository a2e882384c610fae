/** Programs that are kept to be called again: what stays between two calls, what does not, and what ends it. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { IsolatePool } from '../../sandbox/isolate/pool.ts';
import type { IsolateTask } from '../../src/model/task.ts';
import { type Ended, moduleTask, record, type Recording, scriptTask } from './recording.ts';

const pool = new IsolatePool({ threads: 2, maxHostBytes: 700 * 2 ** 20 });
after(() => pool.close());

let lastRevision = 0;
let lastExecution = 0;

/** One program, called again and again. */
class Kept {
  readonly #code: string;
  readonly revision = `revision ${++lastRevision}`;

  constructor(code: string) {
    this.#code = code;
  }

  begin(input: unknown = null, more: Partial<IsolateTask> = {}, domain?: string): Recording {
    const { revision } = this;
    const task = moduleTask(this.#code, {
      revision,
      reuse: true,
      returns: 'outcome',
      paced: true,
      limits: { timeoutMs: 20_000 },
      ...more,
      env: { PRISN_EXECUTION_ID: `exec-${++lastExecution}`, ...more.env },
      ...(!more.request && more.stdin === undefined && { input: JSON.stringify(input) }),
    });
    return record((sink) => pool.start(task, sink, domain));
  }

  call(input?: unknown, more?: Partial<IsolateTask>, domain?: string): Promise<Ended> {
    return this.begin(input, more, domain).ended;
  }

  async result(input?: unknown, more?: Partial<IsolateTask>, domain?: string): Promise<unknown> {
    const { result, stderr } = await this.call(input, more, domain);
    assert.equal(stderr, '');
    return JSON.parse(result ?? 'null') as unknown;
  }

  /** @returns status and body of the response */
  async request(body = ''): Promise<readonly [number | undefined, string]> {
    const request = { method: body === '' ? 'GET' : 'POST', url: 'http://h/fn/kept?q=1', headers: [], body: Buffer.from(body) };
    let status: number | undefined;
    const chunks: Uint8Array[] = [];
    const { revision } = this;
    const task = moduleTask(this.#code, { request, revision, reuse: true, paced: true, limits: { timeoutMs: 20_000 } });
    const sink = { stdout: () => {}, stderr: () => {}, head: (head: { status: number }) => void (status = head.status) };
    await pool.start(task, { ...sink, body: (chunk) => void chunks.push(Uint8Array.from(chunk)) }).exited;
    return [status, Buffer.concat(chunks).toString()];
  }
}

const counter = 'let n = 0; export default () => ++n;';

describe('a program that is kept', () => {
  test('finds its variables as its last call left them', async () => {
    const kept = new Kept(counter);
    assert.deepEqual([await kept.result(), await kept.result(), await kept.result()], [1, 2, 3]);
  });

  test('gets the input, the execution and the exit code of each call, and its output goes to that call', async () => {
    const kept = new Kept(`
      export default async (input, { env }) => {
        console.log('before', input, process.exitCode);
        await null;
        console.log('after', input, env.PRISN_EXECUTION_ID === process.env.PRISN_EXECUTION_ID && env.PRISN_EXECUTION_ID);
        process.exitCode = input;
      };`);
    for (const input of [3, 4]) {
      const { stdout, exitCode } = await kept.call(input);
      assert.equal(stdout, `before ${input} undefined\nafter ${input} exec-${lastExecution}\n`);
      assert.equal(exitCode, input);
    }
  });

  test('takes standard input as input where there is none, and refuses what is no JSON', async () => {
    const kept = new Kept('export default (input) => [input];');
    assert.deepEqual(await kept.result(null, { stdin: '{"a":1}' }), [{ a: 1 }]);
    assert.deepEqual(await kept.result(null, { stdin: ' ' }), [null]);
    const { reason, exitCode, message } = await kept.call(null, { stdin: 'a=1' });
    assert.deepEqual([reason, exitCode], ['invalid', 2]);
    assert.match(message ?? '', /standard input is not JSON/);
  });

  test('answers requests, with a Response as with a value', async () => {
    const value = new Kept('let n = 0; export default (input) => ({ ...input, n: ++n });');
    assert.deepEqual(await value.request('{"a":"é"}'), [200, '{"a":"é","n":1}']);
    assert.deepEqual(await value.request(), [200, '{"q":"1","n":2}']);
    const response = new Kept(`
      let n = 0;
      export default { fetch: async (request) => new Response(request.method + new URL(request.url).search + (await request.text()) + ++n, { status: 201 }) };`);
    assert.deepEqual(await response.request('é'), [201, 'POST?q=1é1']);
    assert.deepEqual(await response.request(), [201, 'GET?q=12']);
    const pieces = new Kept(
      'export default (request) => new Response((async function* () { yield "a"; await null; yield "b"; })())',
    );
    assert.deepEqual(await pieces.request(), [200, 'ab']);
  });

  test('serves one call at a time in a context, and does not let one that waits hold up others', async () => {
    const kept = new Kept(`
      let isBusy = false;
      export default async (ms) => {
        if (isBusy) throw new Error('two at once');
        isBusy = true;
        console.log('begun');
        if (ms > 0) await new Promise((done) => setTimeout(done, ms));
        isBusy = false;
        return ms;
      };`);
    const slow = kept.begin(60_000);
    await slow.nextOutput();
    const results = await Promise.all(Array.from({ length: 60 }, (_, index) => kept.result(index % 4)));
    assert.deepEqual(
      results,
      results.map((_, index) => index % 4),
    );
    slow.stop();
    assert.equal((await slow.ended).reason, 'canceled');
  });

  test('goes on after a call that threw', async () => {
    const kept = new Kept('let n = 0; export default (input) => { n++; if (input) throw new RangeError(input); return n; };');
    await kept.result();
    const { exitCode, stderr } = await kept.call('no such moon');
    assert.equal(exitCode, 1);
    assert.match(stderr, /^file:\/\/\/program\.mjs:1\n[^]*\^[^]*RangeError: no such moon\n {4}at /);
    assert.equal(await kept.result(), 3);
  });

  test('keeps what is asked for by waitUntil, and loses timers and requests that a call leaves behind', async () => {
    let asked = 0;
    const server = createServer(() => void asked++).listen(0, '127.0.0.1');
    await new Promise((listening) => server.once('listening', listening));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const kept = new Kept(`
      export const seen = [];
      export default async (request, env, ctx) => {
        if (request.method === 'GET') return Response.json(seen);
        setTimeout(() => seen.push('timer'), 5);
        setInterval(() => seen.push('interval'), 5).unref();
        fetch('${address}').finally(() => seen.push('fetch'));
        ctx.waitUntil(new Promise((done) => setTimeout(done, 20)).then(() => seen.push('waited')));
        return new Response('x');
      };`);
    assert.deepEqual(await kept.request('first'), [200, 'x']);
    const seen = await kept.request();
    assert.match(seen[1], /"waited"/);
    assert.doesNotMatch(seen[1], /fetch/);
    await new Promise((done) => setTimeout(done, 30));
    assert.deepEqual(await kept.request(), seen);
    assert.ok(asked <= 1);
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });
});

describe('the context of a program that is kept', () => {
  const cases: readonly (readonly [string, unknown, Partial<Ended>])[] = [
    ['process.exit', 'process.exit(7)', { reason: 'exit', exitCode: 7 }],
    ['an exception of a timer', 'setTimeout(() => { throw 1; }); await new Promise(() => {})', { reason: 'exit', exitCode: 1 }],
    [
      'a rejection that nobody handles',
      'Promise.reject(new Error("x")); await new Promise((done) => setTimeout(done, 5000))',
      { reason: 'exit', exitCode: 1 },
    ],
    ['its timeout', 'for (;;);', { reason: 'timeout' }],
    ['its heap', 'const all = []; for (;;) all.push(new Array(1e4).fill(all.length))', { reason: 'memory' }],
    ['a promise that nothing settles', 'await new Promise(() => {})', { reason: 'exit', exitCode: 13 }],
  ];
  for (const [cause, code, expected] of cases)
    test(`ends with ${cause}, and the next call gets a new one`, async () => {
      const kept = new Kept(`let n = 0; export default async (fails) => { n++; if (fails) { ${code} } return n; };`);
      const limits = { timeoutMs: 1000, memoryBytes: 32 * 2 ** 20 };
      assert.deepEqual([await kept.result(0, { limits }), await kept.result(0, { limits })], [1, 2]);
      const { reason, exitCode } = await kept.call(1, { limits });
      assert.deepEqual({ reason, ...('exitCode' in expected && { exitCode }) }, expected);
      assert.equal(await kept.result(0, { limits }), 1);
    });

  test('is lost before what a program hoards takes all of its heap', async () => {
    const kept = new Kept(`
      const hoard = [];
      export default () => hoard.push(Array.from({ length: 20_000 }, (_, index) => index + 0.5));`);
    const limits = { timeoutMs: 20_000, memoryBytes: 32 * 2 ** 20 };
    const counts: unknown[] = [];
    for (let calls = 0; calls < 400; calls++) counts.push(await kept.result(null, { limits }));
    assert.ok(counts.lastIndexOf(1) > 64, `it lived on, with ${String(counts.at(-1))} arrays`);
  });

  test('is seen by no other program, revision, environment, arguments, limits or domain', async () => {
    const kept = new Kept(counter);
    assert.equal(await kept.result(), 1);
    assert.equal(await new Kept(counter).result(), 1);
    assert.equal(await kept.result(null, { env: { SECRET: 'changed' } }), 1);
    assert.equal(await kept.result(null, { args: ['other'] }), 1);
    assert.equal(await kept.result(null, { limits: { timeoutMs: 20_000, memoryBytes: 64 * 2 ** 20 } }), 1);
    assert.equal(await kept.result(null, {}, 'another namespace'), 1);
    assert.equal(await kept.result(null, { reuse: false }), 1);
    assert.equal(await kept.result(), 2);
  });
});

describe('a program that cannot be kept', () => {
  test('says so at its first call', async () => {
    const { reason, message } = await new Kept('export const other = 1;').call();
    assert.equal(reason, 'invalid');
    assert.match(message ?? '', /no default export that could be; write export default function/);
    const script = scriptTask('console.log("ran")', { revision: 'script', reuse: true });
    const ended = await record((sink) => pool.start(script, sink)).ended;
    assert.deepEqual([ended.reason, ended.stdout], ['invalid', '']);
  });

  test('fails at each call with what its evaluation threw', async () => {
    const kept = new Kept('console.log("evaluated"); throw new Error("at the top"); export default () => 1;');
    for (let call = 0; call < 2; call++) {
      const { exitCode, stdout, stderr } = await kept.call();
      assert.deepEqual([exitCode, stdout], [1, 'evaluated\n']);
      assert.match(stderr, /Error: at the top/);
    }
  });
});
