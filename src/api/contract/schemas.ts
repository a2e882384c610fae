/**
 * What goes into each operation of `routes.ts` and what comes out: the one source of validation, types and OpenAPI.
 * Every object refuses unknown fields by name.
 */
import { Type, type Static, type TSchema } from 'typebox';
import { deploymentTypes } from '../../model/deployment.ts';
import { executionStatuses, triggers } from '../../model/execution.ts';
import { envKeyForm } from '../../model/name.ts';
import { reasons } from '../../model/outcome.ts';
import type { OperationName } from './routes.ts';

function exactly<const Fields extends Record<string, TSchema>>(fields: Fields, options: { description?: string } = {}) {
  return Type.Object(fields, { additionalProperties: false, ...options });
}

function oneOf<const Words extends readonly string[]>(words: Words, options: { description?: string } = {}) {
  return Type.Unsafe<Words[number]>({ type: 'string', enum: [...words], ...options });
}

const maybe = Type.Optional;
const text = (description?: string) => Type.String(description === undefined ? {} : { description });
/** `30s 5m 1h 2d 250ms`; the form is checked where it is parsed, for a message that helps. */
const duration = (description: string) => Type.String({ description: `${description}; such as 250ms, 30s, 5m, 1h or 2d` });
const time = Type.String({ format: 'date-time', description: 'RFC 3339 with milliseconds' });
const anyJson = Type.Unsafe<unknown>({ description: 'any JSON value' });

const namespaceQuery = { namespace: maybe(text('default without')) };
const page = {
  limit: maybe(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  offset: maybe(Type.Integer({ minimum: 0, default: 0 })),
};
const nameParam = Type.Object({ name: text('name or id') });
const idParam = Type.Object({ id: text() });

const env = Type.Record(Type.String({ pattern: envKeyForm }), Type.String(), {
  additionalProperties: false,
  description: 'variables by name',
});
const secretReference = exactly({
  name: text('of the secret, or name.key for one of its values'),
  env: text('the variable that holds it'),
});
const resources = exactly({
  memory_mb: maybe(Type.Integer({ minimum: 16, maximum: 65_536 })),
  cpu: maybe(Type.Number({ exclusiveMinimum: 0, maximum: 9999 })),
  pids: maybe(Type.Integer({ minimum: 1, maximum: 4_194_304 })),
  disk_mb: maybe(Type.Integer({ minimum: 1 })),
});
const healthCheck = exactly({
  path: text(),
  interval: maybe(duration('between two checks')),
  timeout: maybe(duration('of a check')),
});

const words = Type.Record(Type.String(), Type.String(), { additionalProperties: false });

/** Everything of a deployment that a client may set. */
const deploymentFields = {
  source: maybe(text('the code itself; needs runtime')),
  bundle: maybe(text('id of an upload; needs entrypoint')),
  entrypoint: maybe(text('path of the file to run, inside the bundle')),
  type: maybe(oneOf(deploymentTypes)),
  runtime: maybe(text('id of a runtime; by the entrypoint without')),
  args: maybe(Type.Array(text())),
  env: maybe(env),
  secrets: maybe(Type.Array(secretReference)),
  port: maybe(Type.Integer({ minimum: 1, maximum: 65_535 })),
  replicas: maybe(Type.Integer({ minimum: 0, maximum: 1000 })),
  schedule: maybe(text('cron expression')),
  timezone: maybe(text()),
  concurrency: maybe(Type.Integer({ minimum: 1, maximum: 10_000, description: 'executions at once' })),
  reuse: maybe(Type.Boolean({ description: 'whether the context of an execution is kept for the next; isolates only' })),
  overlap: maybe(text()),
  missed: maybe(text()),
  timeout: maybe(duration('wall clock of one attempt')),
  retries: maybe(Type.Integer({ minimum: 0, maximum: 100, description: 'attempts after the first' })),
  resources: maybe(resources),
  health_check: maybe(healthCheck),
  expose: maybe(text()),
  labels: maybe(words),
};
const createDeployment = exactly({ name: text(), namespace: maybe(text()), ...deploymentFields });
const orNull = Type.Union([Type.String(), Type.Null()]);
/** Fields that are not given stay; null as the value of a variable or a label removes that one. */
const patchDeployment = exactly({
  namespace: maybe(text()),
  ...deploymentFields,
  env: maybe(Type.Record(Type.String({ pattern: envKeyForm }), orNull, { additionalProperties: false })),
  labels: maybe(Type.Record(Type.String(), orNull, { additionalProperties: false })),
});

const deploymentStatus = exactly({
  phase: text('Pending, Starting, Running, Failed, CrashLoopBackOff, Stopped or Scheduled'),
  ready_replicas: Type.Integer(),
  desired_replicas: Type.Integer(),
  restarts: Type.Integer(),
  message: maybe(text()),
  next_run: maybe(time),
  last_run: maybe(time),
  last_updated: time,
});
const deployment = exactly({
  id: text(),
  name: text(),
  namespace: text(),
  type: oneOf(deploymentTypes),
  runtime: text(),
  entrypoint: text(),
  source_hash: text('id of the bundle'),
  revision: Type.Integer({ minimum: 1 }),
  args: maybe(Type.Array(text())),
  env: maybe(Type.Record(Type.String(), Type.String())),
  secrets: maybe(Type.Array(secretReference)),
  port: maybe(Type.Integer()),
  replicas: maybe(Type.Integer()),
  concurrency: maybe(Type.Integer()),
  reuse: maybe(Type.Boolean()),
  timeout_ms: maybe(Type.Integer()),
  retries: maybe(Type.Integer()),
  resources: maybe(resources),
  labels: maybe(Type.Record(Type.String(), Type.String())),
  work_dir: maybe(text('where its present revision runs')),
  data_dir: maybe(text('what PRISN_DATA is')),
  status: deploymentStatus,
  created_at: time,
  updated_at: time,
});

const execution = exactly({
  id: text(),
  deployment_id: maybe(text()),
  deployment: maybe(text()),
  revision: maybe(Type.Integer()),
  namespace: text(),
  name: text(),
  runtime: maybe(text()),
  status: oneOf(executionStatuses),
  reason: maybe(oneOf(reasons)),
  exit_code: maybe(Type.Integer()),
  queue_position: maybe(Type.Integer({ minimum: 1 })),
  created_at: time,
  started_at: maybe(time),
  completed_at: maybe(time),
  queued_ms: maybe(Type.Number()),
  prepare_ms: maybe(Type.Number()),
  start_ms: maybe(Type.Number()),
  run_ms: maybe(Type.Number()),
  duration_ms: maybe(Type.Number()),
  result: maybe(anyJson),
  stdout: maybe(text()),
  stderr: maybe(text()),
  truncated: maybe(Type.Boolean()),
  error: maybe(text()),
  attempt: Type.Integer({ minimum: 1 }),
  cpu_ms: maybe(Type.Number()),
  max_rss_bytes: maybe(Type.Integer()),
  tier: maybe(text()),
  node_id: text(),
  trigger: oneOf(triggers),
});

const createExecution = exactly({
  deployment_id: maybe(text('name or id of a job')),
  source: maybe(text('the code itself; needs runtime')),
  runtime: maybe(text()),
  bundle: maybe(text('id of an upload; needs entrypoint')),
  entrypoint: maybe(text()),
  name: maybe(text()),
  namespace: maybe(text()),
  args: maybe(Type.Array(text())),
  env: maybe(env),
  secrets: maybe(Type.Array(secretReference)),
  input: maybe(anyJson),
  stdin: maybe(text()),
  timeout: maybe(duration('wall clock of one attempt')),
  retries: maybe(Type.Integer({ minimum: 0, maximum: 100 })),
  resources: maybe(resources),
  wait: maybe(
    Type.Union([Type.Boolean(), Type.Integer({ minimum: 0 }), text()], { description: 'true, whole seconds, or a duration' }),
  ),
  async: maybe(Type.Boolean({ description: 'false is wait: true' })),
  trigger: maybe(oneOf(['cli', 'api'] as const)),
});

const secretWrite = { value: maybe(text()), data: maybe(words) };
const secret = exactly({
  name: text(),
  namespace: text(),
  version: Type.Integer({ minimum: 1 }),
  keys: Type.Array(text()),
  created_at: time,
  updated_at: time,
});

function list<Item extends TSchema>(items: Item) {
  return exactly({
    items: Type.Array(items),
    count: Type.Integer({ description: 'of items' }),
    total: Type.Integer({ description: 'of all that the filter lets through' }),
    limit: Type.Integer(),
    offset: Type.Integer(),
    next_cursor: maybe(text('for the next page, when there is one')),
  });
}

const logQuery = {
  follow: maybe(Type.Boolean()),
  tail: maybe(Type.Integer({ minimum: 0 })),
  since: maybe(text('RFC 3339, or a duration back from now')),
  stream: maybe(oneOf(['stdout', 'stderr'] as const)),
};

const runtime = exactly({
  id: text(),
  name: text(),
  kind: oneOf(['isolate', 'process'] as const),
  extensions: Type.Array(text()),
  status: text('ok, missing or too old'),
  version: maybe(text()),
  path: maybe(text()),
  hint: maybe(text('how to install it')),
});
const node = exactly({
  id: text(),
  hostname: text(),
  cores: Type.Integer(),
  version: text(),
  started_at: time,
  running: Type.Integer(),
  pending: Type.Integer(),
  foreground_runs: Type.Integer({ description: 'runs of the command line in isolates of the server' }),
});

const executionQuery = {
  ...namespaceQuery,
  status: maybe(oneOf(executionStatuses)),
  since: maybe(text('RFC 3339, or a duration back from now')),
  ...page,
  cursor: maybe(text('next_cursor of the page before')),
};

export interface Schemas {
  readonly params?: TSchema;
  readonly query?: TSchema;
  readonly body?: TSchema;
  /** By HTTP status; what is not JSON has none. */
  readonly reply: Readonly<Record<number, TSchema | null>>;
}

export const schemas = {
  listDeployments: {
    query: exactly({ ...namespaceQuery, type: maybe(oneOf(deploymentTypes)), label: maybe(text('key=value')), ...page }),
    reply: { 200: list(deployment) },
  },
  createDeployment: { body: createDeployment, reply: { 201: deployment } },
  getDeployment: { params: nameParam, query: exactly(namespaceQuery), reply: { 200: deployment } },
  putDeployment: {
    params: nameParam,
    query: exactly(namespaceQuery),
    body: exactly({ name: maybe(text()), namespace: maybe(text()), ...deploymentFields }),
    reply: { 200: deployment, 201: deployment },
  },
  patchDeployment: { params: nameParam, query: exactly(namespaceQuery), body: patchDeployment, reply: { 200: deployment } },
  deleteDeployment: { params: nameParam, query: exactly(namespaceQuery), reply: { 204: null } },
  scaleDeployment: {
    params: nameParam,
    query: exactly(namespaceQuery),
    body: exactly({ replicas: Type.Integer({ minimum: 0, maximum: 1000 }) }),
    reply: { 200: exactly({ deployment: text(), replicas: Type.Integer(), message: text() }) },
  },
  rollbackDeployment: {
    params: nameParam,
    query: exactly(namespaceQuery),
    body: exactly({ revision: maybe(Type.Integer({ minimum: 1, description: 'the one before the present without' })) }),
    reply: { 200: deployment },
  },
  listRevisions: { params: nameParam, query: exactly(namespaceQuery), reply: { 200: list(deployment) } },
  listDeploymentExecutions: { params: nameParam, query: exactly(executionQuery), reply: { 200: list(execution) } },
  deploymentLogs: {
    params: nameParam,
    query: exactly({ ...namespaceQuery, ...logQuery, replica: maybe(Type.Integer({ minimum: 0 })) }),
    reply: { 200: null },
  },
  uploadBundle: {
    reply: {
      200: exactly({ id: text('its content hash'), bytes: Type.Integer({ description: 'of all files' }) }),
      201: exactly({ id: text('its content hash'), bytes: Type.Integer({ description: 'of all files' }) }),
    },
  },
  getBundle: { params: idParam, reply: { 200: null } },
  listExecutions: {
    query: exactly({ deployment_id: maybe(text('name or id')), ...executionQuery }),
    reply: { 200: list(execution) },
  },
  createExecution: { query: exactly({ wait: maybe(text()) }), body: createExecution, reply: { 200: execution, 202: execution } },
  getExecution: {
    params: idParam,
    query: exactly({ wait: maybe(text('a duration, whole seconds, or true')) }),
    reply: { 200: execution },
  },
  executionLogs: { params: idParam, query: exactly(logQuery), reply: { 200: exactly({ stdout: text(), stderr: text() }) } },
  cancelExecution: { params: idParam, reply: { 200: execution } },
  listSecrets: { query: exactly({ ...namespaceQuery, ...page }), reply: { 200: list(secret) } },
  createSecret: { body: exactly({ name: text(), namespace: maybe(text()), ...secretWrite }), reply: { 201: secret } },
  getSecret: { params: nameParam, query: exactly(namespaceQuery), reply: { 200: secret } },
  putSecret: {
    params: nameParam,
    query: exactly(namespaceQuery),
    body: exactly({ namespace: maybe(text()), ...secretWrite }),
    reply: { 200: secret, 201: secret },
  },
  deleteSecret: { params: nameParam, query: exactly(namespaceQuery), reply: { 204: null } },
  listRuntimes: { reply: { 200: list(runtime) } },
  listNodes: { reply: { 200: list(node) } },
  verify: { reply: { 200: exactly({ records: Type.Integer(), problems: Type.Array(text('what is damaged or missing')) }) } },
  backup: {
    query: exactly({ key: maybe(Type.Boolean({ description: 'with the key that opens the secrets' })) }),
    reply: { 200: null },
  },
  restore: { query: exactly({ force: maybe(Type.Boolean()) }), reply: { 200: exactly({ records: Type.Integer() }) } },
} as const satisfies Record<OperationName, Schemas>;

type Of<Schema> = Schema extends TSchema ? Static<Schema> : undefined;
type Field<Name extends OperationName, Part extends string> = (typeof schemas)[Name] extends {
  readonly [P in Part]: infer Schema;
}
  ? Of<Schema>
  : undefined;
type Replies<Name extends OperationName> = (typeof schemas)[Name]['reply'];

/** What an operation takes. */
export interface Input<Name extends OperationName> {
  readonly params: Field<Name, 'params'>;
  readonly query: Field<Name, 'query'>;
  readonly body: Field<Name, 'body'>;
}

/** What it answers, whatever the status; `undefined` where that is no JSON. */
export type Output<Name extends OperationName> = Of<Replies<Name>[keyof Replies<Name>]>;

export type ShownDeployment = Static<typeof deployment>;
export type ShownExecution = Static<typeof execution>;
export type ShownSecret = Static<typeof secret>;
export type ExecutionFields = Static<typeof createExecution>;

/** Of every refusal and failure. */
export const errorBody = exactly(
  {
    error: text('the HTTP status text'),
    code: text('stable'),
    message: text('what happened and what to do'),
  },
  { description: 'A refusal or failure' },
);
export type ErrorBody = Static<typeof errorBody>;
