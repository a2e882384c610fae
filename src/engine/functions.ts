/**
 * Functions: any HTTP request to `/fn/NAME/…` runs the deployment of that name once, and what the program answers is the
 * answer. A handler in an isolate gets the request as it is (`sandbox/isolate/guest/function.ts`), any other program by CGI
 * (`cgi.ts`). A call goes through the queue as every execution does.
 */
import type { FunctionRequest } from '../model/task.ts';
import type { Deployment } from '../model/deployment.ts';
import { Answer } from './answer.ts';
import { cgiVariables } from './cgi.ts';
import type { DeploymentUseCases } from './deployments.ts';
import type { Executor } from './executor.ts';
import { ResponseBody } from './response-body.ts';

export interface FunctionResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** As it comes, no faster than it is read; it fails when the program does, and then the client must not take it for whole. */
  readonly body: AsyncIterable<Uint8Array>;
  readonly executionId: string;
  /** Nobody waits for it any longer. */
  cancel(): void;
}

export interface FunctionClient {
  /** Ends the call, also before there is an answer. */
  readonly signal?: AbortSignal;
  readonly remoteAddress?: string;
  /** May be anybody: is told that a program failed, not why. */
  readonly isPublic?: boolean;
}

export class Functions {
  readonly #executor: Pick<Executor, 'call' | 'kindOf'>;
  readonly #deployments: Pick<DeploymentUseCases, 'get'>;

  constructor(executor: Pick<Executor, 'call' | 'kindOf'>, deployments: Pick<DeploymentUseCases, 'get'>) {
    this.#executor = executor;
    this.#deployments = deployments;
  }

  /**
   * @returns once the head of the answer is known. A program that fails before is a response too: 500 for an exception of a
   *   handler, 504 for a timeout, 503 when the server stops, else 502, with `{error, code, message}`
   * @throws PrisnError `not_found`, `usage`, and what refuses an execution: `busy`, `unavailable` …
   */
  async call(
    namespace: string,
    nameOrId: string,
    request: FunctionRequest,
    { signal, remoteAddress, isPublic = false }: FunctionClient = {},
  ): Promise<FunctionResponse> {
    const deployment = await this.#deployments.get(namespace, nameOrId);
    const kind = await this.#executor.kindOf(deployment);
    const env = kind === 'process' ? { env: unlessConfigured(cgiVariables(request, remoteAddress), deployment) } : {};
    const body = new ResponseBody({ taken: (bytes) => call.taken(bytes), abandoned: () => call.cancel() });
    const answer = new Answer(kind, body, () => call.cancel(), isPublic);
    const call = this.#executor.call(
      { namespace: deployment.namespace, deployment, trigger: 'function', ...env },
      request,
      answer.sink,
    );
    const cancel = (): void => call.cancel();
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    const ended = call.ended
      .then((execution) => answer.ended(execution))
      .finally(() => signal?.removeEventListener('abort', cancel));
    const head = await Promise.race([answer.head, ended.then(() => answer.head)]);
    const giveUp = (): void => {
      cancel();
      body.cut('nobody waits for the answer any longer');
    };
    return { ...head, body, executionId: call.id, cancel: giveUp };
  }
}

/** What the user configured is not the client's to change by a header. */
function unlessConfigured(variables: Record<string, string>, { env, secrets }: Deployment): Record<string, string> {
  const configured = new Set([...Object.keys(env), ...secrets.map((reference) => reference.env)]);
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !configured.has(name)));
}
