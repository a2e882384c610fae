import { listOf } from '../inputs.ts';
import type { Handlers } from '../operations.ts';
import type { ApiParts } from '../parts.ts';

/** What concerns the server as a whole. */
export function serverHandlers({
  runtimes,
  node,
  verify,
  backup,
}: Pick<ApiParts, 'runtimes' | 'node' | 'verify' | 'backup'>): Pick<
  Handlers,
  'listRuntimes' | 'listNodes' | 'verify' | 'backup' | 'restore'
> {
  return {
    listRuntimes: async () => {
      const items = await runtimes();
      return { status: 200, body: listOf(items, items.length, { limit: items.length, offset: 0 }) };
    },

    listNodes: async () => ({ status: 200, body: listOf([node()], 1, { limit: 1, offset: 0 }) }),

    verify: async () => ({ status: 200, body: await verify() }),

    backup: async ({ query }) => ({
      status: 200,
      headers: {
        'content-type': 'application/gzip',
        'content-disposition': `attachment; filename="prisn-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}Z.backup.gz"`,
      },
      stream: backup.write(query.key ?? false),
    }),

    restore: async ({ query }, { bytes }) => ({
      status: 200,
      body: { records: await backup.restore(bytes, query.force ?? false) },
    }),
  };
}
