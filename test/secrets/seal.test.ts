import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { Keyring } from '../../src/secrets/keyring.ts';
import { isSealedByOlderKey, maxSecretBytes, seal, unseal } from '../../src/secrets/seal.ts';

function keyFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'prisn-keys-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'key');
}

const place = { namespace: 'default', name: 'db-password', version: 1 };
const value = Buffer.from('supersecret');
const damaged = (message: RegExp) => ({ name: 'PrisnError', code: 'damaged', message });

describe('a keyring', () => {
  test('makes its file on first use, for its owner alone, and finds the same key again', async (t) => {
    const file = keyFile(t);
    const first = await Keyring.open(file);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(file, '..')), ['key']);
    const second = await Keyring.open(file);
    assert.deepEqual(second.current, first.current);
    assert.equal(unseal(second, place, seal(first, place, value)).toString(), 'supersecret');
  });

  test('takes the file of another process that was faster, instead of its own', async (t) => {
    const [file, faster] = [keyFile(t), keyFile(t)];
    const other = await Keyring.open(faster);
    const opening = Keyring.open(file);
    const folder = join(file, '..');
    while (readdirSync(folder).length === 0) await new Promise((resolve) => setImmediate(resolve));
    copyFileSync(faster, file);
    assert.deepEqual((await opening).current, other.current);
    assert.deepEqual((await Keyring.open(file)).current, other.current);
    assert.deepEqual(readdirSync(folder), ['key']);
  });

  test('refuses a file that others can read, and a damaged one, and never makes a new one instead', async (t) => {
    const file = keyFile(t);
    await Keyring.open(file);
    const whole = readFileSync(file, 'utf8');
    chmodSync(file, 0o640);
    await assert.rejects(Keyring.open(file), { code: 'usage', message: new RegExp(`chmod 600 ${file}`) });
    chmodSync(file, 0o600);
    for (const broken of ['', 'hello', whole.slice(0, -3), whole.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))]) {
      writeFileSync(file, broken);
      await assert.rejects(Keyring.open(file), damaged(/key file .* is damaged; put it back from a backup/));
      assert.equal(readFileSync(file, 'utf8'), broken);
    }
  });

  test('seals with the newest key after a rotation, and opens what older ones sealed', async (t) => {
    const file = keyFile(t);
    const keyring = await Keyring.open(file);
    const old = seal(keyring, place, value);
    assert.equal(isSealedByOlderKey(keyring, old), false);
    const key = await keyring.rotate();
    assert.deepEqual(keyring.current, key);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    for (const each of [keyring, await Keyring.open(file)]) {
      const fresh = seal(each, place, value);
      assert.ok(fresh.startsWith(`v1.${key.id}.`));
      assert.deepEqual([isSealedByOlderKey(each, old), isSealedByOlderKey(each, fresh)], [true, false]);
      assert.deepEqual([unseal(each, place, old), unseal(each, place, fresh)], [value, value]);
    }
  });

  test('takes its key from PRISN_MASTER_KEY, leaves no file then, and opens what the file sealed before', async (t) => {
    const file = keyFile(t);
    const [one, two] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    const outside = await Keyring.open(file, one.toString('base64'));
    assert.deepEqual(readdirSync(join(file, '..')), []);
    const blob = seal(outside, place, value);
    assert.deepEqual(unseal(await Keyring.open(file, one.toString('hex')), place, blob), value);
    const rotated = await Keyring.open(file, `${two.toString('base64url')}, ${one.toString('base64')}`);
    assert.deepEqual([unseal(rotated, place, blob), isSealedByOlderKey(rotated, blob)], [value, true]);
    await assert.rejects(rotated.rotate(), { code: 'usage', message: /comes from PRISN_MASTER_KEY/ });

    const inFile = seal(await Keyring.open(file), place, value);
    const moved = await Keyring.open(file, one.toString('base64'));
    assert.deepEqual([unseal(moved, place, inFile), isSealedByOlderKey(moved, inFile)], [value, true]);
    assert.equal(moved.current.secret.equals(one), true);
  });

  test('refuses a master key that is none, without showing it', async (t) => {
    for (const key of ['short', 'x'.repeat(64), Buffer.alloc(31).toString('base64'), `${Buffer.alloc(32).toString('base64')},`]) {
      await assert.rejects(Keyring.open(keyFile(t), key), (error: Error & { code: string }) => {
        assert.equal(error.code, 'usage');
        assert.match(error.message, /openssl rand -base64 32/);
        return !error.message.includes(key);
      });
    }
  });
});

describe('a sealed value', () => {
  test('opens to the bytes that were sealed, and is never the same twice', async (t) => {
    const keyring = await Keyring.open(keyFile(t));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const [one, two] = [seal(keyring, place, bytes), seal(keyring, place, bytes)];
        assert.notEqual(one, two);
        assert.match(one, /^[\w.-]+$/);
        assert.deepEqual([unseal(keyring, place, one), unseal(keyring, place, two)], [Buffer.from(bytes), Buffer.from(bytes)]);
      }),
      { numRuns: 100 },
    );
  });

  test('does not open in another place: namespace, name or version', async (t) => {
    const keyring = await Keyring.open(keyFile(t));
    const blob = seal(keyring, place, value);
    for (const other of [{ namespace: 'other' }, { name: 'db' }, { version: 2 }, { namespace: 'defaultd', name: 'b-password' }])
      assert.throws(
        () => unseal(keyring, { ...place, ...other }, blob),
        damaged(/changed, or sealed for another secret or version.*prisn secret rotate/),
      );
  });

  test('does not open when any letter of it was changed, or a part is missing', async (t) => {
    const keyring = await Keyring.open(keyFile(t));
    const blob = seal(keyring, place, value);
    const body = blob.lastIndexOf('.') + 1;
    const sealed = Buffer.from(blob.slice(body), 'base64url');
    for (let i = 0; i < sealed.length; i++) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(i) ^ 1, i);
      assert.throws(
        () => unseal(keyring, place, blob.slice(0, body) + changed.toString('base64url')),
        damaged(/version 1 of the secret db-password in the namespace default/),
      );
    }
    for (const broken of ['', 'v2', blob.slice(0, 30), blob.slice(0, -1), blob.replace('v1', 'v2'), value.toString()])
      assert.throws(() => unseal(keyring, place, broken), damaged(/secret db-password/));
  });

  test('names the key that is missing', async (t) => {
    const [one, two] = [await Keyring.open(keyFile(t)), await Keyring.open(keyFile(t))];
    assert.throws(
      () => unseal(two, place, seal(one, place, value)),
      damaged(new RegExp(`sealed with the key ${one.current.id}.*bring that key back`)),
    );
  });

  test('shows nothing of the value, and has a limit', async (t) => {
    const keyring = await Keyring.open(keyFile(t));
    const blob = seal(keyring, place, value);
    assert.ok(!Buffer.from(blob.split('.')[2] ?? '', 'base64url').includes('secret'));
    seal(keyring, place, Buffer.alloc(maxSecretBytes));
    assert.throws(() => seal(keyring, place, Buffer.alloc(maxSecretBytes + 1)), {
      code: 'too_large',
      message: /65537 bytes, at most 65536/,
    });
  });
});
