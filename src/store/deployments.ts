/** Deployments: the present record by namespace and name, and what each revision was. */
import { PrisnError } from '../base/error.ts';
import { Recent } from '../base/recent.ts';
import type { Deployment, DeploymentType } from '../model/deployment.ts';
import type { Batch, KeyValue } from './key-value.ts';
import { fromJson, keyOf, numberPart, prefixOf, toJson, versioned, type Versioned } from './keyspace.ts';

/** Older ones cannot be rolled back to. */
export const keptRevisions = 50;

export interface DeploymentFilter {
  readonly namespace?: string;
  readonly type?: DeploymentType;
  readonly label?: { readonly key: string; readonly value: string };
}

/** Records that are asked for with every execution: so many names and ids, and bytes of JSON. */
const maxRecent = 2000;
const maxRecentBytes = 16 * 2 ** 20;

export class Deployments {
  readonly #store: KeyValue;
  /** By the key of the record and by id. */
  readonly #recent = new Recent<string, Versioned<Deployment>>(maxRecent, { maxWeight: maxRecentBytes });
  #writes = 0;

  constructor(store: KeyValue) {
    this.#store = store;
  }

  /** @throws PrisnError `conflict` when the namespace has one of that name */
  async create(deployment: Deployment): Promise<number> {
    const key = recordKey(deployment);
    const put = [...rowsOf(deployment), { key: keyOf('deployment-id', deployment.id), value: toJson(key) }];
    return this.#write(
      deployment,
      { expect: [{ key, revision: null }], put },
      `deployment ${deployment.name} exists already in ${deployment.namespace}`,
    );
  }

  /**
   * Writes it anew; a higher `deployment.revision` makes a new one in its history.
   * @param revision of the record that the change is based on
   * @throws PrisnError `conflict` when it was changed or deleted meanwhile
   */
  async update(deployment: Deployment, revision: number): Promise<number> {
    const expect = [{ key: recordKey(deployment), revision }];
    const old = deployment.revision - keptRevisions;
    const gone = old > 0 ? [revisionKey(deployment.id, old)] : [];
    return this.#write(
      deployment,
      { expect, put: rowsOf(deployment), delete: gone },
      `deployment ${deployment.name} was changed or deleted meanwhile`,
    );
  }

  /** @throws PrisnError `conflict` when it was changed or deleted meanwhile */
  async delete(deployment: Deployment, revision: number): Promise<void> {
    const key = recordKey(deployment);
    const history: string[] = [];
    for await (const row of this.#store.range({ prefix: prefixOf('revision', deployment.id) })) history.push(row.key);
    const gone = [key, keyOf('deployment-id', deployment.id), ...history];
    await this.#write(
      deployment,
      { expect: [{ key, revision }], delete: gone },
      `deployment ${deployment.name} was changed or deleted meanwhile`,
    );
  }

  async byName(namespace: string, name: string): Promise<Versioned<Deployment> | undefined> {
    const key = recordKey({ namespace, name });
    return this.#recent.get(key) ?? this.#read(key);
  }

  async byId(id: string): Promise<Versioned<Deployment> | undefined> {
    const recent = this.#recent.get(id);
    if (recent) return recent;
    const row = await this.#store.get(keyOf('deployment-id', id));
    return row && this.#read(fromJson<string>(row));
  }

  /** As it was at each of its last revisions, newest first. */
  async revisions(id: string): Promise<Deployment[]> {
    const history: Deployment[] = [];
    for await (const row of this.#store.range({ prefix: prefixOf('revision', id), reverse: true, skipDamaged: true }))
      history.push(fromJson(row));
    return history;
  }

  /** By namespace and name. Reads all of the namespace: deployments are few where executions are many. */
  async list(
    { namespace, type, label }: DeploymentFilter,
    { limit, offset = 0 }: { limit: number; offset?: number },
  ): Promise<{ items: Deployment[]; total: number }> {
    const items: Deployment[] = [];
    let total = 0;
    const prefix = namespace === undefined ? prefixOf('deployment') : prefixOf('deployment', namespace);
    for await (const row of this.#store.range({ prefix, skipDamaged: true })) {
      const deployment = fromJson<Deployment>(row);
      if (type !== undefined && deployment.type !== type) continue;
      if (label && deployment.labels[label.key] !== label.value) continue;
      if (total++ >= offset && items.length < limit) items.push(deployment);
    }
    return { items, total };
  }

  async #read(key: string): Promise<Versioned<Deployment> | undefined> {
    const writes = this.#writes;
    const stored = await this.#store.get(key);
    if (!stored) return undefined;
    const found = versioned<Deployment>(stored);
    // What was written meanwhile may be newer.
    if (writes === this.#writes) for (const name of [key, found.record.id]) this.#recent.set(name, found, stored.value.length);
    return found;
  }

  async #write(deployment: Deployment, batch: Batch, conflict: string): Promise<number> {
    try {
      return await this.#store.write(batch, { durable: true });
    } catch (error) {
      if (error instanceof PrisnError && error.code === 'conflict') throw new PrisnError('conflict', conflict, { cause: error });
      throw error;
    } finally {
      // Also where it failed: it may be there all the same.
      this.#writes++;
      for (const name of [recordKey(deployment), deployment.id]) this.#recent.delete(name);
    }
  }
}

function recordKey({ namespace, name }: Pick<Deployment, 'namespace' | 'name'>): string {
  return keyOf('deployment', namespace, name);
}

function revisionKey(id: string, revision: number): string {
  return keyOf('revision', id, numberPart(revision));
}

function rowsOf(deployment: Deployment): { key: string; value: Uint8Array }[] {
  const value = toJson(deployment);
  return [
    { key: recordKey(deployment), value },
    { key: revisionKey(deployment.id, deployment.revision), value },
  ];
}
