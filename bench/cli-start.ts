/** What does the CLI itself cost over an empty Node? CPU, since it is the same whoever else is there; and wall time. */
import { BenchDaemon } from './daemon.ts';
import { type Command, cpuOfCommands, type Row, report, timeCommands } from './measure.ts';

const empty = 'node, an empty file';
/** What a command may cost over it, ms. */
const aimMs = 8;
const runs = 25;

export async function cliStart(): Promise<void> {
  const daemon = await BenchDaemon.start();
  try {
    await daemon.ask('POST', '/api/v1/deployments', { name: 'noop', source: 'export default () => 1;', runtime: 'javascript' });
    for (let count = 0; count < 10; count++) await daemon.trigger('noop')();
    const env = { ...process.env, PRISN_HOME: daemon.home };
    const prisn = (...words: string[]): Command => ({ name: `prisn ${words.join(' ')}`, argv: ['bin/prisn', ...words], env });
    const commands = [
      { name: 'true', argv: ['true'] } as const,
      { name: empty, argv: [process.execPath, '/dev/null'] } as const,
      prisn('version'),
      prisn('--help'),
      prisn('run', '--help'),
      prisn('runtime', 'list'),
      prisn('config', 'list'),
      prisn('get', 'executions', '--limit', '10'),
      prisn('get', 'deployments'),
      prisn('trigger', 'noop'),
      prisn('trigger', '--help'),
    ];
    // To start any process is no CPU of its own.
    const cpu = cpuOfCommands(commands.slice(1), runs);
    report({ question: 'The CLI over an empty Node: CPU', baseline: empty, rows: cpu });
    reportOver(cpu);
    const wall = timeCommands(commands, runs);
    report({ question: 'The CLI over an empty Node: wall time', baseline: empty, rows: wall, overhead: 'true' });
    reportOver(wall);
  } finally {
    await daemon.stop();
  }
}

/** The minima, as what a command costs where nobody disturbs it. */
function reportOver(rows: readonly Row[]): void {
  const least = (name: string): number => Math.min(...(rows.find((row) => row.name === name)?.samples ?? []));
  const over = rows.filter(({ name }) => name.startsWith('prisn')).map(({ name }) => ({ name, ms: least(name) - least(empty) }));
  const missed = over.filter(({ ms }) => ms > aimMs);
  console.log(`over ${empty}, minima: ${over.map(({ name, ms }) => `${name.slice(6)} ${ms.toFixed(1)}`).join(', ')}`);
  console.log(`aim: ${aimMs} ms; ${missed.length === 0 ? 'reached' : `missed by ${missed.map(({ name }) => name).join(', ')}`}`);
}
