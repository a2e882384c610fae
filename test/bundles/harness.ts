/** Folders and archives for the tests of bundles. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { createGzip } from 'node:zlib';
import * as tar from 'tar-stream';

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'prisn-bundles-'));
  t.after(() => {
    // Folders of bundles are read-only.
    spawnSync('chmod', ['-R', 'u+w', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Makes files: a text, `-> target` for a link, `#! …` for one that is executable. */
export function writeTree(root: string, tree: Readonly<Record<string, string>>): string {
  for (const [path, content] of Object.entries(tree)) {
    const file = join(root, path);
    mkdirSync(path.endsWith('/') ? file : dirname(file), { recursive: true });
    if (path.endsWith('/')) continue;
    if (content.startsWith('-> ')) symlinkSync(content.slice(3), file);
    else writeFileSync(file, content);
    if (content.startsWith('#!')) chmodSync(file, 0o755);
  }
  return root;
}

/** The inverse of `writeTree`, folders aside. */
export function readTree(root: string, below = ''): Record<string, string> {
  const tree: Record<string, string> = {};
  for (const name of readdirSync(join(root, below)).toSorted()) {
    const [path, file] = [join(below, name), join(root, below, name)];
    const found = lstatSync(file);
    if (found.isDirectory()) Object.assign(tree, readTree(root, path));
    else tree[path] = found.isSymbolicLink() ? `-> ${readlinkSync(file)}` : readFileSync(file, 'utf8');
  }
  return tree;
}

export interface RawEntry extends Partial<Omit<tar.Header, 'type'>> {
  readonly name: string;
  readonly type?: tar.Header['type'];
  readonly content?: string | Uint8Array;
}

/** A gzipped tar with exactly these entries, whatever they say. */
export function archiveOf(entries: readonly RawEntry[]): Readable {
  const archive = tar.pack();
  for (const { content, ...header } of entries) {
    if (header.type === undefined || header.type === 'file')
      archive.entry({ type: 'file', ...header }, Buffer.from(content ?? ''));
    else archive.entry(header);
  }
  archive.finalize();
  return archive.pipe(createGzip());
}
