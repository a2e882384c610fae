/** A stored bundle on its way to whoever wants to see it: its archive, and what is in that. */
import { createHash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import * as tar from 'tar-stream';
import type { BundleEntry } from './content.ts';
import { packStream } from './pack.ts';

/** @param root absolute path of a bundle's folder @returns all of it as `unpack` takes it, a gzipped tar */
export async function archiveOfFolder(root: string): Promise<Readable> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map(async (entry) => {
      const file = join(entry.parentPath, entry.name);
      const target = entry.isSymbolicLink() ? { target: await readlink(file) } : {};
      return { path: file.slice(root.length + 1), bytes: (await lstat(file)).size, ...target };
    });
  return packStream({ root, files: await Promise.all(files) });
}

export interface SeenEntry extends BundleEntry {
  /** Undefined for what is none, is large, or comes after much other text. */
  readonly text: string | undefined;
}

/** A larger file is not read by people. */
const maxTextBytes = 64 * 1024;
/** Of a bundle. */
const maxAllTextBytes = 32 * 2 ** 20;

/** What is in an archive of `archiveOfFolder`, in its order. */
export async function* seen(archive: AsyncIterable<Uint8Array>): AsyncGenerator<SeenEntry> {
  let left = maxAllTextBytes;
  const extract = tar.extract();
  // What fails is thrown where the entries are read.
  pipeline(Readable.from(archive), createGunzip(), extract, () => {});
  for await (const entry of extract) {
    const { name: path, type, size, mode, linkname } = entry.header;
    if (type === 'symlink') yield { path, kind: 'link', content: linkname, text: undefined };
    const isKept = size <= Math.min(left, maxTextBytes);
    const hash = createHash('sha256');
    const chunks: Buffer[] = [];
    for await (const chunk of entry as AsyncIterable<Buffer>) {
      hash.update(chunk);
      if (isKept) chunks.push(chunk);
    }
    if (type === 'symlink') continue;
    const bytes = Buffer.concat(chunks);
    const text = isKept && isUtf8(bytes) && !bytes.includes(0) ? bytes.toString() : undefined;
    if (text !== undefined) left -= size;
    yield { path, kind: mode & 0o111 ? 'executable' : 'file', content: hash.digest('hex'), text };
  }
}
