import { parse } from 'smol-toml';
import { messageOf } from '../base/error.ts';
import { DependencyError } from './failed.ts';

interface LockedPackage {
  readonly name?: unknown;
  readonly version?: unknown;
  readonly source?: { readonly registry?: unknown };
  readonly sdist?: { readonly hash?: unknown };
  readonly wheels?: readonly { readonly hash?: unknown }[];
}

/**
 * The versions of a uv.lock as constraints of pip. What comes from elsewhere than an index is left to the requirement itself, and so is a
 * package that is locked in several versions, for different machines.
 * @throws DependencyError when it is no lock
 */
export function constraintsOf(text: string, file: string): string {
  let packages: readonly LockedPackage[];
  try {
    packages = (parse(text)['package'] ?? []) as unknown as readonly LockedPackage[];
  } catch (error) {
    throw new DependencyError(`${file} cannot be read: ${messageOf(error).split('\n')[0]}; make it anew by uv lock`, [], error);
  }
  const locked = packages.filter(({ source }) => source?.registry !== undefined);
  const single = locked.filter(({ name }) => locked.filter((other) => other.name === name).length === 1);
  return single.map(({ name, version }) => `${String(name)}==${String(version)}\n`).join('');
}
