import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { test, type TestContext } from 'node:test';
import type { Submission } from '../../src/engine/submission.ts';
import { aDeployment, anExecution, Running, type Ask } from './harness.ts';

const executions = '/api/v1/executions';

interface Taken {
  readonly running: Running;
  readonly submissions: Submission[];
}

async function start(t: TestContext): Promise<Taken> {
  const submissions: Submission[] = [];
  const running = await Running.start(t, {
    secrets: { check: async () => undefined },
    executor: {
      submit: async (submission) => {
        submissions.push(submission);
        return { ...anExecution, status: 'Pending' };
      },
      list: async () => ({ items: [], total: 0 }),
    },
    deployments: { get: async () => aDeployment },
  });
  return { running, submissions };
}

/** Bodies of POST /executions, and what the refusal says. */
const refused: readonly (readonly [body: string, message: RegExp])[] = [
  ['{}', /^nothing says what to run: give deployment_id, or source with runtime, or bundle with entrypoint$/],
  ['[]', /^the body: has to be an object, not an array$/],
  ['null', /^the body: has to be an object, not null$/],
  ['{"source":"1"}', /^runtime: is missing/],
  ['{"bundle":"sha256-1"}', /^entrypoint: is missing/],
  ['{"source":"1","runtime":"js","deployment_id":"backup"}', /^deployment_id and source exclude each other/],
  ['{"deployment_id":"backup","entrypoint":"a.py"}', /^entrypoint: goes with bundle only$/],
  ['{"deployment_id":"backup","sourc":"1"}', /^sourc: there is no such field; did you mean source\?$/],
  ['{"deployment_id":7}', /^deployment_id: has to be a string, not a number$/],
  ['{"deployment_id":"a b"}', /^deployment_id: "a b" is not a name/],
  ['{"deployment_id":"backup","env":{"1FOO":"x"}}', /^env\.1FOO: is no valid name$/],
  ['{"deployment_id":"backup","env":{"FOO":1}}', /^env\.FOO: has to be a string, not a number$/],
  ['{"deployment_id":"backup","env":{"FOO":"a\\u0000b"}}', /^env: FOO contains a NUL byte/],
  ['{"deployment_id":"backup","args":["a",null]}', /^args\[1\]: has to be a string, not null$/],
  ['{"deployment_id":"backup","secrets":[{"name":"db"}]}', /^secrets\[0\]\.env: is missing$/],
  ['{"deployment_id":"backup","secrets":[{"name":"db","env":"X","as":"y"}]}', /^secrets\[0\]\.as: there is no such field/],
  ['{"deployment_id":"backup","retries":101}', /^retries: 101 is out of range; at least 0, at most 100$/],
  ['{"deployment_id":"backup","retries":1.5}', /^retries: has to be a whole number, not 1\.5$/],
  ['{"deployment_id":"backup","resources":{"cpu":0}}', /^resources\.cpu: 0 is out of range; more than 0, at most 9999$/],
  ['{"deployment_id":"backup","resources":{"disk_mb":5}}', /^resources\.disk_mb: cannot be enforced/],
  ['{"deployment_id":"backup","trigger":"cron"}', /^trigger: "cron" is none of cli, api$/],
  ['{"deployment_id":"backup","timeout":"30"}', /^timeout: '30' is not a duration/],
  ['{"deployment_id":"backup","wait":{}}', /^wait: has to be true, whole seconds, or a duration$/],
  ['{"deployment_id":"backup","wait":"soon"}', /^wait: 'soon' is not a duration/],
  ['{"deployment_id":"backup","namespace":"../x"}', /^namespace: "\.\.\/x" is not a name/],
  ['{"deployment_id":"backup","name":"exec-1"}', /^name: "exec-1" looks like an id/],
  ['{"deployment_id":"backup","input":{"a":1,"a":2}}', /"a" twice/],
  ['{"__proto__":{"deployment_id":"backup"}}', /"__proto__"/],
  ['{"constructor":{}}', /^constructor: there is no such field$/],
  ['{"deployment_id":', /^the body is not valid JSON/],
];

test('a body that is not right is refused with a message that names the field', async (t) => {
  const { running, submissions } = await start(t);
  for (const [body, message] of refused) {
    const { status, json } = await running.ask(executions, { method: 'POST', body });
    assert.equal(status, 400, body);
    assert.match(json.message, message, body);
    assert.equal(json.code, 'usage', body);
  }
  assert.equal(submissions.length, 0);
});

test('a body is JSON whatever its Content-Type says', async (t) => {
  const { running, submissions } = await start(t);
  for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'application/json', 'garbage', 'multipart/form-data']) {
    const { status } = await running.ask(executions, {
      method: 'POST',
      headers: { 'content-type': type },
      body: '{"deployment_id":"backup"}',
    });
    assert.equal(status, 202, type);
  }
  assert.equal(submissions.length, 5);
});

test('input reaches the engine exactly as it was sent', async (t) => {
  const { running, submissions } = await start(t);
  await running.ask(executions, {
    method: 'POST',
    body: '{"deployment_id":"backup","input": {"n": 12345678901234567890, "x":1.0} }',
  });
  await running.ask(executions, { method: 'POST', body: '{"deployment_id":"backup","input":null}' });
  await running.ask(executions, { method: 'POST', body: '{"deployment_id":"backup"}' });
  assert.deepEqual(
    submissions.map(({ input }) => input),
    ['{"n": 12345678901234567890, "x":1.0}', 'null', undefined],
  );
});

test('a submission carries what the body says', async (t) => {
  const { running, submissions } = await start(t);
  const body = {
    source: 'print(1)',
    runtime: 'python3',
    name: 'report',
    namespace: 'team',
    args: ['-v'],
    env: { LEVEL: 'debug' },
    secrets: [{ name: 'db', env: 'DB' }],
    stdin: 'in',
    timeout: '1.5m',
    retries: 2,
    resources: { memory_mb: 64 },
    trigger: 'cli',
  };
  const { status, headers } = await running.ask(executions, { method: 'POST', body: JSON.stringify(body) });
  assert.equal(status, 202);
  assert.equal(headers.location, `${executions}/${anExecution.id}`);
  const { source, runtime, timeout: _timeout, ...rest } = body;
  assert.deepEqual(submissions, [{ ...rest, program: { source, runtime }, timeoutMs: 90_000 }]);
});

/** Queries of GET /executions, and what the refusal says. */
const queries: readonly (readonly [query: string, message: RegExp])[] = [
  ['limit=0', /^limit: 0 is out of range; at least 1, at most 1000$/],
  ['limit=1001', /^limit: 1001 is out of range/],
  ['limit=ten', /^limit: has to be a whole number, not "ten"$/],
  ['limit=', /^limit: has to be a whole number, not ""$/],
  ['limit=1e3', /^limit: has to be a whole number/],
  ['limit=1&limit=2', /^limit: has to be a whole number, not an array$/],
  ['offset=-1', /^offset: -1 is out of range; at least 0$/],
  ['status=runing', /^status: "runing" is none of Pending, Running, Completed, Failed$/],
  ['limt=5', /^limt: there is no such field; did you mean limit\?$/],
  ['since=yesterday', /^since: 'yesterday' is not a duration/],
  ['since=2030-02-31', /^since: '2030-02-31' is no RFC 3339 time/],
  ['cursor=x&offset=5', /^cursor and offset exclude each other$/],
  ['namespace=a%20b', /^namespace: "a b" is not a name/],
];

test('a query that is not right is refused, not taken for something else', async (t) => {
  const { running } = await start(t);
  for (const [query, message] of queries) {
    const { status, json } = await running.ask(`${executions}?${query}`);
    assert.equal(status, 400, query);
    assert.match(json.message, message, query);
  }
});

test('a body that is too large is refused, and the message names limit and setting', async (t) => {
  const running = await Running.start(t, {}, { bodyLimit: 1024 });
  const body = JSON.stringify({ source: 'x'.repeat(2000), runtime: 'js' });
  const { status, json } = await running.ask(executions, { method: 'POST', body });
  assert.equal(status, 413);
  assert.deepEqual([json.code, json.message], ['too_large', 'the body is larger than 1kb, the setting body_limit']);
  const chunked = await running.raw(
    `POST ${executions} HTTP/1.1\r\nHost: localhost:${running.port}\r\nTransfer-Encoding: chunked\r\n\r\n` +
      `${(2000).toString(16)}\r\n${'x'.repeat(2000)}\r\n`,
  );
  assert.match(chunked, /^HTTP\/1\.1 413 /);
});

test('a compressed body is refused', async (t) => {
  const { running } = await start(t);
  const ask: Ask = { method: 'POST', headers: { 'content-encoding': 'gzip' }, body: gzipSync('{"deployment_id":"backup"}') };
  const { status, json } = await running.ask(executions, ask);
  assert.equal(status, 415);
  assert.match(json.message, /^Content-Encoding: gzip is not understood/);
});

test('names of 10 kB are refused', async (t) => {
  const { running } = await start(t);
  for (const path of ['/api/v1/deployments/', '/api/v1/executions/', '/fn/']) {
    const { status, json } = await running.ask(path + 'a'.repeat(10_000));
    assert.equal(status, 400, path);
    assert.equal(json.code, 'usage');
  }
});

test('an operation without a body takes none and an empty object, and nothing else', async (t) => {
  const running = await Running.start(t, { executor: { cancel: async () => anExecution } });
  const cancel = `${executions}/${anExecution.id}/cancel`;
  for (const body of [undefined, '', '{}'])
    assert.equal((await running.ask(cancel, { method: 'POST', ...(body !== undefined && { body }) })).status, 200);
  assert.equal(
    (await running.ask(cancel, { method: 'POST', body: '{"force":true}' })).json.message,
    'force: there is no such field',
  );
});
