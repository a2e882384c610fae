/** What lies in the data directory, and where. */
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, PrisnError } from '../base/error.ts';

export interface Folders {
  /** Absolute; only its owner may look into it. */
  readonly root: string;
  readonly store: string;
  readonly bundles: string;
  readonly logs: string;
  /** Where executions run: a folder for each revision that runs, made anew from its bundle when it is missing. */
  readonly work: string;
  /** What deployments keep: `PRISN_DATA`. */
  readonly data: string;
  /** The file that opens secrets. */
  readonly key: string;
}

export function foldersIn(root: string): Folders {
  return {
    root,
    store: join(root, 'store'),
    bundles: join(root, 'bundles'),
    logs: join(root, 'logs'),
    work: join(root, 'work'),
    data: join(root, 'data'),
    key: join(root, 'key'),
  };
}

/** @throws PrisnError `usage` when it cannot be made or belongs to another user */
export function openDataDirectory(root: string): Folders {
  const folders = foldersIn(root);
  const advice = 'choose another with --data-dir';
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(root);
    if (uid !== process.getuid?.())
      throw new PrisnError('usage', `the data directory ${root} belongs to another user (uid ${uid}); ${advice}`);
    if ((mode & 0o077) !== 0) chmodSync(root, 0o700);
    makeFolders(folders);
    return folders;
  } catch (error) {
    if (error instanceof PrisnError) throw error;
    throw new PrisnError('usage', `cannot use the data directory ${root}: ${messageOf(error)}; ${advice}`, { cause: error });
  }
}

export function makeFolders({ store, bundles, logs, work, data }: Folders): void {
  for (const folder of [store, bundles, logs, work, data]) mkdirSync(folder, { recursive: true, mode: 0o700 });
}
