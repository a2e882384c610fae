/**
 * Makes the routes of the API from the contract. A handler gets its input checked and typed, and hands back an answer of one
 * of the forms that the contract lists; it knows no fastify.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify';
import { Type } from 'typebox';
import type { Log } from '../engine/log.ts';
import type { Caller } from '../model/access.ts';
import { authorize } from './auth.ts';
import { routes, type OperationName, type Route } from './contract/routes.ts';
import { errorBody, schemas, type Input, type Output, type Schemas } from './contract/schemas.ts';
import type { ApiRequest } from './listener.ts';
import type { RequestLives } from './lives.ts';
import { sendStream, type StreamAnswer } from './stream.ts';
import { coerceQuery } from './validation.ts';

/** What surrounds the input of a call. */
export interface Call {
  readonly caller: Caller;
  readonly headers: IncomingHttpHeaders;
  /** The body as it comes, of an operation that takes bytes. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** The text of a field of the body, exactly as it was sent. */
  field(name: string): string | undefined;
  /** Aborted once nobody waits for the answer, or there is no more time for it. */
  signal(): AbortSignal;
  /** Aborted once the server ends: what would go on for ever stops. */
  readonly closing: AbortSignal;
}

export interface JsonAnswer<Name extends OperationName> {
  readonly status: keyof (typeof schemas)[Name]['reply'];
  readonly body?: Output<Name>;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Handler<Name extends OperationName> = (input: Input<Name>, call: Call) => Promise<JsonAnswer<Name> | StreamAnswer>;

export type Handlers = { readonly [Name in OperationName]: Handler<Name> };
type AnyHandler = (input: unknown, call: Call) => Promise<JsonAnswer<OperationName> | StreamAnswer>;

export interface Surroundings {
  readonly handlers: Handlers;
  readonly lives: RequestLives;
  readonly log: Log;
}

const nothing = Type.Object({}, { additionalProperties: false });

/** @param json where bodies are JSON @param bytes where they are left alone */
export function registerOperations(json: FastifyInstance, bytes: FastifyInstance, { handlers, lives, log }: Surroundings): void {
  for (const name of Object.keys(routes) as OperationName[]) {
    const route: Route = routes[name];
    const { query, reply: replies } = schemas[name] as Schemas;
    const handler = handlers[name] as AnyHandler;
    (route.bytes ? bytes : json).route({
      method: route.method,
      url: route.path,
      schema: schemaOf(name),
      // A HEAD would have to do the work of a stream to answer as its GET.
      exposeHeadRoute: Object.values(replies).every((schema) => schema !== null),
      onRequest: (request, _reply, done) => {
        authorize(callerOf(request), route.role, route.summary);
        done();
      },
      ...(query && {
        preValidation: (request: FastifyRequest, _reply: FastifyReply, done: () => void) => {
          coerceQuery(request.query as Record<string, unknown>, query);
          done();
        },
      }),
      handler: async (request, reply) => {
        const { params, query, body } = request;
        const answer = await handler({ params, query, body }, callOf(request, reply, lives));
        if ('stream' in answer)
          return sendStream(reply, answer, (err) => log.warn({ request_id: request.id, err }, `cut off: ${route.summary}`));
        return reply
          .code(answer.status)
          .headers(answer.headers ?? {})
          .send(answer.body);
      },
    });
  }
}

function callerOf(request: FastifyRequest): Caller {
  const { caller } = request.raw as ApiRequest;
  if (caller === undefined) throw new TypeError('a request that no door let in');
  return caller;
}

function schemaOf(name: OperationName): FastifySchema {
  const { params, query, body, reply } = schemas[name] as Schemas;
  const { method, bytes }: Route = routes[name];
  const json = Object.entries(reply).filter(([, schema]) => schema !== null);
  return {
    ...(params && { params }),
    querystring: query ?? nothing,
    ...(method !== 'GET' && !bytes && { body: body ?? nothing }),
    response: { ...Object.fromEntries(json), '4xx': errorBody, '5xx': errorBody },
  };
}

function callOf(request: FastifyRequest, reply: FastifyReply, lives: RequestLives): Call {
  return {
    caller: callerOf(request),
    headers: request.headers,
    get bytes() {
      // A refusal in the middle leaves the connection alone, so that its answer arrives.
      return request.raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
    },
    field: (name) => request.json?.member(name),
    signal: () => lives.signalOf(reply.raw),
    closing: lives.closing,
  };
}
