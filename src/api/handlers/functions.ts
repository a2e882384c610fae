/** `/fn/NAME/…` and `/ns/NAMESPACE/fn/NAME/…`: any HTTP request becomes a call of a deployment, its answer the answer. */
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { known } from '../../engine/known.ts';
import type { FunctionResponse } from '../../engine/functions.ts';
import type { FunctionRequest } from '../../model/task.ts';
import { refusal } from '../errors.ts';
import { isPublicHost } from '../guard.ts';
import { nameOrId, namespaceOf } from '../inputs.ts';
import type { RequestLives } from '../lives.ts';
import type { ApiOptions, ApiParts } from '../parts.ts';
import { write } from '../stream.ts';

interface Target {
  readonly namespace?: string;
  readonly name: string;
}

export async function registerFunctions(
  app: FastifyInstance,
  { functions, log }: ApiParts,
  lives: RequestLives,
  { publicHosts }: Pick<ApiOptions, 'publicHosts'>,
): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    for (const url of ['/fn/:name', '/fn/:name/*', '/ns/:namespace/fn/:name', '/ns/:namespace/fn/:name/*'])
      scope.all(url, async (request, reply) => {
        const { namespace, name } = request.params as Target;
        const { remoteAddress } = request.raw.socket;
        // The socket has no address, and is its owner's.
        const isPublic = remoteAddress !== undefined && isPublicHost(request.headers.host, publicHosts);
        const client = known({ signal: lives.signalOf(reply.raw), remoteAddress, isPublic });
        const response = await functions.call(namespaceOf({ namespace }), nameOrId(name, 'name'), requestOf(request), client);
        await answer(request, reply, response, isPublic).catch((error: unknown) => {
          response.cancel();
          if (!reply.raw.headersSent) throw error;
          log.debug(
            { request_id: request.id, execution: response.executionId, err: error },
            'the answer of a function was cut off',
          );
          reply.raw.destroy();
        });
        return reply;
      });
  });
}

/** Fields that are about one connection (RFC 9110, 7.6.1), and those that Node has acted on already. */
const hopByHop = new Set(
  'connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade expect'.split(
    ' ',
  ),
);

function requestOf({ raw, body }: FastifyRequest): FunctionRequest {
  const headers: [string, string][] = [];
  for (let i = 0; i < raw.rawHeaders.length; i += 2)
    headers.push([(raw.rawHeaders[i] ?? '').toLowerCase(), raw.rawHeaders[i + 1] ?? '']);
  const named = headers.flatMap(([name, value]) => (name === 'connection' ? value.toLowerCase().split(/\s*,\s*/) : []));
  return {
    method: raw.method ?? 'GET',
    url: `http://${authorityOf(headers)}${raw.url}`,
    headers: headers.filter(([name]) => !hopByHop.has(name) && !named.includes(name)),
    body: Buffer.isBuffer(body) ? body : new Uint8Array(),
  };
}

/** On the socket `Host` may be anything, also what no URL can hold. */
function authorityOf(headers: readonly (readonly [string, string])[]): string {
  const host = headers.find(([name]) => name === 'host')?.[1] ?? '';
  return /^[\w.-]+(?::\d{1,5})?$|^\[[\da-f:.]+\](?::\d{1,5})?$/i.test(host) ? host : 'localhost';
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  response: FunctionResponse,
  isPublic: boolean,
): Promise<void> {
  const { raw } = reply;
  writeHead(raw, response, isPublic);
  reply.hijack();
  // What is there by now leaves together: an answer that is whole needs one write for head, body and end.
  raw.cork();
  setImmediate(() => raw.uncork());
  raw.flushHeaders();
  const hasBody = request.method !== 'HEAD' && response.status !== 204 && response.status !== 304;
  for await (const chunk of response.body) {
    if (raw.destroyed) return;
    if (hasBody) await write(raw, chunk);
  }
  raw.end();
}

/**
 * Takes a page its origin, which would be that of the API: what it asks for comes with `Origin: null`, which the guard refuses. A
 * policy of the function's own is in force as well, and lifts nothing (CSP 3, 4.2).
 */
const pageWithoutOrigin = 'sandbox allow-scripts allow-forms allow-popups';

/** @throws a refusal with 502 for a head that no client could read */
function writeHead(raw: ServerResponse, { status, headers, executionId }: FunctionResponse, isPublic: boolean): void {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw refusal(502, 'cannot_run', `the function answered with the status ${status}; from 200 to 599 are allowed`);
  // More or less than it promises would be taken for another answer.
  raw.strictContentLength = true;
  raw.statusCode = status;
  const own = raw.getHeaders();
  const isOurs = (name: string): boolean =>
    hopByHop.has(name) || Object.hasOwn(own, name) || (name === 'content-length' && status === 204);
  try {
    for (const [name, value] of headers) if (!isOurs(name.toLowerCase())) raw.appendHeader(name, value);
  } catch (error) {
    for (const name of raw.getHeaderNames()) if (!Object.hasOwn(own, name)) raw.removeHeader(name);
    throw refusal(502, 'cannot_run', `the function answered with a header field that is not valid: ${(error as Error).message}`);
  }
  // A public host is another origin, where nothing but functions is.
  if (!isPublic) raw.appendHeader('content-security-policy', pageWithoutOrigin);
  raw.setHeader('x-prisn-execution-id', executionId);
}
