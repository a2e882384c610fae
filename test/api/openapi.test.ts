import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routes, type OperationName } from '../../src/api/contract/routes.ts';
import { Running } from './harness.ts';

interface Operation {
  readonly operationId?: string;
  readonly parameters?: readonly {
    readonly in: string;
    readonly name: string;
    readonly required?: boolean;
    readonly schema: object;
  }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Record<
    string,
    { readonly description: string; readonly content?: Record<string, { readonly schema: object }> }
  >;
  readonly 'x-prisn-role'?: string;
}

test('the document has every operation of the contract, and its form is that of OpenAPI', async (t) => {
  const running = await Running.start(t);
  const { status, json: document } = await running.ask('/openapi.json');
  assert.equal(status, 200);
  assert.match(document.openapi, /^3\.1\./);
  assert.ok(document.info.title && document.info.version);
  const found = new Map<string, { method: string; path: string; operation: Operation }>();
  for (const [path, item] of Object.entries(document.paths as Record<string, Record<string, Operation>>))
    for (const [method, operation] of Object.entries(item)) {
      checkOperation(path, method, operation);
      if (operation.operationId !== undefined) found.set(operation.operationId, { method, path, operation });
    }
  for (const name of Object.keys(routes) as OperationName[]) {
    const { method, path, role } = routes[name];
    const operation = found.get(name);
    assert.deepEqual(
      [operation?.method, operation?.path, operation?.operation['x-prisn-role']],
      [method.toLowerCase(), path.replace(/:(\w+)/g, '{$1}'), role],
      name,
    );
  }
  assert.equal(found.size, Object.keys(routes).length);
  for (const path of ['/health', '/ready', '/metrics']) assert.ok(path in document.paths);
  assert.ok(found.get('createExecution')?.operation.parameters?.some(({ name }) => name === 'idempotency-key'));
  assert.deepEqual(Object.keys(found.get('uploadBundle')?.operation.requestBody?.content ?? {}), ['application/gzip']);
});

/** OpenAPI 3.1, 4.8.10 */
function checkOperation(path: string, method: string, { parameters = [], requestBody, responses }: Operation): void {
  const where = `${method} ${path}`;
  assert.match(method, /^(get|post|put|patch|delete)$/);
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const declared = parameters.filter((parameter) => parameter.in === 'path');
  assert.deepEqual(
    declared.map(({ name }) => name),
    inPath,
    where,
  );
  assert.ok(
    declared.every(({ required }) => required === true),
    where,
  );
  for (const { schema } of Object.values(requestBody?.content ?? {})) assert.equal(typeof schema, 'object', where);
  assert.ok(Object.keys(responses).length > 0, where);
  for (const [status, response] of Object.entries(responses)) {
    assert.match(status, /^(\d{3}|[45]XX)$/, where);
    assert.equal(typeof response.description, 'string', where);
  }
}

test('the page to browse it loads nothing from elsewhere', async (t) => {
  const running = await Running.start(t);
  const { status, headers, text } = await running.ask('/docs/');
  assert.equal(status, 200);
  const policy = String(headers['content-security-policy']);
  assert.match(policy, /^default-src 'none'; script-src 'self';/);
  assert.doesNotMatch(policy, /https?:/);
  const sources = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source]) => source ?? '');
  assert.ok(sources.length >= 4);
  for (const source of sources) {
    assert.match(source, /^\.\/static\//);
    assert.equal((await running.ask(`/docs/${source.slice(2)}`)).status, 200, source);
  }
});
