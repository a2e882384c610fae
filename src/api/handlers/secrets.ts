import { checkName } from '../../model/name.ts';
import { listOf, namespaceOf, pageOf } from '../inputs.ts';
import type { Handlers } from '../operations.ts';
import type { ApiParts } from '../parts.ts';

type Names = 'listSecrets' | 'createSecret' | 'getSecret' | 'putSecret' | 'deleteSecret';

/** Values go in and never come out. */
export function secretHandlers({ secrets }: Pick<ApiParts, 'secrets'>): Pick<Handlers, Names> {
  return {
    listSecrets: async ({ query }) => {
      const page = pageOf(query);
      const { items, total } = await secrets.list(query.namespace === undefined ? undefined : namespaceOf(query), page);
      return { status: 200, body: listOf(items.map(shown), total, page) };
    },

    createSecret: async ({ body }) => {
      const { name, namespace, ...fields } = body;
      return { status: 201, body: shown(await secrets.create(namespaceOf({ namespace }), checkName(name, 'name'), fields)) };
    },

    getSecret: async ({ params, query }) => ({
      status: 200,
      body: shown(await secrets.get(namespaceOf(query), checkName(params.name, 'name'))),
    }),

    putSecret: async ({ params, query, body }) => {
      const { namespace, ...fields } = body;
      const { secret, created } = await secrets.put(
        namespaceOf(namespace === undefined ? query : { namespace }),
        checkName(params.name, 'name'),
        fields,
      );
      return { status: created ? 201 : 200, body: shown(secret) };
    },

    deleteSecret: async ({ params, query }) => {
      await secrets.delete(namespaceOf(query), checkName(params.name, 'name'));
      return { status: 204 };
    },
  };
}

type Record = Awaited<ReturnType<ApiParts['secrets']['get']>>;

function shown({ name, namespace, version, keys, created_at, updated_at }: Record) {
  return { name, namespace, version, keys: [...keys], created_at, updated_at };
}
