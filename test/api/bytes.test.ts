import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { PrisnError } from '../../src/base/error.ts';
import { Running } from './harness.ts';

const bundles = '/api/v1/bundles';

async function* read(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of archive) yield Buffer.from(chunk);
}

test('a bundle goes to the store as it comes; the first time is 201, the same again 200', async (t) => {
  const stored: Buffer[] = [];
  const running = await Running.start(t, {
    bundles: {
      put: async (archive) => {
        stored.push(await buffer(read(archive)));
        return { id: 'sha256-1', bytes: 3, isNew: stored.length === 1 };
      },
    },
  });
  const body = Uint8Array.of(0x1f, 0x8b, 0);
  const first = await running.ask(bundles, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  assert.deepEqual([first.status, first.json], [201, { id: 'sha256-1', bytes: 3 }]);
  assert.equal((await running.ask(bundles, { method: 'POST', body })).status, 200);
  assert.deepEqual(stored, [Buffer.from(body), Buffer.from(body)]);
});

test('a bundle is downloaded as it was uploaded, under a name of its own', async (t) => {
  const archive = async (id: string): Promise<Readable> => {
    if (id !== 'sha256-1') throw new PrisnError('not_found', 'no bundle of that id');
    return Readable.from([Buffer.of(0x1f), Buffer.of(0x8b)]);
  };
  const running = await Running.start(t, { bundles: { archive } });
  const { status, headers, text } = await running.ask(`${bundles}/sha256-1`);
  assert.deepEqual([status, headers['content-type'], text.length], [200, 'application/gzip', 2]);
  assert.equal(headers['content-disposition'], 'attachment; filename="sha256-1.tar.gz"');
  assert.equal((await running.ask(`${bundles}/sha256-2`)).status, 404);
});

test('a bundle reaches the store before all of it has come', async (t) => {
  const began = Promise.withResolvers<void>();
  const running = await Running.start(t, {
    bundles: {
      put: async (archive) => {
        let bytes = 0;
        for await (const chunk of archive) {
          began.resolve();
          bytes += chunk.length;
        }
        return { id: 'sha256-1', bytes, isNew: true };
      },
    },
  });
  const request = httpRequest({ host: '127.0.0.1', port: running.port, path: bundles, method: 'POST', agent: false });
  const answered = new Promise<number | undefined>((resolve, reject) => {
    request.once('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.once('error', reject);
  });
  request.write('one');
  await began.promise;
  request.end('two');
  assert.equal(await answered, 201);
});

test('a bundle over the limit is refused, whether its head tells or not, and the client hears why', async (t) => {
  const running = await Running.start(
    t,
    {
      bundles: {
        put: async (archive) => ({ id: 'sha256-1', bytes: (await buffer(read(archive))).length, isNew: true }),
      },
    },
    { bundleLimit: 2 ** 20 },
  );
  const body = Buffer.alloc(3 * 2 ** 20);
  for (const headers of [{ 'content-length': String(body.length) }, { 'transfer-encoding': 'chunked' }]) {
    const { status, json } = await running.ask(bundles, { method: 'POST', headers, body });
    assert.equal(status, 413);
    assert.deepEqual([json.code, json.message], ['too_large', 'the upload is larger than 1mb, the setting bundle_limit']);
  }
  assert.equal((await running.ask(bundles, { method: 'POST', body: Buffer.alloc(2 ** 20) })).status, 201);
});

test('a bundle that the store refuses in the middle is told to a client that still sends', async (t) => {
  const running = await Running.start(t, {
    bundles: {
      put: async (archive) => {
        for await (const _ of archive) throw new PrisnError('usage', 'this is no gzipped tar');
        return assert.fail();
      },
    },
  });
  const { status, json } = await running.ask(bundles, { method: 'POST', body: Buffer.alloc(900_000) });
  assert.deepEqual([status, json.message], [400, 'this is no gzipped tar']);
});

test('a client that breaks its upload off leaves a failed read and no answer', async (t) => {
  const failed = Promise.withResolvers<unknown>();
  const running = await Running.start(t, {
    bundles: {
      put: async (archive) =>
        buffer(read(archive)).then(
          () => assert.fail(),
          (error: unknown) => (failed.resolve(error), Promise.reject(error as Error)),
        ),
    },
  });
  const request = httpRequest({
    host: '127.0.0.1',
    port: running.port,
    path: bundles,
    method: 'POST',
    agent: false,
    headers: { 'content-length': '1000' },
  });
  request.on('error', () => {});
  request.write('half', () => request.destroy());
  assert.match(String(await failed.promise), /aborted/);
  assert.equal((await running.ask('/health')).status, 200);
});

test('a backup streams out, and what fails before its first byte is an error as every other', async (t) => {
  let isBroken = false;
  const running = await Running.start(t, {
    backup: {
      async *write() {
        if (isBroken) throw new PrisnError('unavailable', 'the store is closed');
        yield Buffer.from('one');
        yield Buffer.from('two');
      },
    },
  });
  const { status, headers, text } = await running.ask('/api/v1/backup');
  assert.deepEqual([status, headers['content-type'], text], [200, 'application/gzip', 'onetwo']);
  assert.match(String(headers['content-disposition']), /^attachment; filename="prisn-.*\.gz"$/);
  isBroken = true;
  const broken = await running.ask('/api/v1/backup');
  assert.deepEqual([broken.status, broken.json.code], [503, 'unavailable']);
  assert.equal((await running.ask('/api/v1/backup', { method: 'HEAD' })).status, 405);
});

test('a restore hands the archive on, and force only where it was asked for', async (t) => {
  const asked: unknown[] = [];
  const running = await Running.start(t, {
    backup: { restore: async (archive, force) => (asked.push([(await buffer(read(archive))).toString(), force]), 7) },
  });
  assert.deepEqual((await running.ask('/api/v1/restore', { method: 'POST', body: 'archive' })).json, { records: 7 });
  await running.ask('/api/v1/restore?force=true', { method: 'POST', body: 'again' });
  assert.deepEqual(asked, [
    ['archive', false],
    ['again', true],
  ]);
});
