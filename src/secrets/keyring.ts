/**
 * The keys that seal secrets: the newest seals, all of them open.
 *
 * They lie in a file that only its owner may read, one line a key, oldest first, made with the first key when it is
 * missing; `PRISN_MASTER_KEY` takes the file's place for sealing where the key must come from outside. A key's id is
 * derived from the key: it says which key sealed a blob, is the same wherever the key comes from, and shows a damaged line.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { type FileHandle, link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, PrisnError } from '../base/error.ts';

export interface Key {
  /** 16 hex digits. */
  readonly id: string;
  /** 32 bytes. */
  readonly secret: Buffer;
}

const keyBytes = 32;

export class Keyring {
  readonly #file: string;
  /** Newest first; the first seals. */
  #keys: readonly Key[];
  readonly #isFromOutside: boolean;

  private constructor(file: string, keys: readonly Key[], isFromOutside: boolean) {
    this.#file = file;
    this.#keys = keys;
    this.#isFromOutside = isFromOutside;
  }

  /**
   * @param file absolute path of the key file; its folder must be there
   * @param masterKey what `PRISN_MASTER_KEY` says: a key of 32 bytes in base64 or hex, or several with commas between, the
   *   newest first. A key file that is there as well still opens what it sealed
   * @throws PrisnError `usage` for a key that is none and for a file that others may read, `damaged` for a broken file
   */
  static async open(file: string, masterKey?: string): Promise<Keyring> {
    const given = masterKey ? masterKey.split(',').map((text) => parseMasterKey(text.trim())) : [];
    const kept = await readKeys(file);
    if (given.length > 0) return new Keyring(file, [...given, ...(kept ?? [])], true);
    if (kept !== undefined) return new Keyring(file, kept, false);
    await createFile(file, [newKey()]);
    return new Keyring(file, (await readKeys(file)) ?? [], false);
  }

  /** The key that seals. */
  get current(): Key {
    const [newest] = this.#keys;
    if (newest === undefined) throw new TypeError('a keyring has a key');
    return newest;
  }

  find(id: string): Key | undefined {
    return this.#keys.find((key) => key.id === id);
  }

  /**
   * Adds a key that seals from now on; what older ones sealed opens as before.
   * @throws PrisnError `usage` when the key comes from `PRISN_MASTER_KEY`
   */
  async rotate(): Promise<Key> {
    if (this.#isFromOutside)
      throw new PrisnError(
        'usage',
        'the key comes from PRISN_MASTER_KEY; to rotate, put a new key before it, with a comma between',
      );
    const key = newKey();
    const keys = [key, ...this.#keys];
    await writeWhole(this.#file, keys, (temporary) => rename(temporary, this.#file));
    this.#keys = keys;
    return key;
  }
}

function newKey(): Key {
  return keyOf(randomBytes(keyBytes));
}

function keyOf(secret: Buffer): Key {
  return { id: createHmac('sha256', secret).update('prisn key id').digest('hex').slice(0, 16), secret };
}

function parseMasterKey(text: string): Key {
  const isHex = /^[0-9a-f]{64}$/i.test(text);
  if (!isHex && !/^[A-Za-z0-9+/_-]{43}=?$/.test(text))
    throw new PrisnError(
      'usage',
      'PRISN_MASTER_KEY is not a key of 32 bytes in base64 or hex; make one with: openssl rand -base64 32',
    );
  return keyOf(Buffer.from(text, isHex ? 'hex' : 'base64'));
}

/** @returns newest first, or undefined when there is no file */
async function readKeys(file: string): Promise<Key[] | undefined> {
  const found = await stat(file).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return undefined;
  if ((found.mode & 0o077) !== 0)
    throw new PrisnError('usage', `the key file ${file} is open to other users; close it with: chmod 600 ${file}`);
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  const keys = lines.map((line) => {
    const [id, secret = ''] = line.split(' ');
    const key = keyOf(Buffer.from(secret, 'base64'));
    if (key.id !== id || key.secret.length !== keyBytes) throw damaged(file);
    return key;
  });
  if (keys.length === 0) throw damaged(file);
  return keys.toReversed();
}

function damaged(file: string): PrisnError {
  return new PrisnError(
    'damaged',
    `the key file ${file} is damaged; put it back from a backup, since secrets sealed with its keys cannot be read without it`,
  );
}

/** Of several processes at once one makes the file, and all read that one. */
async function createFile(file: string, keys: readonly Key[]): Promise<void> {
  await writeWhole(file, keys, async (temporary) => {
    await link(temporary, file).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
  });
}

/** Writes the keys to a file of its own, and lets `publish` give it its name once it is on the disk. */
async function writeWhole(file: string, keys: readonly Key[], publish: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${file}.${process.pid}-${randomBytes(6).toString('hex')}`;
  try {
    const text = keys.toReversed().map(({ id, secret }) => `${id} ${secret.toString('base64')}\n`);
    await use(await open(temporary, 'wx', 0o600), async (handle) => {
      await handle.writeFile(text.join(''));
      await handle.sync();
    });
    await publish(temporary);
    await use(await open(dirname(file)), (folder) => folder.sync());
  } finally {
    await rm(temporary, { force: true });
  }
}

async function use(handle: FileHandle, work: (handle: FileHandle) => Promise<void>): Promise<void> {
  try {
    await work(handle);
  } finally {
    await handle.close();
  }
}
