/** `prisn version`. */
import type { Command } from './command.ts';
import { write } from './output.ts';
import { versionText } from './version-text.ts';

export function versionCommand(program: Command): void {
  program
    .command('version')
    .description('show the versions of prisn, Node and V8')
    .action(() => {
      const { node, v8 } = process.versions;
      return write(`prisn ${versionText()} (node ${node}, V8 ${v8}, ${process.platform} ${process.arch})\n`);
    });
}
