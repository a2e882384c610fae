/**
 * A secret at rest: AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits, as text of three parts:
 *
 * ```
 * v1.<id of the key>.<base64url of nonce, ciphertext and tag>
 * ```
 * Where the secret belongs (namespace, name, version) and the key's id are associated data: a blob that someone put in
 * another secret's place, or an older version back into a newer one's, does not open.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { PrisnError } from '../base/error.ts';
import type { Keyring } from './keyring.ts';

export interface SecretPlace {
  readonly namespace: string;
  readonly name: string;
  /** From 1; each new value has the next. */
  readonly version: number;
}

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;
const blobPattern = /^v1\.([0-9a-f]{16})\.([A-Za-z0-9_-]+)$/;

/** Environment variables end at 128 kB, and masks of longer values would take more memory than they are worth. */
export const maxSecretBytes = 65_536;

/**
 * @returns printable text, different each time
 * @throws PrisnError `too_large`
 */
export function seal(keyring: Keyring, place: SecretPlace, value: Uint8Array): string {
  if (value.length > maxSecretBytes)
    throw new PrisnError(
      'too_large',
      `the secret ${place.name} has ${value.length} bytes, at most ${maxSecretBytes}; keep longer ones in a file`,
    );
  const { id, secret } = keyring.current;
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, secret, nonce, { authTagLength: tagBytes }).setAAD(associated(id, place));
  const sealed = Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
  return `v1.${id}.${sealed.toString('base64url')}`;
}

/**
 * @param place where the blob was found; it must be where it was sealed for
 * @throws PrisnError `damaged` for what is no blob, was changed, belongs elsewhere, or needs a key that is not there
 */
export function unseal(keyring: Keyring, place: SecretPlace, blob: string): Buffer {
  const [, id, body] = blobPattern.exec(blob) ?? [];
  const sealed = Buffer.from(body ?? '', 'base64url');
  if (id === undefined || sealed.length < nonceBytes + tagBytes) throw unreadable(place, 'what is stored is no sealed value');
  const key = keyring.find(id);
  if (key === undefined)
    throw unreadable(
      place,
      `it is sealed with the key ${id}, which is neither in the key file nor in PRISN_MASTER_KEY; bring that key back`,
    );
  const nonce = sealed.subarray(0, nonceBytes);
  const decipher = createDecipheriv(algorithm, key.secret, nonce, { authTagLength: tagBytes })
    .setAAD(associated(id, place))
    .setAuthTag(sealed.subarray(-tagBytes));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]);
  } catch (error) {
    throw unreadable(place, 'what is stored was changed, or sealed for another secret or version', error);
  }
}

/** Whether a blob should be sealed anew: the key has been rotated since. */
export function isSealedByOlderKey(keyring: Keyring, blob: string): boolean {
  return blobPattern.exec(blob)?.[1] !== keyring.current.id;
}

/** JSON, so that no two places have the same bytes. */
function associated(keyId: string, { namespace, name, version }: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify(['prisn secret', keyId, namespace, name, version]));
}

function unreadable({ namespace, name, version }: SecretPlace, why: string, cause?: unknown): PrisnError {
  return new PrisnError(
    'damaged',
    `cannot read version ${version} of the secret ${name} in the namespace ${namespace}: ${why}. To set it anew: prisn secret rotate ${name}`,
    { cause },
  );
}
