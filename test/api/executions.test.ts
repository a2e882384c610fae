import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { PrisnError } from '../../src/base/error.ts';
import type { Submission } from '../../src/engine/submission.ts';
import type { Execution } from '../../src/model/execution.ts';
import { aDeployment, anExecution, Running } from './harness.ts';

const path = '/api/v1/executions';
const pending: Execution = { ...anExecution, status: 'Pending', queue_position: 3 };

test('a trigger answers at once with 202, where it is found, and its place in the queue', async (t) => {
  const running = await Running.start(t, {
    deployments: { get: async () => aDeployment },
    executor: { submit: async () => pending },
  });
  const { status, headers, json } = await running.ask(path, { method: 'POST', body: '{"deployment_id":"backup"}' });
  assert.equal(status, 202);
  assert.equal(headers.location, `${path}/${anExecution.id}`);
  assert.deepEqual([json.status, json.queue_position], ['Pending', 3]);
});

/** What asks for how long a wait. */
const waits: readonly (readonly [query: string, fields: object, ms: number])[] = [
  ['', { wait: true }, 86_400_000],
  ['', { async: false }, 86_400_000],
  ['', { wait: 7 }, 7000],
  ['', { wait: '1.5s' }, 1500],
  ['', { wait: '12' }, 12_000],
  ['', { wait: '3d' }, 86_400_000],
  ['?wait=30s', {}, 30_000],
  ['?wait=30', {}, 30_000],
  ['?wait=true', {}, 86_400_000],
  ['?wait', {}, 86_400_000],
  ['?wait=2s', { wait: true }, 2000],
  ['', { wait: false }, 0],
  ['', { wait: 0 }, 0],
  ['', { async: true }, 0],
  ['?wait=false', { wait: true }, 0],
];

test('a wait is yes, whole seconds or a duration, in the body or the query', async (t) => {
  const waited: number[] = [];
  const running = await Running.start(t, {
    executor: { submit: async () => pending, wait: async (_id, ms) => (waited.push(ms), anExecution) },
  });
  for (const [query, fields, ms] of waits) {
    const body = JSON.stringify({ source: '1', runtime: 'js', ...fields });
    const { status } = await running.ask(path + query, { method: 'POST', body });
    assert.equal(status, ms === 0 ? 202 : 200, `${query} ${body}`);
    assert.equal(ms === 0 ? 0 : waited.pop(), ms, `${query} ${body}`);
  }
  assert.deepEqual(waited, []);
});

test('a wait that is over before the execution is answers 202 with what it is by then', async (t) => {
  const running = await Running.start(t, {
    executor: {
      submit: async () => pending,
      wait: async () => ({ ...anExecution, status: 'Running' }),
      get: async () => anExecution,
    },
  });
  const { status, json } = await running.ask(`${path}?wait=1s`, { method: 'POST', body: '{"source":"1","runtime":"js"}' });
  assert.deepEqual([status, json.status], [202, 'Running']);
  const found = await running.ask(`${path}/${anExecution.id}?wait=1s`);
  assert.deepEqual([found.status, found.json.status], [200, 'Running']);
});

test('a client that goes away ends the wait and not the execution', async (t) => {
  const waiting = Promise.withResolvers<AbortSignal>();
  const running = await Running.start(t, {
    executor: {
      submit: async () => pending,
      wait: async (_id, _ms, signal) => {
        waiting.resolve(signal ?? assert.fail());
        await once(signal ?? assert.fail(), 'abort');
        return pending;
      },
    },
  });
  const body = '{"source":"1","runtime":"js","wait":true}';
  const socket = connect(running.port, '127.0.0.1');
  socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost:${running.port}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  const signal = await waiting.promise;
  assert.equal(signal.aborted, false);
  socket.destroy();
  if (!signal.aborted) await once(signal, 'abort');
  // `cancel` is not faked: calling it would have been logged as a failure.
  assert.deepEqual(
    running.logged.filter(({ level }) => level !== 'debug'),
    [],
  );
});

test('shows the fields of the contract in their order, and nothing internal', async (t) => {
  const running = await Running.start(t, {
    executor: {
      get: async () => ({
        ...anExecution,
        process: { pid: 1, start: '2', boot: '3' },
        stdout: 'out',
        result: { b: [1], a: null },
      }),
    },
  });
  const { json } = await running.ask(`${path}/${anExecution.id}`);
  const { id, namespace, name, status, reason, exit_code, created_at, attempt, node_id, trigger } = anExecution;
  const expected = {
    id,
    namespace,
    name,
    status,
    reason,
    exit_code,
    created_at,
    result: { b: [1], a: null },
    stdout: 'out',
    attempt,
    node_id,
    trigger,
  };
  assert.equal(JSON.stringify(json), JSON.stringify(expected));
});

test('lists with total, page and cursor, as the filter says', async (t) => {
  const asked: unknown[] = [];
  const running = await Running.start(t, {
    deployments: { get: async () => aDeployment },
    executor: { list: async (filter, page) => (asked.push([filter, page]), { items: [anExecution], total: 7, next: 'c2' }) },
  });
  const first = await running.ask(path);
  assert.deepEqual({ ...first.json, items: [] }, { items: [], count: 1, total: 7, limit: 100, offset: 0, next_cursor: 'c2' });
  await running.ask(`${path}?namespace=team&status=Failed&since=2030-01-31T08:00:00%2B01:00&limit=5&offset=10`);
  await running.ask(`${path}?deployment_id=backup&cursor=c2`);
  await running.ask(`${path}?deployment_id=dep-gone`);
  await running.ask(`/api/v1/deployments/backup/executions?limit=1`);
  assert.deepEqual(asked, [
    [{}, { limit: 100, offset: 0 }],
    [
      { namespace: 'team', status: 'Failed', sinceMs: Date.parse('2030-01-31T07:00:00Z') },
      { limit: 5, offset: 10 },
    ],
    [{ deploymentId: aDeployment.id }, { limit: 100, cursor: 'c2' }],
    [{ deploymentId: 'dep-gone' }, { limit: 100, offset: 0 }],
    [{ deploymentId: aDeployment.id }, { limit: 1, offset: 0 }],
  ]);
});

test('an idempotency key stands for the caller and the body, whose order and wait do not count', async (t) => {
  const submissions: Submission[] = [];
  const running = await Running.start(t, {
    executor: { submit: async (submission) => (submissions.push(submission), pending), wait: async () => anExecution },
  });
  const ask = (body: string) => running.ask(path, { method: 'POST', headers: { 'Idempotency-Key': 'k1' }, body });
  await ask('{"source":"1","runtime":"js","input":{"a":1}}');
  await ask('{ "runtime":"js", "wait":"1s", "input":{"a":1}, "source":"1"}');
  await ask('{"source":"2","runtime":"js","input":{"a":1}}');
  await ask('{"source":"1","runtime":"js","input":{"a":12345678901234567890}}');
  await ask('{"source":"1","runtime":"js","input":{"a":12345678901234567891}}');
  const keys = submissions.map(({ idempotency }) => idempotency ?? assert.fail());
  assert.deepEqual(new Set(keys.map(({ caller, key }) => `${caller} ${key}`)), new Set(['loopback k1']));
  const [first, same, ...others] = keys.map(({ bodyHash }) => bodyHash);
  assert.equal(first, same);
  assert.equal(new Set([first, ...others]).size, 4);
});

test('a key that is not printable or too long is refused', async (t) => {
  const running = await Running.start(t);
  for (const key of ['', 'a b', 'x'.repeat(256)]) {
    const ask = { method: 'POST', headers: { 'idempotency-key': key }, body: '{"source":"1","runtime":"js"}' };
    const { status, json } = await running.ask(path, ask);
    assert.equal(status, 400);
    assert.match(json.message, /^Idempotency-Key: has to be 1 to 255/);
  }
});

test('variables that are not the caller’s to give are refused', async (t) => {
  const running = await Running.start(t);
  const secrets = [{ name: 'db', env: 'DB' }];
  const cases = [
    [{ env: { PRISN_DATA: '/etc' } }, /^env: "PRISN_DATA" .* set by prisn/],
    [{ secrets: [{ name: 'db', env: 'PRISN_API' }] }, /^secrets: "PRISN_API" .* set by prisn/],
    [{ secrets: [{ name: 'a b', env: 'A' }] }, /^secrets: "a b" is neither/],
    [{ env: { DB: '1' }, secrets }, /^DB is given by env and by the secret db/],
  ] as const;
  for (const [fields, says] of cases) {
    const body = JSON.stringify({ source: '1', runtime: 'js', ...fields });
    const { status, json } = await running.ask(path, { method: 'POST', body });
    assert.equal(status, 400);
    assert.match(json.message, says);
  }
});

test('secrets that are not there are refused before anything is accepted', async (t) => {
  const asked: unknown[] = [];
  const check = async (...args: unknown[]) => {
    asked.push(args);
    throw new PrisnError('not_found', 'a secret is missing');
  };
  const running = await Running.start(t, { secrets: { check } });
  const secrets = [{ name: 'nope', env: 'A' }];
  const body = JSON.stringify({ source: '1', runtime: 'js', namespace: 'team', secrets });
  assert.equal((await running.ask(path, { method: 'POST', body })).status, 404);
  assert.deepEqual(asked, [['team', secrets]]);
});

test('a full queue is told with 503 and when to try again', async (t) => {
  const running = await Running.start(t, {
    executor: {
      submit: async () => {
        throw new PrisnError('busy', '20000 executions wait already', { retryAfterS: 2.4 });
      },
    },
  });
  const { status, headers, json } = await running.ask(path, { method: 'POST', body: '{"source":"1","runtime":"js"}' });
  assert.equal(status, 503);
  assert.equal(headers['retry-after'], '3');
  assert.deepEqual(json, { error: 'Service Unavailable', code: 'busy', message: '20000 executions wait already' });
});

test('a replay answers with the first execution, 200 once that has ended', async (t) => {
  let first: Execution = pending;
  const running = await Running.start(t, { executor: { submit: async () => first } });
  const ask = { method: 'POST', headers: { 'idempotency-key': 'k1' }, body: '{"source":"1","runtime":"js"}' };
  assert.equal((await running.ask(path, ask)).status, 202);
  first = anExecution;
  const { status, json } = await running.ask(path, ask);
  assert.deepEqual([status, json.id, json.status], [200, anExecution.id, 'Completed']);
});
