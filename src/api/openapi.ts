/**
 * `/openapi.json`, made from the contract, and `/docs/`, a page to browse and try it that needs nothing from elsewhere.
 *
 * Both come from an application of their own, which holds the contract's routes without their handlers and is made when
 * somebody first asks: its packages take 60 ms to load, and most servers are never asked.
 */
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type FastifySchema } from 'fastify';
import { PrisnError } from '../base/error.ts';
import { routes, type OperationName, type Route } from './contract/routes.ts';
import { errorBody, schemas, type Schemas } from './contract/schemas.ts';
import { replyTo } from './errors.ts';
import { logForms } from './log-forms.ts';

const description = `Runs code: a script once, a job on a trigger. Everything is JSON; a body is read as JSON whatever its Content-Type says.

A deployment is called as a function below \`/fn/{name}\`, and below \`/ns/{namespace}/fn/{name}\` in another namespace than
default: any request there is handed to it, and what it answers is the answer.

A refusal or failure is \`{error, code, message}\`; codes are stable, messages say what to do. Every answer carries
\`X-Request-Id\`, and 429 and 503 say in \`Retry-After\` when to try again.`;

/** The page shows and sends what it gets from here, and nothing else. Its styles are set by its scripts. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function registerDocs(app: FastifyInstance, version: string): void {
  let docs: Promise<FastifyInstance> | undefined;
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    docs ??= openDocs(version);
    const { routing } = await docs;
    reply.hijack();
    routing(request.raw, reply.raw);
    return reply;
  };
  for (const url of ['/openapi.json', '/docs', '/docs/*']) app.get(url, answer);
  app.addHook('onClose', async () => {
    await (await docs)?.close();
  });
}

async function openDocs(version: string): Promise<FastifyInstance> {
  const [{ default: swagger }, { default: swaggerUi }] = await Promise.all([
    import('@fastify/swagger'),
    import('@fastify/swagger-ui'),
  ]);
  const docs = fastify();
  // Its routes are there to be described, not to be called.
  docs.setValidatorCompiler(() => () => true);
  docs.setSerializerCompiler(() => JSON.stringify);
  docs.setNotFoundHandler(async ({ url }, reply) => {
    const { status, body } = replyTo(new PrisnError('not_found', `there is no ${url.split('?', 1)[0]}; /docs/ is the page`));
    return reply.code(status).send(body);
  });
  await docs.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'prisn', version, description } } });
  await docs.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: contentSecurityPolicy,
    theme: { title: 'prisn' },
    uiConfig: { docExpansion: 'list', displayRequestDuration: true },
  });
  for (const name of Object.keys(routes) as OperationName[]) {
    const { method, path }: Route = routes[name];
    docs.route({ method, url: path, schema: described(name), handler: notHere });
  }
  for (const [url, summary] of pages) docs.get(url, { schema: { summary, tags: ['server'] }, handler: notHere });
  docs.get('/openapi.json', { schema: { hide: true } }, async () => docs.swagger());
  await docs.ready();
  return docs;
}

async function notHere(): Promise<never> {
  throw new TypeError('described here, answered elsewhere');
}

const pages = [
  ['/health', 'Tell that the server is alive'],
  ['/ready', 'Tell whether it takes work, and why not'],
  ['/metrics', 'Metrics in the text format of Prometheus'],
] as const;

function described(name: OperationName): FastifySchema {
  const { path, role, summary, bytes }: Route = routes[name];
  const { params, query, body, reply } = schemas[name] as Schemas;
  const example = examples[name];
  const answers = Object.entries(reply).map(([status, schema]) => [status, answerOf(name, Number(status), schema)]);
  return {
    ...(params && { params }),
    ...(query && { querystring: query }),
    ...(body && { body: { ...body, ...(example && { examples: [example] }) } }),
    ...(bytes && { consumes: ['application/gzip'], body: { type: 'string', format: 'binary' } }),
    ...(name === 'createExecution' && { headers: idempotencyKey }),
    response: { ...Object.fromEntries(answers), '4xx': errorBody, '5xx': errorBody },
    operationId: name,
    summary,
    tags: [path.split('/')[3]],
    'x-prisn-role': role,
  } as FastifySchema;
}

function answerOf(name: OperationName, status: number, schema: object | null): object {
  if (status === 204) return { type: 'null', description: 'Done' };
  if (name === 'executionLogs' || name === 'deploymentLogs') {
    const json = schemas.executionLogs.reply[200];
    const forms = logForms.map((form) => [form, { schema: form === 'application/json' ? json : { type: 'string' } }]);
    return { description: 'The output, in the form that Accept asks for', content: Object.fromEntries(forms) };
  }
  return schema ?? { description: 'A file', content: { 'application/gzip': { schema: { type: 'string', format: 'binary' } } } };
}

const idempotencyKey = {
  type: 'object',
  properties: {
    'idempotency-key': {
      type: 'string',
      minLength: 1,
      maxLength: 255,
      description: 'The same key and body again within 24 hours answers with the first one’s execution',
    },
  },
};

const examples: Partial<Record<OperationName, object>> = {
  createExecution: { source: "print('hello')", runtime: 'python3', wait: '30s' },
  createDeployment: { name: 'hello', source: "print('hello')", runtime: 'python3', timeout: '5m' },
  patchDeployment: { env: { LEVEL: 'debug', OLD: null } },
  createSecret: { name: 'db-password', value: 's3cret' },
};
