/** What the API stands on: the use cases of the engine, and what else the daemon has. */
import type { BundleStore } from '../bundles/store.ts';
import type { DeploymentUseCases } from '../engine/deployments.ts';
import type { Executor } from '../engine/executor.ts';
import type { ForegroundRuns } from '../engine/foreground-runs.ts';
import type { Functions } from '../engine/functions.ts';
import type { Log } from '../engine/log.ts';
import type { SecretUseCases } from '../engine/secrets.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Output } from './contract/schemas.ts';

export type ShownRuntime = Output<'listRuntimes'>['items'][number];
export type ShownNode = Output<'listNodes'>['items'][number];

export interface ApiParts {
  readonly executor: Pick<Executor, 'submit' | 'get' | 'wait' | 'list' | 'cancel' | 'logs' | 'executionsOf'>;
  readonly deployments: Pick<
    DeploymentUseCases,
    'create' | 'put' | 'patch' | 'get' | 'list' | 'delete' | 'rollback' | 'revisions' | 'status' | 'folders' | 'scale'
  >;
  readonly secrets: Pick<SecretUseCases, 'create' | 'put' | 'get' | 'list' | 'delete' | 'check'>;
  readonly functions: Pick<Functions, 'call'>;
  readonly bundles: Pick<BundleStore, 'put' | 'archive'>;
  readonly runs: Pick<ForegroundRuns, 'serve'>;
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
  readonly runtimes: () => Promise<readonly ShownRuntime[]>;
  readonly node: () => ShownNode;
  readonly readiness: () => { readonly ready: boolean; readonly reasons: readonly string[] };
  /** Reads all records. */
  readonly verify: () => Promise<{ records: number; problems: string[] }>;
  readonly backup: {
    /** @param withKey also the key that opens the secrets */
    write(withKey: boolean): AsyncIterable<Uint8Array>;
    /** @returns the number of records */
    restore(archive: AsyncIterable<Uint8Array>, force: boolean): Promise<number>;
  };
  readonly log: Log;
  readonly version: string;
}

export interface ApiOptions {
  /** Bytes. */
  readonly bodyLimit: number;
  /** Bytes, compressed. */
  readonly bundleLimit: number;
  /** Names under which functions are reached from elsewhere, in lower case. */
  readonly publicHosts: readonly string[];
}
