import type { Handlers } from '../operations.ts';
import type { ApiOptions, ApiParts } from '../parts.ts';
import { limited } from '../payload.ts';

export function bundleHandlers(
  { bundles }: Pick<ApiParts, 'bundles'>,
  { bundleLimit }: Pick<ApiOptions, 'bundleLimit'>,
): Pick<Handlers, 'uploadBundle'> {
  return {
    uploadBundle: async (_input, { bytes, headers }) => {
      const { id, bytes: size, isNew } = await bundles.put(limited(bytes, headers, bundleLimit, 'bundle_limit'));
      return { status: isNew ? 201 : 200, body: { id, bytes: size } };
    },
  };
}
