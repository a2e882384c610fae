/** What differs between the sources of two revisions, file by file. */
import { seen, type SeenEntry } from '../bundles/read.ts';
import type { Client } from '../client/client.ts';
import { unifiedDiff } from './unified-diff.ts';

export interface FileChange {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** Such as `executable`, where it is another one. */
  readonly kind?: SeenEntry['kind'];
  /** Lines of a unified diff; absent where one of both is no text, or too large for it. */
  readonly diff?: readonly string[];
}

/** @param before id of a bundle, as `after` @throws PrisnError as `Client.call` */
export async function fileChanges(client: Client, before: string, after: string): Promise<FileChange[]> {
  const [old, now] = [await filesOf(client, before), await filesOf(client, after)];
  return [...new Set([...old.keys(), ...now.keys()])].toSorted().flatMap((path) => changeOf(path, old.get(path), now.get(path)));
}

async function filesOf(client: Client, id: string): Promise<Map<string, SeenEntry>> {
  const files = new Map<string, SeenEntry>();
  for await (const entry of seen(client.stream('getBundle', { params: { id } }))) files.set(entry.path, entry);
  return files;
}

function changeOf(path: string, old: SeenEntry | undefined, now: SeenEntry | undefined): FileChange[] {
  if (old?.content === now?.content && old?.kind === now?.kind) return [];
  const change = old === undefined ? 'added' : now === undefined ? 'removed' : 'changed';
  const [before, after] = [textOf(old), textOf(now)];
  const diff = before === undefined || after === undefined ? undefined : unifiedDiff(before, after);
  return [{ path, change, ...(now && old && old.kind !== now.kind && { kind: now.kind }), ...(diff && { diff }) }];
}

/** What is not there differs by all of its lines; of a link there are none. */
function textOf(entry: SeenEntry | undefined): string | undefined {
  if (entry === undefined) return '';
  return entry.kind === 'link' ? `-> ${entry.content}\n` : entry.text;
}
