/** Deployments: what a client may set, what is shown, and their operations. */
import { Type, type Static } from 'typebox';
import { deploymentTypes } from '../../model/deployment.ts';
import { envKeyForm } from '../../model/name.ts';
import { execution, executionQuery } from './executions.ts';
import {
  duration,
  env,
  exactly,
  list,
  logQuery,
  maybe,
  nameParam,
  namespaceQuery,
  oneOf,
  page,
  resources,
  secretReference,
  text,
  time,
  words,
} from './forms.ts';

const healthCheck = exactly({
  path: text(),
  interval: maybe(duration('between two checks')),
  timeout: maybe(duration('of a check')),
});

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

export type ShownDeployment = Static<typeof deployment>;

export const deploymentSchemas = {
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
} as const;
