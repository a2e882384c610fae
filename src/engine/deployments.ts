/**
 * Deployments: code under a name, its configuration, and its revisions.
 *
 * A change is checked whole before anything is written, and written at once: code, runtime and secrets are there, or
 * nothing changes. The same code and configuration make no revision.
 */
import { join } from 'node:path';
import { messageOf, PrisnError } from '../base/error.ts';
import { newId } from '../base/id.ts';
import { removeFolder } from '../base/remove-folder.ts';
import { sameSpec, specOf, type Deployment, type DeploymentSpec } from '../model/deployment.ts';
import { checkLimits } from '../model/limits.ts';
import { checkName, isDeploymentId } from '../model/name.ts';
import type { DeploymentFilter, Deployments } from '../store/deployments.ts';
import { placeOf, resolveCode, type CodeParts, type CodePlace } from './deployment-code.ts';
import { configurationOf, type Configuration, type DeploymentChanges, type DeploymentFields } from './deployment-fields.ts';
import { DeploymentRecords, type Change } from './deployment-records.ts';
import { jobStatus, type DeploymentStatus } from './deployment-status.ts';
import type { Executor } from './executor.ts';
import type { SecretUseCases } from './secrets.ts';

export interface DeploymentParts extends CodeParts {
  readonly deployments: Deployments;
  readonly secrets: Pick<SecretUseCases, 'check'>;
  readonly executor: Pick<Executor, 'list' | 'runningOf' | 'forget'>;
  /** Absolute paths; a deployment has a folder named by its id in each. */
  readonly workDir: string;
  readonly dataDir: string;
}

/** Of its newest executions, in search of one that has started. */
const lookedThrough = 20;

export interface Written {
  readonly deployment: Deployment;
  /** False where the same code and configuration were there already. */
  readonly changed: boolean;
}

export class DeploymentUseCases {
  readonly #parts: DeploymentParts;
  readonly #records: DeploymentRecords;

  constructor(parts: DeploymentParts) {
    this.#parts = parts;
    this.#records = new DeploymentRecords(parts.deployments);
  }

  /** @throws PrisnError `conflict` when the name is taken, and as `put` */
  async create(namespace: string, name: string, fields: DeploymentFields): Promise<Deployment> {
    checkNames(namespace, name);
    return this.#records.change(namespace, name, async (change) => {
      if (change.present)
        throw new PrisnError(
          'conflict',
          `the deployment ${name} exists already in ${namespace}; prisn deploy, or PUT and PATCH, change it`,
        );
      return this.#createAs(namespace, name, fields, change);
    });
  }

  /**
   * Creates a deployment, or replaces it by a new revision.
   * @param nameOrId an id must be one that is there
   * @throws PrisnError `usage` naming the field, `unsupported`, `not_found` for a bundle or secrets, `cannot_run`, `no_runtime`,
   *   `storage_full`
   */
  async put(namespace: string, nameOrId: string, fields: DeploymentFields): Promise<Written & { readonly created: boolean }> {
    if (!isDeploymentId(nameOrId)) checkNames(namespace, nameOrId);
    return this.#records.change(namespace, nameOrId, async (change) => {
      const { present } = change;
      if (!present)
        return { deployment: await this.#createAs(namespace, nameOrId, fields, change), created: true, changed: true };
      const configuration = configurationOf(fields, present.type);
      const spec = await this.#checked(present.namespace, configuration, await placeOf(this.#parts, fields));
      return { ...(await this.#revise(present, spec, change)), created: false };
    });
  }

  /**
   * Changes what is given and keeps the rest: of variables, labels and resources each by itself, of arguments and secrets the
   * whole list. Unless a runtime was chosen, the file of new code decides anew what runs it.
   * @throws PrisnError as `put`, and `not_found`
   */
  async patch(namespace: string, nameOrId: string, changes: DeploymentChanges): Promise<Written> {
    return this.#records.changePresent(namespace, nameOrId, async (present, change) => {
      const configuration = configurationOf(changes, present.type, present);
      const spec = await this.#checked(present.namespace, configuration, await placeOf(this.#parts, changes, present));
      return this.#revise(present, spec, change);
    });
  }

  /**
   * @param nameOrId an id is found in whatever namespace it is
   * @throws PrisnError `not_found`
   */
  async get(namespace: string, nameOrId: string): Promise<Deployment> {
    return this.#records.get(namespace, nameOrId);
  }

  /** Where its present revision runs, and what `PRISN_DATA` is: absolute paths; each is there once a process of it has run. */
  folders({ id, revision }: Deployment): { readonly work: string; readonly data: string } {
    const { workDir, dataDir } = this.#parts;
    return { work: join(workDir, id, String(revision)), data: join(dataDir, id) };
  }

  /** By namespace and name. */
  async list(
    filter: DeploymentFilter,
    page: { readonly limit: number; readonly offset?: number },
  ): Promise<{ items: Deployment[]; total: number }> {
    return this.#parts.deployments.list(filter, page);
  }

  /**
   * Ends its executions and removes it, with its revisions and its folders.
   * @throws PrisnError `not_found`; `unavailable` when it is gone and a folder is not
   */
  async delete(namespace: string, nameOrId: string): Promise<void> {
    const { executor, workDir, dataDir } = this.#parts;
    await this.#records.changePresent(namespace, nameOrId, async ({ id, name }, change) => {
      const takeBack = await executor.forget(id);
      await change.delete().catch((error: unknown) => {
        takeBack();
        throw error;
      });
      for (const folder of [join(workDir, id), join(dataDir, id)])
        await removeFolder(folder).catch((error: unknown) => {
          throw new PrisnError(
            'unavailable',
            `the deployment ${name} is deleted, but its folder ${folder} could not be removed (${messageOf(error)}); remove it by hand`,
            { cause: error },
          );
        });
    });
  }

  /**
   * Makes a new revision that is a copy of an earlier one.
   * @param revision the one before the present without
   * @throws PrisnError `not_found` for one that is not kept, or whose code or secrets are gone; `usage` for the present one
   */
  async rollback(namespace: string, nameOrId: string, revision?: number): Promise<Deployment> {
    return this.#records.changePresent(namespace, nameOrId, async (present, change) => {
      if (revision === undefined && present.revision === 1)
        throw new PrisnError('not_found', `${present.name} has one revision only; there is none to roll back to`);
      const wanted = revision ?? present.revision - 1;
      if (wanted === present.revision)
        throw new PrisnError('usage', `revision ${wanted} is the present one of ${present.name}; nothing to roll back`);
      const history = await this.#parts.deployments.revisions(present.id);
      const old = history.find((earlier) => earlier.revision === wanted);
      if (!old) throw unknownRevision(present, wanted, history);
      const { deployment } = await this.#revise(present, await this.#checked(present.namespace, specOf(old), old), change);
      return deployment;
    });
  }

  /** As it was at each revision that is kept, newest first. */
  async revisions(namespace: string, nameOrId: string): Promise<Deployment[]> {
    const { id } = await this.get(namespace, nameOrId);
    return this.#parts.deployments.revisions(id);
  }

  async status(deployment: Deployment): Promise<DeploymentStatus> {
    const { executor } = this.#parts;
    const { items } = await executor.list({ deploymentId: deployment.id }, { limit: lookedThrough });
    return jobStatus(deployment, items, executor.runningOf(deployment.id));
  }

  /** @throws PrisnError `not_found`, `usage`: only a service has replicas */
  async scale(namespace: string, nameOrId: string, _replicas: number): Promise<never> {
    const { name, type } = await this.get(namespace, nameOrId);
    throw new PrisnError(
      'usage',
      `${name} is a ${type} and has no replicas; it runs once for each trigger: prisn trigger ${name}. How many may run at once is its concurrency`,
    );
  }

  async #createAs(namespace: string, name: string, fields: DeploymentFields, change: Change): Promise<Deployment> {
    const spec = await this.#checked(namespace, configurationOf(fields), await placeOf(this.#parts, fields));
    const now = new Date().toISOString();
    const identity = { id: newId('dep'), name, namespace, revision: 1, created_at: now, updated_at: now };
    return this.#write({ ...spec, ...identity }, change);
  }

  async #revise(present: Deployment, spec: DeploymentSpec, change: Change): Promise<Written> {
    if (sameSpec(present, spec)) return { deployment: present, changed: false };
    const { id, name, namespace, revision, created_at } = present;
    const identity = { id, name, namespace, revision: revision + 1, created_at, updated_at: new Date().toISOString() };
    return { deployment: await this.#write({ ...spec, ...identity }, change), changed: true };
  }

  async #write(deployment: Deployment, change: Change): Promise<Deployment> {
    const written = await change.write(deployment);
    const { bundle, entrypoint, chosen_runtime: runtime, env, secrets } = written;
    const { bundles, workloads } = this.#parts;
    const program = { folder: bundles.open(bundle), entrypoint, ...(runtime !== undefined && { runtime }) };
    workloads.prepareAhead(
      program,
      env,
      secrets.map((secret) => secret.env),
    );
    return written;
  }

  async #checked(namespace: string, configuration: Configuration, place: CodePlace): Promise<DeploymentSpec> {
    await this.#parts.secrets.check(namespace, configuration.secrets);
    const resolved = await resolveCode(this.#parts, place);
    checkLimits(resolved, configuration.resources ?? {});
    if (configuration.reuse && resolved.kind === 'process')
      throw new PrisnError(
        'usage',
        `reuse: only a program in an isolate keeps its context, and this one would run in ${resolved.runtime} (${resolved.why}); ` +
          'deploy it without reuse: a process starts anew for each execution',
      );
    const { bundle, entrypoint, chosen_runtime } = place;
    return {
      ...configuration,
      bundle,
      entrypoint,
      runtime: resolved.runtime,
      ...(chosen_runtime !== undefined && { chosen_runtime }),
    };
  }
}

function checkNames(namespace: string, name: string): void {
  checkName(namespace, 'namespace');
  checkName(name, 'name');
}

function unknownRevision({ name }: Deployment, wanted: number, history: readonly Deployment[]): PrisnError {
  const kept = history.map(({ revision }) => revision);
  const are = kept.length === 1 ? `the only one is ${kept[0]}` : `kept are ${kept.at(-1)} to ${kept[0]}`;
  return new PrisnError('not_found', `${name} has no revision ${wanted}; ${are}, see: prisn history ${name}`);
}
