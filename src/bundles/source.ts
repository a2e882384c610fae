/** A program that came as text, as a bundle of one file. */
import { pipeline } from 'node:stream';
import { createGzip } from 'node:zlib';
import * as tar from 'tar-stream';
import type { BundleStore } from './store.ts';

/**
 * @param fileName of the program, in the folder of the bundle
 * @returns the id of the bundle, once it is durable
 * @throws PrisnError as `BundleStore.put`
 */
export async function packSource(bundles: BundleStore, source: string, fileName: string): Promise<string> {
  const archive = tar.pack();
  archive.entry({ name: fileName }, source);
  archive.finalize();
  const { id } = await bundles.put(pipeline(archive, createGzip(), () => {}));
  return id;
}
