/** Answers 405 with `Allow` where a path exists, but not for that method (RFC 9110, 15.5.6). */
import type { FastifyInstance } from 'fastify';
import { refusal } from './errors.ts';

/** Collects the paths that are registered from now on. @returns a function to be called when all are */
export function watchMethods(app: FastifyInstance): () => void {
  const urls = new Set<string>();
  app.addHook('onRoute', ({ url }) => void urls.add(url));
  return () => {
    for (const url of urls) {
      const known = app.supportedMethods.filter((method) => app.hasRoute({ method, url }));
      const others = app.supportedMethods.filter((method) => !known.includes(method));
      if (others.length > 0) app.route({ method: others, url, ...refusing(known.toSorted().join(', ')) });
    }
  };
}

/** Before the body is read; the handler is never reached. */
function refusing(allow: string) {
  const refuse = async ({ method }: { readonly method: string }): Promise<never> => {
    throw refusal(405, 'method_not_allowed', `${method} is not for this path; allowed are ${allow}`, { allow });
  };
  return { onRequest: refuse, handler: refuse };
}
