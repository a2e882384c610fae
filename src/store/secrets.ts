/** Sealed secrets and their earlier versions. They are sealed and opened elsewhere: nothing here could read one. */
import { PrisnError } from '../base/error.ts';
import type { KeyValue } from './key-value.ts';
import { fromJson, keyOf, lastPart, numberPart, prefixOf, toJson, versioned, type Versioned } from './keyspace.ts';

/** Versions before the present one that are kept. */
export const keptVersions = 10;

export interface SealedSecret {
  readonly namespace: string;
  readonly name: string;
  /** From 1; it is sealed in with the value, so the sealer chooses it: the one after the present. */
  readonly version: number;
  /** Names of the values inside, which may be shown. */
  readonly keys: readonly string[];
  /** The key that it is sealed under. */
  readonly key_id: string;
  /** Base64. */
  readonly sealed: string;
  /** Of the first version. */
  readonly created_at: string;
  /** Of this version. */
  readonly updated_at: string;
}

export class Secrets {
  readonly #store: KeyValue;

  constructor(store: KeyValue) {
    this.#store = store;
  }

  /**
   * Stores the first or the next version.
   * @throws PrisnError `conflict` when another version was stored meanwhile
   */
  async put(secret: SealedSecret): Promise<void> {
    const { namespace, name, version } = secret;
    const present = await this.#present(namespace, name);
    if ((present?.record.version ?? 0) !== version - 1)
      throw new PrisnError(
        'conflict',
        `secret ${name} in ${namespace} has version ${present?.record.version ?? 0} by now; repeat the change`,
      );
    const key = keyOf('secret', namespace, name);
    const value = toJson(secret);
    const old = version - keptVersions - 1;
    await this.#store.write(
      {
        expect: [{ key, revision: present?.revision ?? null }],
        put: [
          { key, value },
          { key: versionKey(secret), value },
        ],
        delete: old > 0 ? [versionKey({ ...secret, version: old })] : [],
      },
      { durable: true },
    );
  }

  /**
   * Puts the same version under another key, for a change of the master key.
   * @throws PrisnError `conflict` when that version was deleted
   */
  async reseal(secret: SealedSecret): Promise<void> {
    const row = versionKey(secret);
    const [present, stored] = await Promise.all([this.#present(secret.namespace, secret.name), this.#store.get(row)]);
    if (!present || !stored)
      throw new PrisnError('conflict', `secret ${secret.name} in ${secret.namespace} was deleted meanwhile`);
    const key = keyOf('secret', secret.namespace, secret.name);
    const value = toJson(secret);
    const isPresent = present.record.version === secret.version;
    await this.#store.write(
      {
        expect: [
          { key, revision: present.revision },
          { key: row, revision: stored.revision },
        ],
        put: [{ key: row, value }, ...(isPresent ? [{ key, value }] : [])],
      },
      { durable: true },
    );
  }

  /** @param version the present one without */
  async get(namespace: string, name: string, version?: number): Promise<SealedSecret | undefined> {
    if (version === undefined) return (await this.#present(namespace, name))?.record;
    const stored = await this.#store.get(versionKey({ namespace, name, version }));
    return stored && fromJson(stored);
  }

  /** Present versions by namespace and name. */
  async list(namespace?: string): Promise<SealedSecret[]> {
    const secrets: SealedSecret[] = [];
    const prefix = namespace === undefined ? prefixOf('secret') : prefixOf('secret', namespace);
    for await (const row of this.#store.range({ prefix, skipDamaged: true })) secrets.push(fromJson(row));
    return secrets;
  }

  /** The numbers of the versions that are kept, newest first. */
  async versions(namespace: string, name: string): Promise<number[]> {
    const numbers: number[] = [];
    const prefix = prefixOf('secret-version', namespace, name);
    for await (const { key } of this.#store.range({ prefix, reverse: true })) numbers.push(Number(lastPart(key)));
    return numbers;
  }

  /** @returns whether there was one */
  async delete(namespace: string, name: string): Promise<boolean> {
    const present = await this.#present(namespace, name);
    if (!present) return false;
    const versions = await this.versions(namespace, name);
    const key = keyOf('secret', namespace, name);
    await this.#store.write(
      {
        expect: [{ key, revision: present.revision }],
        delete: [key, ...versions.map((version) => versionKey({ namespace, name, version }))],
      },
      { durable: true },
    );
    return true;
  }

  async #present(namespace: string, name: string): Promise<Versioned<SealedSecret> | undefined> {
    const stored = await this.#store.get(keyOf('secret', namespace, name));
    return stored && versioned(stored);
  }
}

function versionKey({ namespace, name, version }: Pick<SealedSecret, 'namespace' | 'name' | 'version'>): string {
  return keyOf('secret-version', namespace, name, numberPart(version));
}
