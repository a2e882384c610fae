/** A deployment of type job: code that is kept to be run on a trigger. In the names and units of the API. */
import type { Resources, SecretReference } from './execution.ts';

export const deploymentTypes = ['service', 'job', 'cronjob'] as const;
export type DeploymentType = (typeof deploymentTypes)[number];

/** What a revision is made of: the same content makes no new one. */
export interface DeploymentSpec {
  readonly type: DeploymentType;
  readonly runtime?: string;
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
