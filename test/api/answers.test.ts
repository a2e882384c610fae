import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PrisnError } from '../../src/base/error.ts';
import { routes, type OperationName } from '../../src/api/contract/routes.ts';
import type { Role } from '../../src/model/access.ts';
import { aDeployment, anExecution, Running } from './harness.ts';

test('every refusal has the same shape, wherever it comes from', async (t) => {
  const running = await Running.start(t, {
    executor: {
      get: async (id) => {
        if (id === 'exec-broken') throw new TypeError('a bug');
        if (id === 'exec-odd') return Promise.reject('a string');
        throw new PrisnError('not_found', `there is no execution ${id}`);
      },
    },
  });
  const asks = [
    ['/api/v1/executions/exec-1', {}, 404, 'not_found', 'Not Found'],
    ['/api/v1/executions/exec-broken', {}, 500, 'internal', 'Internal Server Error'],
    ['/api/v1/executions/exec-odd', {}, 500, 'internal', 'Internal Server Error'],
    ['/nowhere', {}, 404, 'not_found', 'Not Found'],
    ['/nowhere', { method: 'POST', body: 'x' }, 404, 'not_found', 'Not Found'],
    ['/api/v1/nodes', { method: 'PROPFIND' }, 405, 'method_not_allowed', 'Method Not Allowed'],
    ['/api/v1/none', { method: 'PROPFIND' }, 404, 'not_found', 'Not Found'],
    ['/health', { headers: { expect: 'foo' } }, 417, 'usage', 'Expectation Failed'],
    ['/health', { method: 'DELETE' }, 405, 'method_not_allowed', 'Method Not Allowed'],
    ['/api/v1/executions/a%zz', {}, 400, 'usage', 'Bad Request'],
    ['/health', { headers: { host: 'evil.example' } }, 403, 'forbidden', 'Forbidden'],
    ['/health', { headers: { 'x-long': 'x'.repeat(20_000) } }, 431, 'usage', 'Request Header Fields Too Large'],
    ['/docs/static/nothing.js', {}, 404, 'not_found', 'Not Found'],
  ] as const;
  for (const [path, ask, status, code, error] of asks) {
    const answer = await running.ask(path, ask);
    assert.equal(answer.status, status, path);
    assert.deepEqual(Object.keys(answer.json), ['error', 'code', 'message'], path);
    assert.deepEqual([answer.json.code, answer.json.error], [code, error], path);
    assert.ok(answer.json.message.length > 10, path);
    assert.match(String(answer.headers['x-request-id']), /^[\w-]{36}$/, path);
    assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8', path);
  }
});

test('what is prisn’s own fault is told to the log with its cause, and not to the client', async (t) => {
  const running = await Running.start(t, {
    executor: {
      get: async () => {
        throw new Error('/home/me/.prisn/key is broken');
      },
    },
  });
  const { text, headers } = await running.ask('/api/v1/executions/exec-1');
  assert.doesNotMatch(text, /\.prisn/);
  const [warning] = running.logged.filter(({ level }) => level === 'warn');
  assert.equal(warning?.fields['request_id'], headers['x-request-id']);
  assert.match(String(warning?.fields['err']), /key is broken/);
});

test('a sane X-Request-Id is kept, another is replaced', async (t) => {
  const running = await Running.start(t);
  const idFor = async (id: string) => (await running.ask('/health', { headers: { 'x-request-id': id } })).headers['x-request-id'];
  assert.equal(await idFor('trace-1:a.b_C'), 'trace-1:a.b_C');
  for (const id of ['', 'a b', 'x'.repeat(200), '<script>']) assert.match(String(await idFor(id)), /^[\da-f-]{36}$/);
});

test('a request is one line of the log, without its query', async (t) => {
  const running = await Running.start(t);
  await running.ask('/health?token=secret', { headers: { 'x-request-id': 'r1' } });
  const [line] = running.logged;
  assert.equal(line?.level, 'debug');
  const { ms, ...fields } = line?.fields ?? {};
  assert.deepEqual(fields, { request_id: 'r1', method: 'GET', path: '/health', status: 200 });
  assert.ok(Number(ms) >= 0);
});

test('a method that a path does not have is told those that it has', async (t) => {
  const running = await Running.start(t);
  const { status, headers } = await running.ask('/api/v1/deployments/x', { method: 'POST', body: '{"broken' });
  assert.deepEqual([status, headers.allow], [405, 'DELETE, GET, HEAD, PATCH, PUT']);
  assert.equal((await running.ask('/api/v1/executions', { method: 'OPTIONS' })).headers.allow, 'GET, HEAD, POST');
});

test('monitors find out whether it is alive, and whether it takes work', async (t) => {
  let reasons: string[] = [];
  const running = await Running.start(t, {
    readiness: () => ({ ready: reasons.length === 0, reasons }),
    metrics: { text: async () => 'prisn_up 1\n', contentType: 'text/plain; version=0.0.4; charset=utf-8' },
  });
  const health = await running.ask('/health');
  assert.equal(health.status, 200);
  assert.deepEqual({ ...health.json, uptime_ms: 0 }, { status: 'ok', version: '1.2.3', pid: process.pid, uptime_ms: 0 });
  assert.deepEqual((await running.ask('/ready')).json, { status: 'ready', reasons: [] });
  reasons = ['the store fails'];
  const ready = await running.ask('/ready');
  assert.deepEqual([ready.status, ready.headers['retry-after'], ready.json.reasons], [503, '1', reasons]);
  const metrics = await running.ask('/metrics');
  assert.deepEqual([metrics.headers['content-type'], metrics.text], ['text/plain; version=0.0.4; charset=utf-8', 'prisn_up 1\n']);
  assert.equal((await running.ask('/')).json.name, 'prisn');
});

test('a caller may do what its role allows, and nothing is done before that is known', async (t) => {
  for (const role of ['viewer', 'developer', 'admin'] satisfies Role[]) {
    const running = await Running.start(t, {}, {}, () => ({ id: 'somebody', role }));
    for (const name of Object.keys(routes) as OperationName[]) {
      const { method, path, role: needed } = routes[name];
      const { status, json } = await running.ask(path.replace(/:\w+/, 'x'), {
        method,
        ...(method.startsWith('P') && { body: '{}' }),
      });
      const isAllowed = role === 'admin' || needed === 'viewer' || needed === role;
      assert.equal(status === 403, !isAllowed, `${role} ${name} ${status}`);
      if (!isAllowed) assert.match(json.message, new RegExp(`needs the role ${needed}, and somebody is ${role}$`));
    }
  }
});

test('a deployment is shown with its status and the id of its code', async (t) => {
  const status = {
    phase: 'Stopped',
    ready_replicas: 0,
    desired_replicas: 0,
    restarts: 0,
    last_updated: aDeployment.updated_at,
  } as const;
  const running = await Running.start(t, {
    deployments: {
      get: async () => aDeployment,
      status: async () => status,
      folders: () => ({ work: '/work/2', data: '/data' }),
      put: async () => ({ deployment: aDeployment, created: true, changed: true }),
      delete: async () => {},
      revisions: async () => [{ ...aDeployment, revision: 2 }, aDeployment],
      list: async () => ({ items: [aDeployment], total: 5 }),
    },
  });
  const path = '/api/v1/deployments/backup';
  const { json } = await running.ask(path);
  assert.equal(json.source_hash, aDeployment.bundle);
  assert.deepEqual(json.status, status);
  assert.deepEqual([json.work_dir, json.data_dir], ['/work/2', '/data']);
  assert.equal('bundle' in json || 'chosen_runtime' in json, false);
  const put = { method: 'PUT', body: '{"source":"1","runtime":"js"}' };
  assert.equal((await running.ask(path, put)).status, 201);
  assert.match(
    (await running.ask(path, { ...put, body: '{"name":"other"}' })).json.message,
    /^name: "other" is not the "backup" of the path$/,
  );
  assert.match(
    (await running.ask(`${path}?namespace=a`, { ...put, body: '{"namespace":"b"}' })).json.message,
    /name different ones$/,
  );
  const deleted = await running.ask(path, { method: 'DELETE' });
  assert.deepEqual([deleted.status, deleted.text, deleted.headers['content-length']], [204, '', undefined]);
  const revisions = await running.ask(`${path}/revisions`);
  assert.deepEqual(
    revisions.json.items.map(({ revision }: { revision: number }) => revision),
    [2, 1],
  );
  const list = await running.ask('/api/v1/deployments?type=job&label=team%3Da%3Db&limit=1');
  assert.deepEqual({ ...list.json, items: [] }, { items: [], count: 1, total: 5, limit: 1, offset: 0 });
  assert.match(
    (await running.ask('/api/v1/deployments?label=team')).json.message,
    /^label: "team" is not of the form key=value$/,
  );
});

test('a secret is shown without its values', async (t) => {
  const record = {
    name: 'db',
    namespace: 'default',
    version: 2,
    keys: ['value'],
    created_at: aDeployment.created_at,
    updated_at: aDeployment.updated_at,
  };
  const leaky = { ...record, sealed: 'x', value: 's3cret' };
  const running = await Running.start(t, {
    secrets: { put: async () => ({ secret: leaky, created: false }), get: async () => leaky },
  });
  const put = await running.ask('/api/v1/secrets/db', { method: 'PUT', body: '{"value":"s3cret"}' });
  assert.deepEqual([put.status, put.json], [200, record]);
  assert.deepEqual((await running.ask('/api/v1/secrets/db')).json, record);
  assert.match(
    (await running.ask('/api/v1/secrets/db', { method: 'PUT', body: '{"value":12345}' })).json.message,
    /^value: has to be a string, not a number$/,
  );
});

test('the machine and its runtimes are lists too', async (t) => {
  const node = {
    id: 'n',
    hostname: 'h',
    cores: 2,
    version: '1',
    started_at: anExecution.created_at,
    running: 0,
    pending: 0,
    foreground_runs: 0,
  };
  const running = await Running.start(t, { node: () => node, runtimes: async () => [] });
  assert.deepEqual((await running.ask('/api/v1/nodes')).json, { items: [node], count: 1, total: 1, limit: 1, offset: 0 });
  assert.deepEqual((await running.ask('/api/v1/runtimes')).json, { items: [], count: 0, total: 0, limit: 0, offset: 0 });
});
