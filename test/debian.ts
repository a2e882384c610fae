/** Debian packages for a test, unpacked into a folder of its own: the system stays as it is. */
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @param folder where they are unpacked to, with their paths below it
 * @returns why it cannot be done, or undefined when they are there
 */
export function unpackDebian(packages: readonly string[], folder: string): string | undefined {
  const archives = join(folder, 'archives');
  mkdirSync(archives, { recursive: true });
  const fetched = spawnSync('apt-get', ['download', ...packages], { cwd: archives, encoding: 'utf8' });
  if (fetched.status !== 0) return `no ${packages.join(', ')} here, and apt-get download did not bring it`;
  for (const archive of globSync('*.deb', { cwd: archives })) {
    const { status, stderr } = spawnSync('dpkg-deb', ['-x', join(archives, archive), folder], { encoding: 'utf8' });
    if (status !== 0) return `${archive} cannot be unpacked: ${stderr}`;
  }
  return undefined;
}
