/** What is asked to be run, and the record and the spec that it is accepted as. */
import type { Deployment } from '../model/deployment.ts';
import type { Execution, ExecutionSpec, Resources, SecretReference, Trigger } from '../model/execution.ts';
import { nameFrom } from '../model/name.ts';
import { known } from './known.ts';
import type { ProgramText, Resolved } from './ports.ts';

export interface ProgramInBundle {
  readonly bundle: string;
  /** Path of the program's file, inside the bundle. */
  readonly entrypoint: string;
  readonly runtime?: string;
}

/** Fields of the caller's request; what is not given comes from the deployment, then from the server's settings. */
export interface Submission {
  readonly namespace: string;
  readonly deployment?: Deployment;
  /** Goes without `deployment`, and must be there without one. */
  readonly program?: ProgramText | ProgramInBundle;
  readonly name?: string;
  /** Added to the deployment's. */
  readonly args?: readonly string[];
  /** Added to the deployment's, and wins over it, but not over a secret. */
  readonly env?: Readonly<Record<string, string>>;
  /** Added to the deployment's. */
  readonly secrets?: readonly SecretReference[];
  /** JSON text. */
  readonly input?: string;
  readonly stdin?: string;
  readonly timeoutMs?: number;
  readonly retries?: number;
  readonly resources?: Resources;
  readonly trigger: Trigger;
  readonly idempotency?: { readonly caller: string; readonly key: string; readonly bodyHash: string };
}

export function programOf({ deployment, program }: Pick<Submission, 'deployment' | 'program'>): ProgramText | ProgramInBundle {
  if (deployment) {
    const { bundle, entrypoint, chosen_runtime: runtime } = deployment;
    return known({ bundle, entrypoint, runtime });
  }
  if (!program) throw new TypeError('a submission needs a deployment or a program');
  if ('source' in program) return program;
  const { bundle, entrypoint, runtime } = program;
  return known({ bundle, entrypoint, runtime });
}

export function specOf(submission: Submission, defaultTimeoutMs: number): ExecutionSpec {
  const { deployment, args = [], env, secrets = [], input, stdin, timeoutMs, retries, resources } = submission;
  const limits = { ...deployment?.resources, ...resources };
  return known({
    program: programOf(submission),
    args: [...(deployment?.args ?? []), ...args],
    env: { ...deployment?.env, ...env },
    secrets: [...(deployment?.secrets ?? []), ...secrets],
    input,
    stdin,
    timeout_ms: timeoutMs ?? deployment?.timeout_ms ?? defaultTimeoutMs,
    retries: retries ?? deployment?.retries ?? 0,
    resources: Object.keys(limits).length > 0 ? limits : undefined,
    reuse: deployment?.reuse,
  });
}

export function acceptedRecord(
  submission: Submission,
  { runtime }: Resolved,
  { id, nowMs, nodeId }: { readonly id: string; readonly nowMs: number; readonly nodeId: string },
): Execution {
  const { namespace, deployment, name, trigger } = submission;
  return known({
    id,
    namespace,
    name: name ?? deployment?.name ?? nameOf(programOf(submission)) ?? runtime,
    deployment_id: deployment?.id,
    deployment: deployment?.name,
    revision: deployment?.revision,
    status: 'Pending',
    created_at: new Date(nowMs).toISOString(),
    attempt: 1,
    runtime,
    node_id: nodeId,
    trigger,
  });
}

function nameOf(program: ProgramText | ProgramInBundle): string | undefined {
  return 'entrypoint' in program ? nameFrom(program.entrypoint) : undefined;
}
