import { PrisnError } from '../../base/error.ts';
import type { Deployment } from '../../model/deployment.ts';
import { known } from '../../engine/known.ts';
import type { Output, ShownDeployment } from '../contract/schemas.ts';
import { listOf, nameOrId, namespaceOf, pageOf } from '../inputs.ts';
import type { Handlers } from '../operations.ts';
import type { ApiParts } from '../parts.ts';
import { listExecutions } from './executions.ts';

type Names =
  | 'listDeployments'
  | 'createDeployment'
  | 'getDeployment'
  | 'putDeployment'
  | 'patchDeployment'
  | 'deleteDeployment'
  | 'scaleDeployment'
  | 'rollbackDeployment'
  | 'listRevisions'
  | 'listDeploymentExecutions';

export function deploymentHandlers({ deployments, executor }: ApiParts): Pick<Handlers, Names> {
  const show = async (deployment: Deployment): Promise<ShownDeployment> => {
    const { work, data } = deployments.folders(deployment);
    return { ...shown(deployment, await deployments.status(deployment)), work_dir: work, data_dir: data };
  };
  return {
    listDeployments: async ({ query }) => {
      const { namespace, type, label } = query;
      const page = pageOf(query);
      const filter = known({
        namespace: namespace === undefined ? undefined : namespaceOf({ namespace }),
        type,
        label: label === undefined ? undefined : labelOf(label),
      });
      const { items, total } = await deployments.list(filter, page);
      return { status: 200, body: listOf(await Promise.all(items.map(show)), total, page) };
    },

    createDeployment: async ({ body }) => {
      const { name, namespace, ...fields } = body;
      return { status: 201, body: await show(await deployments.create(namespaceOf({ namespace }), name, fields)) };
    },

    getDeployment: async ({ params, query }) => {
      const deployment = await deployments.get(namespaceOf(query), nameOrId(params.name, 'name'));
      return { status: 200, body: await show(deployment) };
    },

    putDeployment: async ({ params, query, body }) => {
      const { name, namespace, ...fields } = body;
      if (name !== undefined && name !== params.name)
        throw new PrisnError('usage', `name: ${JSON.stringify(name)} is not the ${JSON.stringify(params.name)} of the path`);
      const { deployment, created } = await deployments.put(
        oneNamespace(query, { namespace }),
        nameOrId(params.name, 'name'),
        fields,
      );
      return { status: created ? 201 : 200, body: await show(deployment) };
    },

    patchDeployment: async ({ params, query, body }) => {
      const { namespace, ...fields } = body;
      const { deployment } = await deployments.patch(oneNamespace(query, { namespace }), nameOrId(params.name, 'name'), fields);
      return { status: 200, body: await show(deployment) };
    },

    deleteDeployment: async ({ params, query }) => {
      await deployments.delete(namespaceOf(query), nameOrId(params.name, 'name'));
      return { status: 204 };
    },

    scaleDeployment: async ({ params, query, body }) =>
      deployments.scale(namespaceOf(query), nameOrId(params.name, 'name'), body.replicas),

    rollbackDeployment: async ({ params, query, body }) => {
      const deployment = await deployments.rollback(namespaceOf(query), nameOrId(params.name, 'name'), body.revision);
      return { status: 200, body: await show(deployment) };
    },

    listRevisions: async ({ params, query }) => {
      const [namespace, name] = [namespaceOf(query), nameOrId(params.name, 'name')];
      const [present, revisions] = await Promise.all([deployments.get(namespace, name), deployments.revisions(namespace, name)]);
      const status = await deployments.status(present);
      const items = revisions.map((revision) => shown(revision, status));
      return { status: 200, body: listOf(items, items.length, { limit: items.length, offset: 0 }) };
    },

    listDeploymentExecutions: async ({ params, query }) => {
      const { id } = await deployments.get(namespaceOf(query), nameOrId(params.name, 'name'));
      return { status: 200, body: await listExecutions(executor, { deploymentId: id }, query) };
    },
  };
}

function shown(deployment: Deployment, status: ShownDeployment['status']): Output<'getDeployment'> {
  const { bundle, args, env, secrets, labels, resources, runtime, ...rest } = deployment;
  return {
    ...rest,
    runtime: runtime ?? '',
    source_hash: bundle,
    args: [...args],
    env: { ...env },
    secrets: [...secrets],
    labels: { ...labels },
    ...(resources && { resources }),
    status,
  };
}

function labelOf(text: string): { key: string; value: string } {
  const equals = text.indexOf('=');
  if (equals <= 0) throw new PrisnError('usage', `label: ${JSON.stringify(text.slice(0, 80))} is not of the form key=value`);
  return { key: text.slice(0, equals), value: text.slice(equals + 1) };
}

/** Given in the query or in the body, or the same in both. */
function oneNamespace(query: { readonly namespace?: string }, body: { readonly namespace?: string | undefined }): string {
  if (query.namespace !== undefined && body.namespace !== undefined && query.namespace !== body.namespace)
    throw new PrisnError('usage', 'namespace: the query and the body name different ones');
  return namespaceOf(query.namespace === undefined ? body : query);
}
