/** A deployment of type job: code that is kept to be run on a trigger. In the names and units of the API. */
import type { Resources, SecretReference } from './execution.ts';

export const deploymentTypes = ['service', 'job', 'cronjob'] as const;
export type DeploymentType = (typeof deploymentTypes)[number];

/** What a revision is made of: the same content makes no new one. */
export interface DeploymentSpec {
  readonly type: DeploymentType;
  /** Id of the runtime that was found for the code when it was deployed. */
  readonly runtime?: string;
  /** The runtime that the user chose, id or alias; without it the file decides, also when it changes. */
  readonly chosen_runtime?: string;
  /** Content hash of the code. */
  readonly bundle: string;
  /** Path of the program's file inside the bundle. */
  readonly entrypoint: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly SecretReference[];
  readonly timeout_ms?: number;
  readonly retries: number;
  /** Executions at once; no limit of its own without. */
  readonly concurrency?: number;
  readonly resources?: Resources;
  readonly labels: Readonly<Record<string, string>>;
  /** Its contexts are kept between executions; a fresh one each without. */
  readonly reuse?: true;
}

export interface Deployment extends DeploymentSpec {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  /** From 1. */
  readonly revision: number;
  readonly created_at: string;
  readonly updated_at: string;
}

/** What of a deployment makes its revision. */
export function specOf(deployment: DeploymentSpec): DeploymentSpec {
  const { type, runtime, chosen_runtime, bundle, entrypoint, args, env, secrets } = deployment;
  const { timeout_ms, retries, concurrency, resources, labels, reuse } = deployment;
  return {
    type,
    bundle,
    entrypoint,
    args,
    env,
    secrets,
    retries,
    labels,
    ...(runtime !== undefined && { runtime }),
    ...(chosen_runtime !== undefined && { chosen_runtime }),
    ...(timeout_ms !== undefined && { timeout_ms }),
    ...(concurrency !== undefined && { concurrency }),
    ...(resources !== undefined && { resources }),
    ...(reuse && { reuse }),
  };
}

/** Whether two are the same code and configuration. The order of arguments and secrets counts, that of names does not. */
export function sameSpec(a: DeploymentSpec, b: DeploymentSpec): boolean {
  return JSON.stringify(specOf(a), sortedKeys) === JSON.stringify(specOf(b), sortedKeys);
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
