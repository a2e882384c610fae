/** Answers 405 with `Allow` where a path exists, but not for that method (RFC 9110, 15.5.6). */
import type { FastifyInstance } from 'fastify';
import { refusal } from './errors.ts';

/** Collects the paths that are registered from now on. @returns a function to be called when all are, or where none was found */
export function watchMethods(app: FastifyInstance): { refuseOthers(): void; refuseUnknown(method: string, path: string): void } {
  const urls = new Set<string>();
  const allowed = new Map<string, string>();
  app.addHook('onRoute', ({ url }) => void urls.add(url));
  return {
    refuseOthers() {
      for (const url of urls) {
        const known = app.supportedMethods.filter((method) => app.hasRoute({ method, url }));
        const others = app.supportedMethods.filter((method) => !known.includes(method));
        allowed.set(url, known.toSorted().join(', '));
        if (others.length > 0) app.route({ method: others, url, ...refusing(allowed.get(url) ?? '') });
      }
    },
    // One that fastify does not know comes to no route, such as PROPFIND.
    refuseUnknown(method, path) {
      if (app.supportedMethods.includes(method)) return;
      for (const [url, allow] of allowed) if (patternOf(url).test(path)) throw notAllowed(method, allow);
    },
  };
}

function notAllowed(method: string, allow: string): Error {
  return refusal(405, 'method_not_allowed', `${method} is not for this path; allowed are ${allow}`, { allow });
}

function patternOf(url: string): RegExp {
  return new RegExp(`^${url.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll(/:\w+/g, '[^/]+')}$`);
}

/** Before the body is read; the handler is never reached. */
function refusing(allow: string) {
  const refuse = async ({ method }: { readonly method: string }): Promise<never> => {
    throw notAllowed(method, allow);
  };
  return { onRequest: refuse, handler: refuse };
}
