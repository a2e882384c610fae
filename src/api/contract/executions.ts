/** Executions: what a client may ask for, what is shown, and their operations. */
import { Type, type Static } from 'typebox';
import { executionStatuses, triggers } from '../../model/execution.ts';
import { reasons } from '../../model/outcome.ts';
import {
  anyJson,
  duration,
  env,
  exactly,
  idParam,
  list,
  logQuery,
  maybe,
  namespaceQuery,
  oneOf,
  page,
  resources,
  secretReference,
  text,
  time,
} from './forms.ts';

export const execution = exactly({
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

export const executionQuery = {
  ...namespaceQuery,
  status: maybe(oneOf(executionStatuses)),
  since: maybe(text('RFC 3339, or a duration back from now')),
  ...page,
  cursor: maybe(text('next_cursor of the page before')),
};

export type ShownExecution = Static<typeof execution>;
export type ExecutionFields = Static<typeof createExecution>;

export const executionSchemas = {
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
} as const;
