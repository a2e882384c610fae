/**
 * Secrets: values under a name, sealed as soon as they come in and opened only for an execution that refers to them.
 *
 * One has several values by key, sealed together. A reference is `name`, which means the key `value`, or `name.key`.
 */
import { PrisnError } from '../base/error.ts';
import { nearest } from '../base/nearest.ts';
import { defaultNamespace } from '../model/access.ts';
import type { SecretReference } from '../model/execution.ts';
import { checkName } from '../model/name.ts';
import type { Keyring } from '../secrets/keyring.ts';
import type * as Sealing from '../secrets/seal.ts';
import type { Deployments } from '../store/deployments.ts';
import type { SealedSecret, Secrets } from '../store/secrets.ts';
import { Turns } from './turns.ts';

export interface SecretParts {
  readonly secrets: Secrets;
  readonly deployments: Deployments;
  readonly keyring: Keyring;
  /** `src/secrets/seal.ts` */
  readonly sealing: Pick<typeof Sealing, 'seal' | 'unseal'>;
}

/** A value, or several by key; one of the two. */
export interface SecretFields {
  readonly value?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** What may be shown of a secret. */
export type SecretRecord = Pick<SealedSecret, 'namespace' | 'name' | 'version' | 'keys' | 'created_at' | 'updated_at'>;

/** What an execution gets. */
export interface SecretEnv {
  readonly env: Record<string, string>;
  /** To be masked in its output. */
  readonly values: string[];
}

const soleKey = 'value';
const keyForm = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/;

export class SecretUseCases {
  readonly #parts: SecretParts;
  readonly #turns = new Turns();

  constructor(parts: SecretParts) {
    this.#parts = parts;
  }

  /** @throws PrisnError `conflict` when there is one of that name, `usage`, `too_large` */
  async create(namespace: string, name: string, fields: SecretFields): Promise<SecretRecord> {
    return this.#write(namespace, name, fields, (present) => {
      if (present)
        throw new PrisnError(
          'conflict',
          `the secret ${name} exists already in ${namespace}; to give it a new value: prisn secret rotate ${name}`,
        );
    });
  }

  /**
   * Creates a secret, or gives it a new version: executions that start from now on get that one.
   * @throws PrisnError `usage`, `too_large`
   */
  async put(namespace: string, name: string, fields: SecretFields): Promise<{ secret: SecretRecord; created: boolean }> {
    const secret = await this.#write(namespace, name, fields, () => {});
    return { secret, created: secret.version === 1 };
  }

  /** @throws PrisnError `not_found` */
  async get(namespace: string, name: string): Promise<SecretRecord> {
    const found = await this.#parts.secrets.get(namespace, name);
    if (!found) throw await this.#unknown(namespace, name);
    return shown(found);
  }

  /** By namespace and name. */
  async list(
    namespace: string | undefined,
    { limit, offset = 0 }: { limit: number; offset?: number },
  ): Promise<{ items: SecretRecord[]; total: number }> {
    const all = await this.#parts.secrets.list(namespace);
    return { items: all.slice(offset, offset + limit).map(shown), total: all.length };
  }

  /** @throws PrisnError `not_found`, and `conflict` while a deployment refers to it */
  async delete(namespace: string, name: string): Promise<void> {
    await this.#turns.take(turnOf(namespace, name), async () => {
      const { deployments, secrets } = this.#parts;
      const { items } = await deployments.list({ namespace }, { limit: Number.POSITIVE_INFINITY });
      const users = items.filter((deployment) => deployment.secrets.some((reference) => parsed(reference.name).name === name));
      if (users.length > 0)
        throw new PrisnError(
          'conflict',
          `the secret ${name} is used by ${users.map((deployment) => deployment.name).join(', ')}; deploy without it first`,
        );
      if (!(await secrets.delete(namespace, name))) throw await this.#unknown(namespace, name);
    });
  }

  /**
   * Opens what an execution refers to.
   * @throws PrisnError `not_found` for what is missing, with the command that creates it; `damaged`
   */
  async values(namespace: string, references: readonly SecretReference[]): Promise<SecretEnv> {
    const { keyring, sealing } = this.#parts;
    const found = await this.#find(namespace, references);
    const opened = new Map<string, ReadonlyMap<string, string>>();
    for (const secret of found.values()) {
      const data = JSON.parse(sealing.unseal(keyring, secret, secret.sealed).toString()) as Record<string, string>;
      opened.set(secret.name, new Map(Object.entries(data)));
    }
    await this.#checkFound(namespace, references, found);
    const variables = references.flatMap((reference): [string, string][] => {
      const { name, key } = parsed(reference.name);
      const value = opened.get(name)?.get(key);
      return value === undefined ? [] : [[reference.env, value]];
    });
    const env = Object.fromEntries(variables);
    return { env, values: [...new Set(Object.values(env))] };
  }

  /** @throws PrisnError `not_found` for secrets, or values of them, that are not there */
  async check(namespace: string, references: readonly SecretReference[]): Promise<void> {
    if (references.length > 0) await this.#checkFound(namespace, references, await this.#find(namespace, references));
  }

  async #checkFound(
    namespace: string,
    references: readonly SecretReference[],
    found: ReadonlyMap<string, SealedSecret>,
  ): Promise<void> {
    const missing = references.filter((reference) => {
      const { name, key } = parsed(reference.name);
      return !found.get(name)?.keys.includes(key);
    });
    if (missing.length === 0) return;
    const keyless = missing.flatMap(({ name: reference, env }) => {
      const { name, key } = parsed(reference);
      const keys = found.get(name)?.keys;
      return keys === undefined ? [] : [missingKey({ name, key, keys, env })];
    });
    const unknown = missing.filter(({ name }) => !found.has(parsed(name).name));
    const names = unknown.length === 0 ? [] : (await this.#parts.secrets.list(namespace)).map(({ name }) => name);
    const secrets = unknown.length === 0 ? [] : [missingSecrets(namespace, [...new Set(unknown.map(({ name }) => name))], names)];
    throw new PrisnError('not_found', [...secrets, ...keyless].join('; '));
  }

  /** @returns how many secrets no key that is here can open */
  async sealedWithoutKey(): Promise<number> {
    const all = await this.#parts.secrets.list();
    return all.filter(({ key_id }) => this.#parts.keyring.find(key_id) === undefined).length;
  }

  async #unknown(namespace: string, name: string): Promise<PrisnError> {
    const near = nearest(
      name,
      (await this.#parts.secrets.list(namespace)).map((secret) => secret.name),
    );
    const question = near === undefined ? ';' : `; did you mean ${near}?`;
    return new PrisnError('not_found', `no secret ${JSON.stringify(name)} in ${namespace}${question} see: prisn secret list`);
  }

  async #find(namespace: string, references: readonly SecretReference[]): Promise<Map<string, SealedSecret>> {
    const names = new Set(references.map((reference) => parsed(reference.name).name));
    const found = await Promise.all([...names].map((name) => this.#parts.secrets.get(namespace, name)));
    return new Map(found.flatMap((secret) => (secret ? [[secret.name, secret]] : [])));
  }

  async #write(
    namespace: string,
    name: string,
    fields: SecretFields,
    check: (present: SealedSecret | undefined) => void,
  ): Promise<SecretRecord> {
    const { keyring, sealing, secrets } = this.#parts;
    checkName(namespace, 'namespace');
    checkName(name, 'name');
    const data = dataOf(fields);
    return this.#turns.take(turnOf(namespace, name), async () => {
      const present = await secrets.get(namespace, name);
      check(present);
      const place = { namespace, name, version: (present?.version ?? 0) + 1 };
      const now = new Date().toISOString();
      const secret = {
        ...place,
        keys: Object.keys(data).toSorted(),
        key_id: keyring.current.id,
        sealed: sealing.seal(keyring, place, Buffer.from(JSON.stringify(data))),
        created_at: present?.created_at ?? now,
        updated_at: now,
      };
      await secrets.put(secret);
      return shown(secret);
    });
  }
}

interface MissingKey {
  readonly name: string;
  readonly key: string;
  readonly keys: readonly string[];
  /** The variable that was to have it. */
  readonly env: string;
}

function missingKey({ name, key, keys, env }: MissingKey): string {
  const wanted = nearest(key, keys) ?? keys[0] ?? '';
  return `the secret ${name} has no key '${key}'; it has ${keys.join(', ')}: --secret ${name}${wanted === soleKey ? '' : `.${wanted}`}:${env}`;
}

/**
 * What to do about secrets that are not there.
 * @param missing references, at least one
 * @param names of the secrets that are
 */
function missingSecrets(namespace: string, missing: readonly string[], names: readonly string[]): string {
  const where = namespace === defaultNamespace ? '' : ` -n ${namespace}`;
  const meant = missing.flatMap((reference) => nearest(parsed(reference).name, names) ?? []);
  const question = meant.length === 0 ? ';' : `; did you mean ${[...new Set(meant)].join(', ')}? Or`;
  const commands = missing.map((reference) => {
    const { name, key } = parsed(reference);
    return `prisn secret create ${name} ${key === soleKey ? '--from-file …' : `--data ${key}=…`}${where}`;
  });
  return `${missing.length === 1 ? 'a secret is' : 'secrets are'} missing in ${namespace}: ${missing.join(', ')}${question} create with: ${commands.join('; ')}`;
}

/** @throws PrisnError `usage` */
function dataOf({ value, data }: SecretFields): Record<string, string> {
  if ((value === undefined) === (data === undefined))
    throw new PrisnError('usage', 'a secret takes either value, or data with several values by key');
  const all: Record<string, string> = value === undefined ? { ...data } : { [soleKey]: value };
  if (Object.keys(all).length === 0) throw new PrisnError('usage', 'data: a secret needs at least one value');
  for (const [key, text] of Object.entries(all)) {
    if (!keyForm.test(key))
      throw new PrisnError('usage', `data: ${JSON.stringify(key)} is not a key; letters, digits and . _ -, at most 63`);
    if (text.includes('\0')) throw new PrisnError('usage', `the value ${key} contains a NUL byte, which no variable can hold`);
  }
  return all;
}

/** `name` or `name.key`: no name has a dot. */
function parsed(reference: string): { name: string; key: string } {
  const dot = reference.indexOf('.');
  return dot === -1 ? { name: reference, key: soleKey } : { name: reference.slice(0, dot), key: reference.slice(dot + 1) };
}

function shown({ namespace, name, version, keys, created_at, updated_at }: SealedSecret): SecretRecord {
  return { namespace, name, version, keys, created_at, updated_at };
}

function turnOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
