/**
 * The files that a program's own package.json gives for a bare specifier: `#internal` by `imports`, its own name by
 * `exports` (https://nodejs.org/api/packages.html#subpath-imports). Of several conditions all: which one holds is known
 * where it runs.
 */
import { basename, dirname, join } from 'node:path';
import { isFile } from '../baggage.ts';
import type { Inputs } from './inputs.ts';

/**
 * @param folder absolute path of the importer's folder
 * @returns absolute paths; undefined where the package.json has no say
 */
export function packageTargets(specifier: string, folder: string, inputs: Inputs): string[] | undefined {
  const nearest = nearestManifest(folder, inputs);
  if (!nearest) return undefined;
  const { imports, exports, name } = nearest.manifest;
  if (specifier.startsWith('#')) return targetsIn(imports, specifier, nearest.folder);
  if (typeof name !== 'string' || (specifier !== name && !specifier.startsWith(`${name}/`))) return undefined;
  const byPath = isRecord(exports) && Object.keys(exports).some((key) => key.startsWith('.')) ? exports : { '.': exports };
  return targetsIn(byPath, `.${specifier.slice(name.length)}`, nearest.folder);
}

function nearestManifest(
  folder: string,
  inputs: Inputs,
): { folder: string; manifest: Readonly<Record<string, unknown>> } | undefined {
  if (basename(folder) === 'node_modules') return undefined;
  const text = inputs.read(join(folder, 'package.json'));
  if (text === undefined) return dirname(folder) === folder ? undefined : nearestManifest(dirname(folder), inputs);
  try {
    const manifest: unknown = JSON.parse(text);
    return isRecord(manifest) ? { folder, manifest } : undefined;
  } catch {
    return undefined;
  }
}

function targetsIn(map: unknown, key: string, folder: string): string[] {
  if (!isRecord(map)) return [];
  const matches = Object.entries(map).flatMap(([pattern, target]) => {
    const [prefix = '', suffix] = pattern.split('*');
    if (suffix === undefined) return pattern === key ? [{ target, middle: '', length: Number.POSITIVE_INFINITY }] : [];
    const fits = key.length >= prefix.length + suffix.length && key.startsWith(prefix) && key.endsWith(suffix);
    return fits ? [{ target, middle: key.slice(prefix.length, key.length - suffix.length), length: prefix.length }] : [];
  });
  const [best] = matches.toSorted((a, b) => b.length - a.length);
  if (!best) return [];
  return textsIn(best.target)
    .filter((target) => target.startsWith('./'))
    .map((target) => join(folder, target.replaceAll('*', best.middle)))
    .filter(isFile);
}

/** Every text inside conditions and alternatives. */
function textsIn(target: unknown): string[] {
  if (typeof target === 'string') return [target];
  return typeof target === 'object' && target !== null ? Object.values(target).flatMap(textsIn) : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
