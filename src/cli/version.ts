/** `prisn version`. */
import type { Command } from 'commander';
import { readFileSync } from 'node:fs';

export function versionText(): string {
  // Two levels up from the source, three from `dist`.
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
        name: string;
        version: string;
      };
      if (name === 'prisn') return version;
    } catch {
      // the other one
    }
  }
  return 'unknown';
}

export function versionCommand(program: Command): void {
  program
    .command('version')
    .description('show the versions of prisn, Node and V8')
    .action(() => {
      process.stdout.write(
        `prisn ${versionText()} (node ${process.versions.node}, V8 ${process.versions.v8}, ${process.platform} ${process.arch})\n`,
      );
    });
}
