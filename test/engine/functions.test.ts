import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { PrisnError } from '../../src/base/error.ts';
import type { FunctionCall, Submission } from '../../src/engine/executor.ts';
import { Functions, type FunctionClient, type FunctionResponse } from '../../src/engine/functions.ts';
import type { CallSink } from '../../src/engine/live.ts';
import type { Execution } from '../../src/model/execution.ts';
import type { FunctionRequest } from '../../src/model/task.ts';
import { openWorld, refused } from './deployments-harness.ts';

/** A program that the test plays. */
class PlayedCall implements FunctionCall {
  readonly id = 'exec-1';
  readonly started = Promise.resolve();
  readonly submission: Submission;
  readonly request: FunctionRequest;
  readonly sink: CallSink;
  readonly #ended = Promise.withResolvers<Execution>();
  readonly ended = this.#ended.promise;
  takenBytes = 0;
  isCanceled = false;

  constructor(submission: Submission, request: FunctionRequest, sink: CallSink) {
    this.submission = submission;
    this.request = request;
    this.sink = sink;
  }

  taken(bytes: number): void {
    this.takenBytes += bytes;
  }

  cancel(): void {
    this.isCanceled = true;
    this.end({ status: 'Failed', reason: 'canceled', exit_code: 125 });
  }

  say(text: string, stream: 'stdout' | 'stderr' | 'body' = 'stdout'): this {
    this.sink[stream]?.(Buffer.from(text));
    return this;
  }

  end(fields: Partial<Execution> = {}): void {
    const times = { created_at: '2026-01-01T00:00:00.000Z' };
    const base = {
      id: this.id,
      namespace: 'default',
      name: 'hook',
      attempt: 1,
      node_id: 'n',
      trigger: 'function',
      ...times,
    } as const;
    this.#ended.resolve({ ...base, status: 'Completed', reason: 'exit', exit_code: 0, ...fields });
  }

  exit(code: number): void {
    this.end({ status: 'Failed', exit_code: code });
  }

  refuse(error: Error): void {
    this.#ended.reject(error);
  }
}

interface Hook {
  readonly calls: PlayedCall[];
  call(request?: Partial<FunctionRequest>, client?: FunctionClient): Promise<FunctionResponse>;
  /** Resolves once the program of the next call has started. */
  next(): Promise<PlayedCall>;
}

/** A function named `hook`, of a file with this extension. */
async function openHook(t: TestContext, extension: 'py' | 'js', env: Record<string, string> = {}): Promise<Hook> {
  const { deployments, upload } = await openWorld(t);
  const bundle = await upload({ [`a.${extension}`]: '' });
  await deployments.create('default', 'hook', { bundle, entrypoint: `a.${extension}`, env });
  const calls: PlayedCall[] = [];
  let begun = Promise.withResolvers<PlayedCall>();
  const executor = {
    call(submission: Submission, request: FunctionRequest, sink: CallSink): PlayedCall {
      const call = new PlayedCall(submission, request, sink);
      calls.push(call);
      begun.resolve(call);
      begun = Promise.withResolvers();
      return call;
    },
    kindOf: async () => (extension === 'js' ? ('isolate' as const) : ('process' as const)),
  };
  const functions = new Functions(executor, deployments);
  const plain = { method: 'POST', url: 'http://localhost/fn/hook/x?y', headers: [], body: new Uint8Array() };
  return {
    calls,
    call: (request, client) => functions.call('default', 'hook', { ...plain, ...request }, client),
    next: () => begun.promise,
  };
}

async function textOf({ body }: FunctionResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function errorOf(response: FunctionResponse): Promise<{ error: string; code: string; message: string }> {
  return JSON.parse(await textOf(response)) as { error: string; code: string; message: string };
}

async function answered(hook: Hook, play: (call: PlayedCall) => void): Promise<FunctionResponse> {
  const program = hook.next();
  const response = hook.call();
  play(await program);
  return response;
}

describe('a function whose program is a process', () => {
  test('gets the request by CGI, and answers with what it writes', async (t) => {
    const hook = await openHook(t, 'py');
    const program = hook.next();
    const calling = hook.call({ headers: [['x-a', '1']], body: Buffer.from('in') }, { remoteAddress: '192.0.2.1' });
    const { submission, request } = await program;
    const { env = {}, deployment, trigger } = submission;
    assert.deepEqual([deployment?.name, trigger, request.body.toString()], ['hook', 'function', 'in']);
    const { HTTP_X_A: header, PATH_INFO: path, CONTENT_LENGTH: length, REMOTE_ADDR: address } = env;
    assert.deepEqual([header, path, length, address], ['1', '/x', '2', '192.0.2.1']);
    hook.calls[0]?.say('out').end();
    const response = await calling;
    assert.deepEqual([response.status, response.executionId, await textOf(response)], [200, 'exec-1', 'out']);
    assert.equal(hook.calls[0]?.takenBytes, 3);
  });

  test('cannot have its configuration changed by a header', async (t) => {
    const hook = await openHook(t, 'py', { HTTP_TOKEN: 'secret', QUERY_STRING: 'mine' });
    const program = hook.next();
    const calling = hook.call({ headers: [['token', 'guessed']] });
    const { submission } = await program;
    assert.equal('HTTP_TOKEN' in (submission.env ?? {}) || 'QUERY_STRING' in (submission.env ?? {}), false);
    hook.calls[0]?.end();
    assert.equal((await calling).status, 200);
  });

  test('that fails before it answered is a 502 with the last lines of what it complained about', async (t) => {
    const hook = await openHook(t, 'py');
    const complaints = [...Array(40).keys()].map((i) => `line ${i}`).join('\n');
    const response = await answered(hook, (call) => call.say('half of').say(`${complaints}\n`, 'stderr').exit(3));
    assert.equal(response.status, 502);
    assert.deepEqual(response.headers[0], ['content-type', 'application/json; charset=utf-8']);
    const { error, code, message } = await errorOf(response);
    assert.deepEqual([error, code], ['Bad Gateway', 'exit']);
    assert.match(message, /^execution exec-1 exited with 3\nline 20\n[^]*\nline 39$/);
  });

  test('that fails after it answered cuts the answer off', async (t) => {
    const hook = await openHook(t, 'py');
    const response = await answered(hook, (call) => call.say('Status: 201\n\npart'));
    assert.equal(response.status, 201);
    const pieces = response.body[Symbol.asyncIterator]();
    assert.equal(Buffer.from((await pieces.next()).value as Uint8Array).toString(), 'part');
    hook.calls[0]?.exit(1);
    await assert.rejects(pieces.next(), /exited with 1/);
    assert.equal(hook.calls[0]?.isCanceled, false);
  });

  test('that says what no client may see is a 502 and is ended', async (t) => {
    const hook = await openHook(t, 'py');
    for (const output of ['Status: 200\nnothing\n\n', 'Status: 100\n\n', 'Status: 999\n\n']) {
      const response = await answered(hook, (call) => call.say(output).say('more'));
      assert.deepEqual([response.status, (await errorOf(response)).code], [502, 'invalid']);
      assert.equal(hook.calls.at(-1)?.isCanceled, true);
    }
    const dropped = await answered(hook, (call) =>
      call.say('Status: 200\nConnection: close\nTransfer-Encoding: x\nX-A: b\n\n').end(),
    );
    assert.deepEqual(dropped.headers, [['x-a', 'b']]);
  });
});

describe('a function whose program is a handler', () => {
  test('answers with head and body as they come, and no faster than they are read', async (t) => {
    const hook = await openHook(t, 'js');
    const response = await answered(hook, (call) => {
      call.say('only for the log');
      call.sink.head?.({
        status: 207,
        headers: [
          ['set-cookie', 'a'],
          ['set-cookie', 'b'],
          ['keep-alive', '5'],
        ],
      });
      call.say('one', 'body');
    });
    assert.deepEqual(
      [response.status, response.headers],
      [
        207,
        [
          ['set-cookie', 'a'],
          ['set-cookie', 'b'],
        ],
      ],
    );
    const call = hook.calls[0] as PlayedCall;
    assert.deepEqual([call.submission.env, call.takenBytes], [undefined, 0]);
    const pieces = response.body[Symbol.asyncIterator]();
    assert.equal(Buffer.from((await pieces.next()).value as Uint8Array).toString(), 'one');
    assert.equal(call.takenBytes, 0);
    const waiting = pieces.next();
    call.say('two', 'body').say('', 'body');
    assert.equal(Buffer.from((await waiting).value as Uint8Array).toString(), 'two');
    assert.equal(call.takenBytes, 3);
    assert.equal((await pieces.next()).done, true);
    assert.equal(call.takenBytes, 6);
  });

  test('has answered once its body is whole, whatever becomes of it then', async (t) => {
    const hook = await openHook(t, 'js');
    const response = await answered(hook, (call) => {
      call.sink.head?.({ status: 200, headers: [] });
      call.say('whole', 'body').say('', 'body').exit(1);
    });
    assert.equal(await textOf(response), 'whole');
  });

  test('that ends before its body does cuts the answer off', async (t) => {
    const hook = await openHook(t, 'js');
    const response = await answered(hook, (call) => {
      call.sink.head?.({ status: 200, headers: [] });
      call.say('part', 'body').end();
    });
    await assert.rejects(textOf(response), /ended without an answer/);
  });

  test('that fails before its head is told by how it failed', async (t) => {
    const hook = await openHook(t, 'js');
    const cases = [
      [{ reason: 'exit', exit_code: 1 }, 500, 'exit'],
      [{ reason: 'timeout', error: 'it ran longer than 1s' }, 504, 'timeout'],
      [{ reason: 'memory' }, 502, 'memory'],
      [{ reason: 'crashed' }, 502, 'crashed'],
      [{ reason: 'invalid', error: 'nothing answers requests' }, 502, 'invalid'],
      [{ reason: 'interrupted' }, 503, 'interrupted'],
    ] as const;
    for (const [how, status, code] of cases) {
      const response = await answered(hook, (call) => call.say('Error: no\n', 'stderr').end({ status: 'Failed', ...how }));
      const body = await errorOf(response);
      assert.deepEqual([response.status, body.code], [status, code]);
      assert.match(body.message, 'error' in how ? new RegExp(`${how.error}\nError: no$`) : /Error: no$/);
      assert.equal(
        response.headers.some(([name]) => name === 'retry-after'),
        status === 503,
      );
    }
    const silent = await answered(hook, (call) => call.end());
    assert.deepEqual([silent.status, (await errorOf(silent)).message], [502, 'execution exec-1 ended without an answer']);
  });

  test('tells anybody that it failed, and not why', async (t) => {
    for (const extension of ['js', 'py'] as const) {
      const hook = await openHook(t, extension);
      const program = hook.next();
      const calling = hook.call({}, { isPublic: true });
      (await program)
        .say('at /home/ada/secret.js\n', 'stderr')
        .end({ status: 'Failed', reason: 'invalid', error: 'no secret db' });
      const response = await calling;
      const { code, message } = await errorOf(response);
      assert.deepEqual([response.status, code, message], [502, 'invalid', 'execution exec-1 failed; its log has more']);
    }
  });

  test('whose head no client may see is a 502', async (t) => {
    const hook = await openHook(t, 'js');
    const heads = [
      { status: 200, headers: [['x\ny', 'a']] },
      { status: 200, headers: [['x', 'a\r\nset-cookie: b']] },
      { status: 99, headers: [] },
      { status: 1e3, headers: [] },
    ] as const;
    for (const head of heads) {
      const response = await answered(hook, (call) => {
        call.say('too soon', 'body').sink.head?.(head);
        call.say('body', 'body');
      });
      assert.deepEqual([response.status, (await errorOf(response)).code], [502, 'invalid']);
      assert.equal(hook.calls.at(-1)?.isCanceled, true);
    }
  });
});

describe('a call of a function', () => {
  test('that is refused by the queue is the error of the queue', async (t) => {
    const hook = await openHook(t, 'py');
    const busy = new PrisnError('busy', 'the queue is full', { retryAfterS: 1 });
    await assert.rejects(
      answered(hook, (call) => call.refuse(busy)),
      busy,
    );
  });

  test('of a deployment that is not there is refused', async (t) => {
    const { deployments } = await openWorld(t);
    const functions = new Functions({ call: () => assert.fail('called'), kindOf: () => assert.fail('asked') }, deployments);
    const request = { method: 'GET', url: 'http://localhost/fn/none', headers: [], body: new Uint8Array() };
    await assert.rejects(functions.call('default', 'none', request), refused('not_found', '"none"'));
  });

  test('ends with its client: before the head, by cancel, and when the body is not read on', async (t) => {
    const hook = await openHook(t, 'js');
    const leaving = new AbortController();
    const program = hook.next();
    const calling = hook.call({}, { signal: leaving.signal });
    await program;
    leaving.abort();
    assert.equal(hook.calls[0]?.isCanceled, true);
    assert.equal((await errorOf(await calling)).code, 'canceled');
    const start = (call: PlayedCall): void => {
      call.sink.head?.({ status: 200, headers: [] });
      call.say('part', 'body');
    };
    (await answered(hook, start)).cancel();
    assert.equal(hook.calls[1]?.isCanceled, true);
    for await (const _chunk of (await answered(hook, start)).body) break;
    assert.equal(hook.calls[2]?.isCanceled, true);
  });

  test('is cut off when its program is too far ahead of its client', async (t) => {
    const hook = await openHook(t, 'py');
    const chunk = new Uint8Array(2 ** 20);
    const response = await answered(hook, (call) => {
      for (let i = 0; i < 66; i++) call.sink.stdout(chunk);
    });
    assert.equal(hook.calls[0]?.isCanceled, true);
    await assert.rejects(textOf(response), /16mb behind/);
  });

  test('is cut off when it is furthest ahead of all that are too far ahead together', async (t) => {
    const hook = await openHook(t, 'py');
    const chunk = new Uint8Array(2 ** 20);
    const sizes = [13, 13, 15, 13, 11];
    const responses: FunctionResponse[] = [];
    for (const size of sizes)
      responses.push(
        await answered(hook, (call) => {
          for (let i = 0; i < size; i++) call.sink.stdout(chunk);
        }),
      );
    assert.deepEqual(
      hook.calls.map((call) => call.isCanceled),
      [false, false, true, false, false],
    );
    await assert.rejects(textOf(responses[2] as FunctionResponse), /together/);
    hook.calls[0]?.end();
    assert.equal((await textOf(responses[0] as FunctionResponse)).length, 13 * 2 ** 20);
    for (const response of responses) response.cancel();
    const next = await answered(hook, (call) => {
      for (let i = 0; i < 16; i++) call.sink.stdout(chunk);
      call.end();
    });
    assert.equal((await textOf(next)).length, 16 * 2 ** 20, 'all is forgotten');
  });
});
