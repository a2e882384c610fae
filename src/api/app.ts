/** The application behind all listeners: which code answers which request, and what every answer has in common. */
import { createServer } from 'node:http';
import type { TSchema } from 'typebox';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { errnoOf, PrisnError } from '../base/error.ts';
import { formatBytes } from '../base/units.ts';
import type { Log } from '../engine/log.ts';
import { replyTo } from './errors.ts';
import { registerFunctions } from './handlers/functions.ts';
import { handlersOf } from './handlers/index.ts';
import { registerPages } from './handlers/pages.ts';
import { parseJson, type Json } from './json.ts';
import type { ApiRequest } from './listener.ts';
import type { RequestLives } from './lives.ts';
import { watchMethods } from './methods.ts';
import { registerDocs } from './openapi.ts';
import { registerOperations } from './operations.ts';
import type { ApiOptions, ApiParts } from './parts.ts';
import { refuseEncoded } from './payload.ts';
import { checkOf, shapeOf } from './validation.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The body, of an operation that takes JSON. */
    json: Json | undefined;
  }
}

export async function createApp(parts: ApiParts, options: ApiOptions, lives: RequestLives): Promise<FastifyInstance> {
  const answerError = errorAnswers(parts.log, options);
  const app = fastify({
    // The listeners are made elsewhere; this server never listens.
    serverFactory: () => createServer(),
    bodyLimit: options.bodyLimit,
    routerOptions: { maxParamLength: 255 },
    genReqId: (request) => (request as ApiRequest).id,
    frameworkErrors: (error, request, reply) => void answerError(error, request, reply as FastifyReply),
  });
  app.setErrorHandler(answerError);
  app.setNotFoundHandler(async (request) => {
    methods.refuseUnknown(request.method, pathOf(request));
    throw new PrisnError('not_found', `there is no ${pathOf(request)}; /openapi.json tells what there is`);
  });
  keepToContract(app);
  if (parts.log.isLevelEnabled('debug')) app.addHook('onResponse', tellOf(parts.log));
  const methods = watchMethods(app);
  await registerJson(app, parts, options, lives);
  await registerFunctions(app, parts, lives, options);
  registerPages(app, parts);
  registerDocs(app, parts.version);
  methods.refuseOthers();
  await app.ready();
  return app;
}

/** Tells the log of each request that was answered. */
function tellOf(log: Log) {
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const { id, method } = request;
    const ms = Math.round(reply.elapsedTime * 10) / 10;
    log.debug({ request_id: id, method, path: pathOf(request), status: reply.statusCode, ms }, 'request');
    done();
  };
}

/** What comes in is checked and what goes out is shaped by the schemas. */
function keepToContract(app: FastifyInstance): void {
  app.setValidatorCompiler<TSchema>(({ schema, httpPart }) => {
    const check = checkOf(schema, `the ${httpPart === 'querystring' ? 'query' : httpPart}`);
    return (value: unknown) => {
      const mistake = check(value);
      return mistake === undefined ? true : { error: new PrisnError('usage', mistake) };
    };
  });
  app.setSerializerCompiler<TSchema>(({ schema }) => {
    const shape = shapeOf(schema);
    return (value: unknown) => JSON.stringify(shape(value));
  });
  app.decorateRequest('json', undefined);
  app.addHook('onRequest', (request, _reply, done) => {
    // JSON is JSON whatever the Content-Type says: `curl -d` calls it a form.
    request.raw.headers['content-type'] = 'application/octet-stream';
    done();
  });
}

/** The operations, each where its kind of body is read. */
async function registerJson(app: FastifyInstance, parts: ApiParts, options: ApiOptions, lives: RequestLives): Promise<void> {
  await app.register(async (json) => {
    json.removeAllContentTypeParsers();
    json.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, (request, bytes, done) => {
      try {
        refuseEncoded(request.headers);
        request.json = bytes.length === 0 ? { value: {}, member: () => undefined } : parseJson(bytes);
        done(null, request.json.value);
      } catch (error) {
        done(error as Error);
      }
    });
    await json.register(async (bytes) => {
      bytes.removeAllContentTypeParsers();
      bytes.addContentTypeParser('*', (_request, _payload, done) => done(null));
      registerOperations(json, bytes, { handlers: handlersOf(parts, options), lives, log: parts.log });
    });
  });
}

function errorAnswers(log: Log, { bodyLimit }: ApiOptions) {
  const tooLarge = `the body is larger than ${formatBytes(bodyLimit)}, the setting body_limit`;
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const isTooLarge = errnoOf(error) === 'FST_ERR_CTP_BODY_TOO_LARGE';
    const { status, headers, body } = replyTo(isTooLarge ? new PrisnError('too_large', tooLarge) : error);
    if (status >= 500)
      log.warn({ request_id: request.id, method: request.method, path: pathOf(request), status, err: error }, body.message);
    return reply.code(status).headers(headers).type('application/json; charset=utf-8').send(body);
  };
}

/** Without the query, which may hold what no log should. */
function pathOf({ url }: FastifyRequest): string {
  return (url.split('?', 1)[0] ?? '').slice(0, 200);
}
