/** What stands at the root, beside the API: for monitors, for scrapers, and for people who look around. */
import type { FastifyInstance } from 'fastify';
import type { ApiParts } from '../parts.ts';

export function registerPages(app: FastifyInstance, { version, readiness, metrics }: ApiParts): void {
  const startedMs = performance.now();

  app.get('/', async () => ({ name: 'prisn', version, api: '/api/v1', openapi: '/openapi.json', docs: '/docs/' }));

  app.get('/health', async () => ({
    status: 'ok',
    version,
    pid: process.pid,
    uptime_ms: Math.round(performance.now() - startedMs),
  }));

  app.get('/ready', async (_request, reply) => {
    const { ready, reasons } = readiness();
    if (!ready) reply.code(503).header('retry-after', '1');
    return { status: ready ? 'ready' : 'not ready', reasons };
  });

  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));
}
