/** What benchmarks compare with and prisn has no use for: fetched into a cache folder when they run, never a dependency. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Absolute path of the folder, which is there. */
export function cacheFolder(): string {
  const folder = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'prisn-bench');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Installs npm packages, unless they are there.
 * @param packages by name and version: `bullmq@6.7.0`; the folder of each is its name below `node_modules`
 * @returns absolute path of that `node_modules`
 * @throws Error when npm cannot fetch them
 */
export function fetchPackages(name: string, packages: readonly string[]): string {
  const folder = join(cacheFolder(), name);
  const modules = join(folder, 'node_modules');
  const isThere = packages.every((one) => existsSync(join(modules, one.slice(0, one.lastIndexOf('@')))));
  if (!isThere) {
    mkdirSync(folder, { recursive: true });
    execFileSync('npm', ['install', '--prefix', folder, '--no-save', '--ignore-scripts', ...packages], { stdio: 'ignore' });
  }
  return modules;
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  return port;
}
