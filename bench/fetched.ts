/** What a benchmark compares prisn with and is no dependency of it: fetched into a cache folder when it runs. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** @returns absolute path of the folder, which is there */
export function cacheFolder(): string {
  const folder = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'prisn-bench');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * @param packages as npm is told them
 * @param path of what they bring, below `node_modules`
 * @returns its absolute path
 */
export function fetchPackages(packages: readonly string[], path: string): string {
  const folder = cacheFolder();
  const found = join(folder, 'node_modules', path);
  if (!existsSync(found))
    execFileSync('npm', ['install', '--prefix', folder, '--no-save', '--ignore-scripts', ...packages], { stdio: 'ignore' });
  return found;
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  return port;
}
