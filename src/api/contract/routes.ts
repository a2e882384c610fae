/**
 * The operations of the API, as data: what a client needs to call one, and what the server needs to route it. What goes in
 * and out stands under the same names in `schemas.ts`, which clients import as types only, since the schema library
 * costs 80 ms to load.
 */
import type { Role } from '../../model/access.ts';

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With parameters as `:name`. */
  readonly path: string;
  /** The least role that may call it. */
  readonly role: Role;
  readonly summary: string;
  /** The body is bytes of any length, not JSON. */
  readonly bytes?: true;
}

const base = '/api/v1';

export const routes = {
  listDeployments: { method: 'GET', path: `${base}/deployments`, role: 'viewer', summary: 'List deployments' },
  createDeployment: { method: 'POST', path: `${base}/deployments`, role: 'developer', summary: 'Create a deployment' },
  getDeployment: { method: 'GET', path: `${base}/deployments/:name`, role: 'viewer', summary: 'Show a deployment' },
  putDeployment: {
    method: 'PUT',
    path: `${base}/deployments/:name`,
    role: 'developer',
    summary: 'Create a deployment, or replace it by a new revision',
  },
  patchDeployment: {
    method: 'PATCH',
    path: `${base}/deployments/:name`,
    role: 'developer',
    summary: 'Change the given fields of a deployment in a new revision',
  },
  deleteDeployment: {
    method: 'DELETE',
    path: `${base}/deployments/:name`,
    role: 'developer',
    summary: 'Delete a deployment and its data directory',
  },
  scaleDeployment: {
    method: 'POST',
    path: `${base}/deployments/:name/scale`,
    role: 'developer',
    summary: 'Set the number of replicas of a service',
  },
  rollbackDeployment: {
    method: 'POST',
    path: `${base}/deployments/:name/rollback`,
    role: 'developer',
    summary: 'Make an earlier revision the present one again',
  },
  listRevisions: {
    method: 'GET',
    path: `${base}/deployments/:name/revisions`,
    role: 'viewer',
    summary: 'List the revisions of a deployment, newest first',
  },
  listDeploymentExecutions: {
    method: 'GET',
    path: `${base}/deployments/:name/executions`,
    role: 'viewer',
    summary: 'List the executions of a deployment, newest first',
  },
  deploymentLogs: {
    method: 'GET',
    path: `${base}/deployments/:name/logs`,
    role: 'viewer',
    summary: 'Read or follow the output of a deployment',
  },
  uploadBundle: {
    method: 'POST',
    path: `${base}/bundles`,
    role: 'developer',
    summary: 'Upload a gzipped tar of a folder',
    bytes: true,
  },
  getBundle: {
    method: 'GET',
    path: `${base}/bundles/:id`,
    role: 'viewer',
    summary: 'Download the code of a revision, by its source_hash, as a gzipped tar',
  },
  listExecutions: { method: 'GET', path: `${base}/executions`, role: 'viewer', summary: 'List executions, newest first' },
  createExecution: {
    method: 'POST',
    path: `${base}/executions`,
    role: 'developer',
    summary: 'Trigger a deployment, or run code that is sent along',
  },
  getExecution: {
    method: 'GET',
    path: `${base}/executions/:id`,
    role: 'viewer',
    summary: 'Show an execution, or wait for its end',
  },
  executionLogs: {
    method: 'GET',
    path: `${base}/executions/:id/logs`,
    role: 'viewer',
    summary: 'Read or follow the output of an execution',
  },
  cancelExecution: { method: 'POST', path: `${base}/executions/:id/cancel`, role: 'developer', summary: 'Cancel an execution' },
  listSecrets: { method: 'GET', path: `${base}/secrets`, role: 'viewer', summary: 'List secrets, without their values' },
  createSecret: { method: 'POST', path: `${base}/secrets`, role: 'developer', summary: 'Create a secret' },
  getSecret: { method: 'GET', path: `${base}/secrets/:name`, role: 'viewer', summary: 'Show a secret, without its values' },
  putSecret: {
    method: 'PUT',
    path: `${base}/secrets/:name`,
    role: 'developer',
    summary: 'Create a secret, or give it a new version',
  },
  deleteSecret: { method: 'DELETE', path: `${base}/secrets/:name`, role: 'developer', summary: 'Delete a secret' },
  listRuntimes: { method: 'GET', path: `${base}/runtimes`, role: 'viewer', summary: 'List runtimes and what is installed' },
  listNodes: { method: 'GET', path: `${base}/nodes`, role: 'viewer', summary: 'List the machines that run executions' },
  verify: { method: 'POST', path: `${base}/verify`, role: 'admin', summary: 'Read everything that is stored, and check it' },
  backup: { method: 'GET', path: `${base}/backup`, role: 'admin', summary: 'Download everything that is stored' },
  restore: {
    method: 'POST',
    path: `${base}/restore`,
    role: 'admin',
    summary: 'Replace everything that is stored by a backup',
    bytes: true,
  },
} as const satisfies Record<string, Route>;

export type OperationName = keyof typeof routes;
