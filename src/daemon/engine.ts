/** What stands on the data directory: opened together, and closed and opened anew when a restore replaces it. */
import { findRuntime } from '../../runtimes/index.ts';
import { sourceFileName } from '../../runtimes/source-file.ts';
import { build, CleanUps } from '../base/lifecycle.ts';
import { packSource } from '../bundles/source.ts';
import { bundleLimits } from '../bundles/content.ts';
import { BundleStore } from '../bundles/store.ts';
import { DeploymentUseCases } from '../engine/deployments.ts';
import { Executor, type ExecutorOptions } from '../engine/executor.ts';
import { Functions } from '../engine/functions.ts';
import type { Log } from '../engine/log.ts';
import type { Workloads } from '../engine/ports.ts';
import { SecretUseCases } from '../engine/secrets.ts';
import { Logs } from '../logs/logs.ts';
import { logLimits } from '../logs/writer.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Settings } from '../model/settings.ts';
import { Keyring } from '../secrets/keyring.ts';
import { Mask } from '../secrets/mask.ts';
import { seal, unseal } from '../secrets/seal.ts';
import { openStore, type Store } from '../store/store.ts';
import type { Folders } from './folders.ts';
import { swapRestored } from './restore.ts';

export interface EngineParts {
  /** Absolute path of `PRISN_HOME`. */
  readonly home: string;
  readonly folders: Folders;
  readonly settings: Settings;
  /** What `PRISN_MASTER_KEY` said. */
  readonly masterKey: string | undefined;
  readonly nodeId: string;
  /** Origin of the API, once it is known. */
  readonly api: () => string | undefined;
  readonly workloads: Workloads;
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface Engine {
  readonly keyring: Keyring;
  readonly store: Store;
  readonly bundles: BundleStore;
  readonly secrets: SecretUseCases;
  readonly executor: Executor;
  readonly deployments: DeploymentUseCases;
  readonly functions: Functions;
  /** What was found wrong when it was opened. */
  readonly problems: readonly string[];
  /** Whether anything was ever stored. */
  isEmpty(): Promise<boolean>;
  /** Ends what runs as interrupted, unless it was stopped before, and closes everything. */
  close(): Promise<void>;
}

/** @throws PrisnError as the parts do that cannot be opened */
export function openEngine(parts: EngineParts): Promise<Engine> {
  const cleanUps = new CleanUps((problem) => parts.log.error({}, problem));
  return build(cleanUps, async () => {
    const { home, folders, settings, workloads, metrics, log, masterKey } = parts;
    if (await swapRestored(folders)) log.info({}, 'a backup was put in the place of what was stored');
    const keyring = await Keyring.open(folders.key, masterKey);
    const store = await openStore({ directory: folders.store, sync: settings.sync === 'on' });
    cleanUps.push('closing the store', () => store.close());
    for (const problem of store.health().problems) log.error({}, `the store: ${problem}`);
    const bundles = await BundleStore.open(folders.bundles, { ...bundleLimits, packedBytes: settings.bundle_limit });
    const logs = new Logs(folders.logs, { ...logLimits, streamBytes: settings.output_limit });
    const secrets = new SecretUseCases({
      secrets: store.secrets,
      deployments: store.deployments,
      keyring,
      sealing: { seal, unseal },
    });
    const problems = await keyProblems(secrets, folders.key);
    for (const problem of problems) log.error({}, problem);
    const executor = new Executor(
      {
        executions: store.executions,
        deployments: store.deployments,
        idempotency: store.idempotency,
        logs,
        bundles,
        secretValues: (namespace, references) => secrets.values(namespace, references),
        mask: (values) => new Mask(values),
        workloads,
        metrics,
        log,
      },
      executorOptions(parts),
    );
    cleanUps.push('stopping the executor', () => executor.stop(0));
    const deployments = new DeploymentUseCases({
      deployments: store.deployments,
      bundles,
      secrets,
      workloads,
      executor,
      packSource: (source, runtime) => packProgram(bundles, source, runtime, home),
      workDir: folders.work,
      dataDir: folders.data,
    });
    const functions = new Functions(executor, deployments);
    const isEmpty = () => hasNothing(store);
    const close = () => cleanUps.unwind();
    return { keyring, store, bundles, secrets, executor, deployments, functions, problems, isEmpty, close };
  });
}

async function keyProblems(secrets: SecretUseCases, file: string): Promise<string[]> {
  const closed = await secrets.sealedWithoutKey();
  if (closed === 0) return [];
  const whose = closed === 1 ? 'the key of a secret is' : `the keys of ${closed} secrets are`;
  return [
    `${whose} neither in ${file} nor in PRISN_MASTER_KEY; put the key file back, or give these secrets new values, then restart the server`,
  ];
}

function executorOptions({ settings, nodeId, folders, api }: EngineParts): ExecutorOptions {
  return {
    concurrency: settings.concurrency,
    isolateConcurrency: settings.isolate_concurrency,
    queue: settings.queue,
    timeoutMs: settings.timeout,
    retention: { ageMs: settings.retention_age, count: settings.retention_count },
    nodeId,
    workDir: folders.work,
    dataDir: folders.data,
    api,
  };
}

async function packProgram(
  bundles: BundleStore,
  source: string,
  runtime: string,
  home: string,
): Promise<{ bundle: string; entrypoint: string }> {
  const entrypoint = sourceFileName(await findRuntime(runtime, home));
  return { bundle: await packSource(bundles, source, entrypoint), entrypoint };
}

async function hasNothing({ executions, deployments, secrets }: Store): Promise<boolean> {
  const [ran, deployed, kept] = await Promise.all([
    executions.list({}, { limit: 1 }),
    deployments.list({}, { limit: 1 }),
    secrets.list(),
  ]);
  return ran.total + deployed.total + kept.length === 0;
}
