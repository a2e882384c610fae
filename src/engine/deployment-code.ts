/** The code of a deployment: where it comes from, which file starts it, and what runs that. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { PrisnError } from '../base/error.ts';
import { nearest } from '../base/nearest.ts';
import type { BundleStore } from '../bundles/store.ts';
import type { DeploymentSpec } from '../model/deployment.ts';
import type { DeploymentChanges } from './deployment-fields.ts';
import type { Resolved, Workloads } from './ports.ts';

export interface CodeParts {
  readonly bundles: BundleStore;
  readonly workloads: Workloads;
  /**
   * Makes a bundle of a program that came as text.
   * @param runtime id or alias, from which the name of its file follows
   * @throws PrisnError `no_runtime`, and what a bundle store throws
   */
  packSource(source: string, runtime: string): Promise<{ bundle: string; entrypoint: string }>;
}

/** Where the code is; what runs it has not been looked at. */
export type CodePlace = Pick<DeploymentSpec, 'bundle' | 'entrypoint' | 'chosen_runtime'>;

/**
 * @param base what is kept where the fields do not say
 * @throws PrisnError `usage` when they say too little or too much
 */
export async function placeOf(parts: CodeParts, fields: DeploymentChanges, base?: DeploymentSpec): Promise<CodePlace> {
  const { source, bundle, entrypoint } = fields;
  const runtime = fields.runtime ?? base?.chosen_runtime;
  const chosen = runtime === undefined ? {} : { chosen_runtime: runtime };
  if (source !== undefined) {
    if (bundle !== undefined || entrypoint !== undefined)
      throw new PrisnError('usage', `source is all of the code; leave out ${bundle === undefined ? 'entrypoint' : 'bundle'}`);
    const reader = runtime ?? base?.runtime;
    if (reader === undefined) throw new PrisnError('usage', 'source needs runtime, which says what language it is');
    return { ...(await parts.packSource(source, reader)), chosen_runtime: reader };
  }
  const [id, file] = [bundle ?? base?.bundle, entrypoint ?? base?.entrypoint];
  if (id === undefined)
    throw new PrisnError(
      'usage',
      'there is no code: give bundle (the id of an upload) with entrypoint, or source with runtime; prisn deploy <file> does it all',
    );
  if (file === undefined) throw new PrisnError('usage', 'bundle needs entrypoint, the path of the file to run inside it');
  return { bundle: id, entrypoint: plainPath(file), ...chosen };
}

/**
 * Looks whether the code is there and what will run it.
 * @throws PrisnError `not_found` for a bundle that is not here, `usage` for an entrypoint that is no file in it, `cannot_run`,
 *   `no_runtime`
 */
export async function resolveCode({ bundles, workloads }: CodeParts, place: CodePlace): Promise<Resolved> {
  const { bundle, entrypoint, chosen_runtime } = place;
  if (!bundles.has(bundle))
    throw new PrisnError(
      'not_found',
      `no bundle ${JSON.stringify(bundle.slice(0, 80))} is stored: upload it (POST /api/v1/bundles) and take the id that it gets`,
    );
  const folder = bundles.open(bundle);
  const found = await stat(join(folder, entrypoint)).catch(() => undefined);
  if (!found?.isFile()) throw await noSuchFile(folder, entrypoint);
  return workloads.resolve({ folder, entrypoint, ...(chosen_runtime !== undefined && { runtime: chosen_runtime }) }, true);
}

/** `./a/b.py` as `a/b.py`. What leads out of the bundle is refused: links in it do not, but `..` behind one might. */
export function plainPath(file: string): string {
  if (file === '' || file.includes('\0') || file.startsWith('/') || file.split('/').includes('..'))
    throw new PrisnError(
      'usage',
      `entrypoint: ${JSON.stringify(file.slice(0, 200))} is no path inside a bundle; relative, without ..`,
    );
  return posix.normalize(file);
}

async function noSuchFile(folder: string, entrypoint: string): Promise<PrisnError> {
  const beside = await readdir(join(folder, dirname(entrypoint))).catch(() => []);
  const meant = nearest(basename(entrypoint), beside);
  const question = meant === undefined ? '' : `; did you mean ${posix.join(dirname(entrypoint), meant)}?`;
  return new PrisnError('usage', `entrypoint: the bundle has no file ${JSON.stringify(entrypoint.slice(0, 200))}${question}`);
}
