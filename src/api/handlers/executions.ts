import { createHash } from 'node:crypto';
import { PrisnError } from '../../base/error.ts';
import { parseDuration } from '../../base/units.ts';
import { plainPath } from '../../engine/deployment-code.ts';
import { known } from '../../engine/known.ts';
import type { Submission } from '../../engine/submission.ts';
import { checkApart, checkVariables } from '../../engine/variables.ts';
import type { Deployment } from '../../model/deployment.ts';
import { hasEnded } from '../../model/execution.ts';
import { checkName, isDeploymentId } from '../../model/name.ts';
import { routes } from '../contract/routes.ts';
import type { ExecutionFields, Input, Output, ShownExecution } from '../contract/schemas.ts';
import { listOf, nameOrId, namespaceOf, pageOf, sinceMs, waitMs } from '../inputs.ts';
import { canonicalJson } from '../json.ts';
import type { Call, Handlers } from '../operations.ts';
import type { ApiParts } from '../parts.ts';

type Names = 'listExecutions' | 'createExecution' | 'getExecution' | 'cancelExecution';

export function executionHandlers({ executor, deployments, secrets }: ApiParts): Pick<Handlers, Names> {
  return {
    listExecutions: async ({ query }) => {
      const { deployment_id: named } = query;
      if (named === undefined) return { status: 200, body: await listExecutions(executor, {}, query) };
      // By its id also what is left of one that was deleted.
      const deploymentId = isDeploymentId(named)
        ? named
        : (await deployments.get(namespaceOf(query), nameOrId(named, 'deployment_id'))).id;
      return { status: 200, body: await listExecutions(executor, { deploymentId }, query) };
    },

    createExecution: async ({ query, body }, call) => {
      const { namespace, deployment_id: named } = body;
      checkProgram(body);
      const ms = waitMs(query.wait ?? body.wait ?? (body.async === false ? true : undefined));
      const deployment =
        named === undefined ? undefined : await deployments.get(namespaceOf({ namespace }), nameOrId(named, 'deployment_id'));
      const submission = submissionOf(body, deployment, call);
      // Those of a deployment were there when it was deployed, and what is missing of them now its execution tells.
      if (body.secrets) await secrets.check(submission.namespace, body.secrets);
      const submitted = await executor.submit(submission);
      const found = ms === 0 ? submitted : await executor.wait(submitted.id, ms, call.signal());
      const location = routes.getExecution.path.replace(':id', found.id);
      return { status: hasEnded(found) ? 200 : 202, body: found, headers: { location } };
    },

    getExecution: async ({ params, query }, call) => {
      const ms = waitMs(query.wait);
      const found = await (ms === 0 ? executor.get(params.id) : executor.wait(params.id, ms, call.signal()));
      return { status: 200, body: found };
    },

    cancelExecution: async ({ params }) => ({ status: 200, body: await executor.cancel(params.id) }),
  };
}

/** @param of narrows the list beside what the query says */
export async function listExecutions(
  executor: Pick<ApiParts['executor'], 'list'>,
  of: { readonly deploymentId?: string },
  query: Input<'listDeploymentExecutions'>['query'],
): Promise<Output<'listExecutions'>> {
  const { namespace, status, since, cursor } = query;
  if (cursor !== undefined && (query.offset ?? 0) > 0) throw new PrisnError('usage', 'cursor and offset exclude each other');
  const page = pageOf(query);
  const filter = known({
    ...of,
    namespace: namespace === undefined || of.deploymentId !== undefined ? undefined : namespaceOf({ namespace }),
    status,
    sinceMs: since === undefined ? undefined : sinceMs(since),
  });
  const { items, total, next } = await executor.list(filter, cursor === undefined ? page : { limit: page.limit, cursor });
  return known({ ...listOf<ShownExecution>(items, total, page), next_cursor: next });
}

/** @throws PrisnError `usage` unless it says in exactly one way what to run */
function checkProgram({ deployment_id, source, bundle, runtime, entrypoint }: ExecutionFields): void {
  const ways = Object.entries({ deployment_id, source, bundle }).filter(([, value]) => value !== undefined);
  if (ways.length !== 1)
    throw new PrisnError(
      'usage',
      ways.length === 0
        ? 'nothing says what to run: give deployment_id, or source with runtime, or bundle with entrypoint'
        : `${ways.map(([name]) => name).join(' and ')} exclude each other: give one of them`,
    );
  if (source !== undefined && runtime === undefined)
    throw new PrisnError('usage', 'runtime: is missing; source needs one, such as python3');
  if (bundle !== undefined && entrypoint === undefined) throw new PrisnError('usage', 'entrypoint: is missing; bundle needs one');
  if (bundle === undefined && entrypoint !== undefined) throw new PrisnError('usage', 'entrypoint: goes with bundle only');
  if (deployment_id !== undefined && runtime !== undefined)
    throw new PrisnError('usage', 'runtime: is the deployment’s; deploy it anew to change it');
}

function submissionOf(body: ExecutionFields, deployment: Deployment | undefined, call: Call): Submission {
  const { name, args, env, secrets, stdin, timeout, retries, resources, trigger = 'api' } = body;
  if (name !== undefined) checkName(name, 'name');
  checkVariables(env ?? {}, secrets ?? []);
  checkApart(env ?? {}, secrets ?? []);
  if (resources?.disk_mb !== undefined) throw new PrisnError('usage', 'resources.disk_mb: cannot be enforced here; leave it out');
  const input = call.field('input');
  return known({
    namespace: deployment?.namespace ?? namespaceOf(body),
    deployment,
    program: programOf(body),
    name,
    args,
    env,
    secrets,
    input,
    stdin,
    retries,
    resources,
    trigger,
    timeoutMs: timeout === undefined ? undefined : parseDuration(timeout, 'timeout'),
    idempotency: idempotencyOf(body, input, call),
  });
}

function programOf({ source, bundle, runtime, entrypoint }: ExecutionFields): Submission['program'] {
  if (source !== undefined && runtime !== undefined) return { source, runtime };
  return bundle === undefined || entrypoint === undefined
    ? undefined
    : known({ bundle, entrypoint: plainPath(entrypoint), runtime });
}

/** A request is the same when it asks for the same run, however long it wants to wait for it. */
function idempotencyOf(body: ExecutionFields, input: string | undefined, { headers, caller }: Call): Submission['idempotency'] {
  const key = headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key))
    throw new PrisnError('usage', 'Idempotency-Key: has to be 1 to 255 printable ASCII characters without a space');
  const { wait: _wait, async: _async, ...rest } = body;
  const bodyHash = createHash('sha256')
    .update(canonicalJson({ ...rest, input }))
    .digest('hex');
  return { caller: caller.id, key, bodyHash };
}
