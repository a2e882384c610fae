import { setTimeout as delay } from 'node:timers/promises';
import { PrisnError } from '../../base/error.ts';
import { known } from '../../engine/known.ts';
import { type LogChunk, textOf } from '../../model/output-text.ts';
import type { Input } from '../contract/schemas.ts';
import { nameOrId, namespaceOf, sinceMs } from '../inputs.ts';
import { formOf, heartbeatOf, write, type LogForm, type Piece } from '../log-forms.ts';
import type { Call, Handlers, JsonAnswer } from '../operations.ts';
import type { ApiParts } from '../parts.ts';
import type { StreamAnswer } from '../stream.ts';

/** How soon an execution of a deployment is noticed whose output is followed. */
const nextExecutionMs = 50;

export function logHandlers({ executor, deployments }: ApiParts): Pick<Handlers, 'executionLogs' | 'deploymentLogs'> {
  return {
    executionLogs: async ({ params, query }, call) => {
      const follow = query.follow === true ? call.signal() : undefined;
      const chunks = await executor.logs(params.id, queryOf(query, follow));
      return answer<'executionLogs'>(piecesOf(chunks), call, 'application/json', follow !== undefined);
    },

    deploymentLogs: async ({ params, query }, call) => {
      const { id, type } = await deployments.get(namespaceOf(query), nameOrId(params.name, 'name'));
      if (query.replica !== undefined) throw new PrisnError('usage', `replica: ${params.name} is a ${type} and has no replicas`);
      const isLive = query.follow === true;
      const pieces = isLive
        ? following(executor, id, query, AbortSignal.any([call.signal(), call.closing]))
        : latest(executor, id, query);
      return answer<'deploymentLogs'>(pieces, call, 'text/plain', isLive);
    },
  };
}

interface LogFields extends Pick<Input<'deploymentLogs'>['query'], 'stream' | 'since'> {
  readonly tail?: number | undefined;
}

function queryOf({ stream, since, tail }: LogFields, follow?: AbortSignal) {
  return known({ stream, tail, since: since === undefined ? undefined : sinceMs(since), follow });
}

async function answer<Name extends 'executionLogs' | 'deploymentLogs'>(
  pieces: AsyncIterable<Piece>,
  call: Call,
  fallback: LogForm,
  isLive: boolean,
): Promise<JsonAnswer<Name> | StreamAnswer> {
  const wanted = formOf(call.headers, fallback);
  // JSON is whole or not at all.
  const form = isLive && wanted === 'application/json' ? 'text/plain' : wanted;
  if (form === 'application/json') return { status: 200, body: await textOf(pieces) } as JsonAnswer<Name>;
  return known({
    status: 200,
    headers: { 'content-type': `${form}; charset=utf-8`, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
    stream: write(form, pieces),
    live: isLive,
    heartbeat: isLive ? heartbeatOf(form) : undefined,
  });
}

async function* piecesOf(chunks: AsyncIterable<LogChunk>, execution?: string): AsyncGenerator<Piece> {
  for await (const chunk of chunks) yield known({ ...chunk, execution });
}

/** The output of the last execution. */
async function* latest(executor: ApiParts['executor'], deploymentId: string, query: LogFields): AsyncGenerator<Piece> {
  const { items } = await executor.list({ deploymentId }, { limit: 1 });
  for (const { id } of items) yield* piecesOf(await executor.logs(id, queryOf(query)), id);
}

/** The output of the last execution and of those that follow, one after the other, until the signal. */
async function* following(
  executor: ApiParts['executor'],
  deploymentId: string,
  query: LogFields,
  follow: AbortSignal,
): AsyncGenerator<Piece> {
  // Only the first may have lines that nobody wants: what the others say is new.
  let { tail } = query;
  for await (const id of executionsOf(executor, deploymentId, follow)) {
    yield* piecesOf(await executor.logs(id, queryOf({ ...query, tail }, follow)), id);
    tail = undefined;
  }
}

/** The last execution, if there is one, and then each that comes; ids are in the order of time. */
async function* executionsOf(executor: ApiParts['executor'], deploymentId: string, until: AbortSignal): AsyncGenerator<string> {
  let seen = '';
  for (let limit = 1; !until.aborted; limit = 1000) {
    const { items } = await executor.list({ deploymentId }, { limit });
    const fresh = items.filter(({ id }) => id > seen).toReversed();
    for (const { id } of fresh) {
      seen = id;
      yield id;
    }
    if (fresh.length === 0) await delay(nextExecutionMs, undefined, { signal: until }).catch(() => {});
  }
}
