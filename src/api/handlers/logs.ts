import { PrisnError } from '../../base/error.ts';
import { known } from '../../engine/known.ts';
import { type LogChunk, textOf } from '../../model/output-text.ts';
import type { Input } from '../contract/schemas.ts';
import { nameOrId, namespaceOf, sinceMs } from '../inputs.ts';
import { formOf, heartbeatOf, write, type LogForm, type Piece } from '../log-forms.ts';
import type { Call, Handlers, JsonAnswer } from '../operations.ts';
import type { ApiParts } from '../parts.ts';
import type { StreamAnswer } from '../stream.ts';

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
  for await (const id of executor.executionsOf(deploymentId, follow)) {
    const chunks = await executor.logs(id, queryOf({ ...query, tail }, follow)).catch(unlessGone);
    tail = undefined;
    if (chunks) yield* piecesOf(chunks, id);
  }
}

/** One that waited for its turn here for so long that it is not kept any more, or whose record was lost. */
function unlessGone(error: unknown): undefined {
  if (error instanceof PrisnError && error.code === 'not_found') return undefined;
  throw error;
}
