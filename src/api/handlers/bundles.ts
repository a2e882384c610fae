import type { Handlers } from '../operations.ts';
import type { ApiOptions, ApiParts } from '../parts.ts';
import { limited } from '../payload.ts';

export function bundleHandlers(
  { bundles }: Pick<ApiParts, 'bundles'>,
  { bundleLimit }: Pick<ApiOptions, 'bundleLimit'>,
): Pick<Handlers, 'uploadBundle' | 'getBundle'> {
  return {
    uploadBundle: async (_input, { bytes, headers }) => {
      const { id, bytes: size, isNew } = await bundles.put(limited(bytes, headers, bundleLimit, 'bundle_limit'));
      return { status: isNew ? 201 : 200, body: { id, bytes: size } };
    },

    getBundle: async ({ params: { id } }) => ({
      status: 200,
      headers: { 'content-type': 'application/gzip', 'content-disposition': `attachment; filename="${id}.tar.gz"` },
      stream: await bundles.archive(id),
    }),
  };
}
