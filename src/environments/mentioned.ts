/**
 * The local files that decide what a requirements file installs: those that it includes, and what it names by a path. Nothing is
 * understood of the rest: every word that is the path of something here counts, so one too many may, and none is missed.
 */
import { hash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

export interface Mentioned {
  /** For each file its path from the installer's folder, and its content or a hash of that. */
  readonly parts: readonly string[];
  /** Whether something is named by a path, which is then installed from there, and perhaps used from there. */
  readonly hasPaths: boolean;
}

/** More than this a folder is known by the times of its files. */
const maxFolderBytes = 64 * 2 ** 20;
const skipped = /^(?:\.git|\.hg|\.venv|venv|node_modules|__pycache__|build|dist|\.tox|\.nox|\..*_cache|.*\.egg-info)$/;

/**
 * @param text lines of a requirements file
 * @param home absolute path of the folder that files which it includes are looked for in
 * @param cwd absolute path of the folder that the installer works in
 */
export function mentionedIn(text: string, home: string, cwd: string, env: Readonly<Record<string, string>>): Mentioned {
  const parts: string[] = [];
  const seen = new Set<string>();
  let hasPaths = false;
  const read = (lines: string, folder: string): void => {
    for (const [, name] of lines.matchAll(/\$\{([A-Z0-9_]+)\}/g)) parts.push(`${name}=${env[name as string] ?? ''}`);
    for (const line of lines.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
      if (/^\s*#/.test(line)) continue;
      const [, included] = /^\s*(?:-[rc]|--requirement|--constraint)[\s=]*(\S+)/.exec(line) ?? [];
      if (included !== undefined) include(resolve(folder, included));
      else for (const word of pathsIn(line)) look(resolve(cwd, word));
    }
  };
  const include = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const content = contentOf(path);
    if (content === undefined) return;
    parts.push(relative(cwd, path), content);
    read(content, resolve(path, '..'));
  };
  const look = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) return;
    hasPaths = true;
    parts.push(relative(cwd, path), stat.isDirectory() ? folderHash(path) : `${stat.size} ${stat.mtimeMs}`);
  };
  read(text, home);
  return { parts, hasPaths };
}

/** Words that may be paths: with a slash or a dot in front, or with the name of an archive. */
function pathsIn(line: string): string[] {
  return line
    .split(/[\s=@"']+/)
    .map((word) => word.replace(/^file:(?:\/\/)?/, '').replace(/\[[^\]]*\]$/, ''))
    .filter((word) => !word.includes('://') && (/^\.|\//.test(word) || /\.(?:whl|zip|tar\.gz|tgz)$/.test(word)));
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** By names and contents; by times where that would be much to read. */
export function folderHash(folder: string): string {
  const files = [...filesIn(folder, '')];
  const isLarge = files.reduce((sum, { size }) => sum + size, 0) > maxFolderBytes;
  const known = files.map(({ name, size, mtimeMs }) => [name, isLarge ? `${size} ${mtimeMs}` : contentHash(join(folder, name))]);
  return hash('sha256', JSON.stringify(known));
}

function contentHash(path: string): string {
  try {
    return hash('sha256', readFileSync(path));
  } catch {
    return '';
  }
}

function* filesIn(folder: string, below: string): Generator<{ name: string; size: number; mtimeMs: number }> {
  for (const entry of readdirSync(join(folder, below), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (skipped.test(entry.name)) continue;
    const name = join(below, entry.name);
    if (entry.isDirectory()) yield* filesIn(folder, name);
    else {
      const { size = 0, mtimeMs = 0 } = statSync(join(folder, name), { throwIfNoEntry: false }) ?? {};
      yield { name, size, mtimeMs };
    }
  }
}
