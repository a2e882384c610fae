/** What `prisn get` lists: for each kind its names, how it is asked for and how it is shown. */
import type { Input, Output } from '../api/contract/schemas.ts';
import { PrisnError } from '../base/error.ts';
import { nearest } from '../base/nearest.ts';
import type { Client } from '../client/client.ts';
import { defaultNamespace } from '../model/access.ts';
import type { executionStatuses } from '../model/execution.ts';
import type { View } from './output.ts';
import { checkExecutionId, type RemoteOptions } from './remote.ts';
import { appView, deploymentView, executionView, nodeView, runtimeView, secretView } from './views.ts';
import type { Watched } from './watch.ts';

/** What may be asked of a list. */
export interface ListOptions extends RemoteOptions {
  readonly allNamespaces?: boolean;
  readonly limit: number;
  readonly status?: (typeof executionStatuses)[number];
  readonly since?: string;
  readonly deployment?: string;
  readonly selector?: string;
}

export type Filter = 'status' | 'since' | 'deployment' | 'selector';

/** What is shown, of how many there are. */
export interface Listing<Item> {
  readonly items: readonly Item[];
  readonly total: number;
}

export interface Kind<Item> extends Watched<Item> {
  /** What users call it; the first is its name. */
  readonly words: readonly string[];
  /** Options that it understands. */
  readonly filters: readonly Filter[];
  list(client: Client, options: ListOptions): Promise<Listing<Item>>;
  one(client: Client, name: string, options: ListOptions): Promise<Item>;
}

/** @throws PrisnError `usage` */
export function kindOf(word: string): Kind<unknown> {
  const found = kinds.find(({ words }) => words.includes(word.toLowerCase()));
  if (found !== undefined) return found;
  const near = nearest(
    word,
    kinds.flatMap(({ words }) => words),
  );
  const advice = near === undefined ? `there are ${kinds.map(({ words }) => words[0]).join(', ')}` : `did you mean ${near}?`;
  throw new PrisnError('usage', `prisn get knows no '${word}'; ${advice}`);
}

type DeploymentQuery = NonNullable<Input<'listDeployments'>['query']>;

function deploymentsKind(
  words: readonly string[],
  view: View<Output<'getDeployment'>>,
  type?: DeploymentQuery['type'],
): Kind<Output<'getDeployment'>> {
  return {
    ...view,
    words,
    filters: ['selector'],
    list: (client, options) =>
      pages(options.limit, (limit, offset) =>
        client.call('listDeployments', {
          query: { namespace: listedNamespace(options), type, label: options.selector, limit, offset },
        }),
      ),
    one: (client, name, { namespace }) => client.call('getDeployment', { params: { name }, query: { namespace } }),
    identityOf: ({ id }) => id,
    gone: (item) => ({ ...item, status: { ...item.status, phase: 'Deleted' } }),
  };
}

const executionsKind: Kind<Output<'getExecution'>> = {
  ...executionView,
  words: ['executions', 'execution', 'exec', 'execs', 'ex', 'runs'],
  filters: ['status', 'since', 'deployment'],
  list: (client, options) => {
    const { status, since, deployment, limit } = options;
    const query = { namespace: listedNamespace(options), status, since, deployment_id: deployment };
    return pages(limit, (size, _, cursor) => client.call('listExecutions', { query: { ...query, limit: size, cursor } }));
  },
  async one(client, id) {
    checkExecutionId(id, 'get executions');
    return client.call('getExecution', { params: { id } });
  },
};

const secretsKind: Kind<Output<'getSecret'>> = {
  ...secretView,
  words: ['secrets', 'secret'],
  identityOf: ({ namespace, name }) => `${namespace}/${name}`,
  filters: [],
  list: (client, options) =>
    pages(options.limit, (limit, offset) =>
      client.call('listSecrets', { query: { namespace: listedNamespace(options), limit, offset } }),
    ),
  one: (client, name, { namespace }) => client.call('getSecret', { params: { name }, query: { namespace } }),
};

const runtimesKind: Kind<Output<'listRuntimes'>['items'][number]> = {
  ...runtimeView,
  words: ['runtimes', 'runtime'],
  filters: [],
  list: (client) => client.call('listRuntimes'),
  one: async (client, id) => called(id, (await client.call('listRuntimes')).items, 'runtime'),
};

const nodesKind: Kind<Output<'listNodes'>['items'][number]> = {
  ...nodeView,
  words: ['nodes', 'node'],
  filters: [],
  list: (client) => client.call('listNodes'),
  one: async (client, id) => called(id, (await client.call('listNodes')).items, 'node'),
};

export const kinds: readonly Kind<unknown>[] = [
  executionsKind,
  deploymentsKind(['deployments', 'deployment', 'deploy', 'deploys', 'dep'], deploymentView),
  deploymentsKind(['apps', 'app'], appView),
  deploymentsKind(['services', 'service', 'svc'], appView, 'service'),
  deploymentsKind(['jobs', 'job'], appView, 'job'),
  deploymentsKind(['cronjobs', 'cronjob', 'cron', 'cj'], appView, 'cronjob'),
  secretsKind,
  runtimesKind,
  nodesKind,
];

/** A list without a namespace is one of all. */
function listedNamespace({ namespace, allNamespaces }: ListOptions): string | undefined {
  return allNamespaces ? undefined : (namespace ?? defaultNamespace);
}

function called<Item extends { readonly id: string }>(id: string, items: readonly Item[], what: string): Item {
  const found = items.find((item) => item.id === id);
  if (found !== undefined) return found;
  throw new PrisnError('not_found', `there is no ${what} '${id}'; there are ${items.map((item) => item.id).join(', ')}`);
}

/** The server gives 1000 at a time. */
const pageSize = 1000;

async function pages<Item>(
  limit: number,
  page: (limit: number, offset: number, cursor?: string) => Promise<Listing<Item> & { readonly next_cursor?: string }>,
): Promise<Listing<Item>> {
  const items: Item[] = [];
  let cursor: string | undefined;
  for (;;) {
    const got = await page(Math.min(pageSize, limit - items.length), items.length, cursor);
    items.push(...got.items);
    cursor = got.next_cursor;
    if (items.length >= limit || items.length >= got.total || got.items.length === 0) return { items, total: got.total };
  }
}
