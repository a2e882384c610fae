/**
 * The records of deployments: found by name or id, and changed one after the other, so that of a hundred deploys of one name
 * at once each builds on the one before.
 *
 * The last ones that were asked for are kept in memory, since every request for a function looks one up. All writes go
 * through here: a write replaces what is kept, and a read that began before it keeps nothing.
 */
import { PrisnError } from '../base/error.ts';
import { nearest } from '../base/nearest.ts';
import type { Deployment } from '../model/deployment.ts';
import { isDeploymentId } from '../model/name.ts';
import type { Deployments } from '../store/deployments.ts';
import { Turns } from './turns.ts';

const kept = 1000;

/** What a change finds, and by what it is written. */
export interface Change {
  readonly present: Deployment | undefined;
  write(deployment: Deployment): Promise<Deployment>;
  delete(): Promise<void>;
}

export class DeploymentRecords {
  readonly #store: Deployments;
  readonly #turns = new Turns();
  /** By id, and by namespace and name; the one that was asked for last is last. */
  readonly #kept = new Map<string, Deployment>();
  #writes = 0;

  constructor(store: Deployments) {
    this.#store = store;
  }

  /**
   * @param nameOrId an id is found in whatever namespace it is
   * @throws PrisnError `not_found`
   */
  async get(namespace: string, nameOrId: string): Promise<Deployment> {
    const key = isDeploymentId(nameOrId) ? nameOrId : keyOf(namespace, nameOrId);
    const inMemory = this.#kept.get(key);
    if (inMemory) {
      this.#keep(key, inMemory);
      return inMemory;
    }
    const writes = this.#writes;
    const found = await (isDeploymentId(nameOrId) ? this.#store.byId(nameOrId) : this.#store.byName(namespace, nameOrId));
    if (!found) throw await this.#unknown(namespace, nameOrId);
    if (writes === this.#writes) this.#keep(key, found.record);
    return found.record;
  }

  /**
   * Reads a deployment and changes it, while no other change of it is under way.
   * @param nameOrId an id that nothing has is `not_found`; a name that nothing has is told to `work`
   */
  async change<T>(namespace: string, nameOrId: string, work: (change: Change) => Promise<T>): Promise<T> {
    if (!isDeploymentId(nameOrId)) return this.#changeNamed(namespace, nameOrId, work);
    const { id, namespace: own, name } = await this.get(namespace, nameOrId);
    return this.#changeNamed(own, name, async (change) => {
      if (change.present?.id !== id) throw await this.#unknown(namespace, nameOrId);
      return work(change);
    });
  }

  /** As `change`, of one that is there. @throws PrisnError `not_found` */
  async changePresent<T>(
    namespace: string,
    nameOrId: string,
    work: (present: Deployment, change: Change) => Promise<T>,
  ): Promise<T> {
    return this.change(namespace, nameOrId, async (change) => {
      if (!change.present) throw await this.#unknown(namespace, nameOrId);
      return work(change.present, change);
    });
  }

  async #changeNamed<T>(namespace: string, name: string, work: (change: Change) => Promise<T>): Promise<T> {
    return this.#turns.take(keyOf(namespace, name), async () => {
      const found = await this.#store.byName(namespace, name);
      return work({
        present: found?.record,
        write: async (deployment) => {
          await (found ? this.#store.update(deployment, found.revision) : this.#store.create(deployment));
          this.#forget(deployment);
          return deployment;
        },
        delete: async () => {
          if (!found) return;
          await this.#store.delete(found.record, found.revision);
          this.#forget(found.record);
        },
      });
    });
  }

  #keep(key: string, deployment: Deployment): void {
    this.#kept.delete(key);
    this.#kept.set(key, deployment);
    if (this.#kept.size <= kept) return;
    for (const [oldest] of this.#kept) {
      this.#kept.delete(oldest);
      break;
    }
  }

  #forget({ id, namespace, name }: Deployment): void {
    this.#writes++;
    this.#kept.delete(id);
    this.#kept.delete(keyOf(namespace, name));
  }

  async #unknown(namespace: string, nameOrId: string): Promise<PrisnError> {
    const { items } = await this.#store.list({ namespace }, { limit: 200 });
    const meant = nearest(
      nameOrId,
      items.map(({ name }) => name),
    );
    const question = meant === undefined ? ';' : `; did you mean ${meant}?`;
    const list = `prisn get deployments${namespace === 'default' ? '' : ` -n ${namespace}`}`;
    const shown = JSON.stringify(nameOrId.slice(0, 80));
    return new PrisnError('not_found', `no deployment ${shown} in ${namespace}${question} ${list} shows what there is`);
  }
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
