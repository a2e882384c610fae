/** What does the CLI itself cost over an empty Node? */
import { report, timeCommands } from './measure.ts';

const prisn = 'bin/prisn';

export function cliStart(): void {
  const rows = timeCommands(
    [
      { name: 'true', argv: ['true'] },
      { name: 'node, an empty file', argv: [process.execPath, '/dev/null'] },
      { name: 'prisn run --help', argv: [prisn, 'run', '--help'] },
      { name: 'prisn version', argv: [prisn, 'version'] },
      { name: 'prisn runtime list', argv: [prisn, 'runtime', 'list'] },
    ],
    25,
  );
  report({ question: 'The CLI over an empty Node', baseline: 'node, an empty file', rows, overhead: 'true' });
}
