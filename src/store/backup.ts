/**
 * A backup is one gzip file (RFC 1952, whose checksum covers all of it) of JSON lines, so that it can be read without prisn:
 *
 * ```
 * {"prisn_backup":1,"created_at":"…"}
 * {"key":"execution/exec-…","value":"<base64>"}
 * {"records":1}
 * ```
 * It is the store of one moment, taken while others write. Restoring reads the whole file before it changes anything, and marks
 * the store until it is done: one that was half restored is refused instead of taken for whole.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { PrisnError, errnoOf, messageOf } from '../base/error.ts';
import type { KeyValue } from './key-value.ts';
import { schemaKey } from './keyspace.ts';

const formatVersion = 1;
const restoringKey = 'restoring';
const batchRecords = 500;
const batchBytes = 2 ** 20;
/** A record with its key, in base64, is shorter. */
const maxLineLength = 1_000_000;

type Line = { prisn_backup: number; created_at: string } | { key: string; value: string } | { records: number };
type Put = { key: string; value: Uint8Array };

/**
 * Writes everything into a file, which is complete when it appears.
 * @returns the number of records
 * @throws PrisnError `storage_full`, `unavailable`
 */
export async function backup(store: KeyValue, file: string): Promise<number> {
  const draft = `${file}.part`;
  let records = 0;
  async function* lines(): AsyncGenerator<string> {
    yield lineOf({ prisn_backup: formatVersion, created_at: new Date().toISOString() });
    for await (const { key, value } of store.range({ prefix: '' })) {
      records++;
      yield lineOf({ key, value: Buffer.from(value).toString('base64') });
    }
    yield lineOf({ records });
  }
  try {
    await pipeline(Readable.from(lines()), createGzip(), createWriteStream(draft, { mode: 0o600, flush: true }));
    await rename(draft, file);
    return records;
  } catch (error) {
    await rm(draft, { force: true });
    if (error instanceof PrisnError) throw error;
    const code = errnoOf(error) === 'ENOSPC' ? 'storage_full' : 'unavailable';
    throw new PrisnError(code, `cannot write the backup ${file}: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Puts a backup in place of what is there. Whoever has typed keyspaces open has to open them again.
 * @param store an engine that nobody else uses meanwhile
 * @param force lets it replace records
 * @returns the number of records
 * @throws PrisnError `damaged` for a file that is no whole backup, `conflict` for a store that has records
 */
export async function restore(store: KeyValue, file: string, { force = false } = {}): Promise<number> {
  await readBackup(file, async () => undefined);
  if (!force && !(await isEmpty(store)))
    throw new PrisnError(
      'conflict',
      'the store has records already: restore into an empty data directory, or replace them with --force',
    );
  await store.write({ put: [{ key: restoringKey, value: new Uint8Array() }] }, { durable: true });
  let keys: string[] = [];
  for await (const { key } of store.range({ prefix: '' })) {
    if (key !== restoringKey) keys.push(key);
    if (keys.length < batchRecords) continue;
    await store.write({ delete: keys }, { durable: false });
    keys = [];
  }
  await store.write({ delete: keys }, { durable: false });
  const records = await readBackup(file, async (put) => void (await store.write({ put }, { durable: false })));
  await store.write({ delete: [restoringKey] }, { durable: true });
  return records;
}

/** @throws PrisnError `damaged` when a restore did not come to its end */
export async function checkRestored(store: KeyValue): Promise<void> {
  if (await store.get(restoringKey))
    throw new PrisnError('damaged', 'the last restore into this store was interrupted: restore again, with --force');
}

async function isEmpty(store: KeyValue): Promise<boolean> {
  for await (const { key } of store.range({ prefix: '', limit: 2 })) if (key !== schemaKey) return false;
  return true;
}

/** @param take gets the records in parts of a bounded size */
async function readBackup(file: string, take: (put: readonly Put[]) => Promise<void>): Promise<number> {
  let records = 0;
  let declared: number | undefined;
  try {
    await pipeline(createReadStream(file), createGunzip(), async (source: AsyncIterable<Buffer>) => {
      let put: Put[] = [];
      let bytes = 0;
      for await (const line of parsedLines(source)) {
        if ('records' in line) declared = line.records;
        if (!('key' in line)) continue;
        records++;
        const value = Buffer.from(line.value, 'base64');
        bytes += value.length;
        if (put.push({ key: line.key, value }) < batchRecords && bytes < batchBytes) continue;
        await take(put);
        [put, bytes] = [[], 0];
      }
      await take(put);
    });
  } catch (error) {
    if (error instanceof PrisnError) throw error;
    throw new PrisnError('damaged', `${file} is not a whole backup: ${messageOf(error)}; take another one`, { cause: error });
  }
  if (declared !== records)
    throw new PrisnError('damaged', `${file} is not a whole backup: it ends after ${records} records; take another one`);
  return records;
}

/** The first line has to say that this is a backup. */
async function* parsedLines(source: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let rest = '';
  let first = true;
  const decoder = new TextDecoder();
  for await (const chunk of source) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLineLength) throw new Error('it has a line that is longer than a record can be');
    for (const text of lines) {
      const line = JSON.parse(text) as Line;
      if (first && !('prisn_backup' in line && line.prisn_backup === formatVersion))
        throw new Error(`it does not begin as a backup of version ${formatVersion} does`);
      first = false;
      yield line;
    }
  }
}

function lineOf(line: Line): string {
  return `${JSON.stringify(line)}\n`;
}
