/**
 * How long does `prisn run` take, from the first byte of the command to its end, against the bare interpreter? As its users
 * have it: a link on the PATH, and a daemon alive; then by Node's client in the launcher's place, then without a daemon.
 */
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { locate } from '../runtimes/locate.ts';
import { python3 } from '../runtimes/python3.ts';
import { messageOf } from '../src/base/error.ts';
import { fetchPackages } from './cache.ts';
import { BenchDaemon } from './daemon.ts';
import { type Command, report, smoke, timeCommands } from './measure.ts';

/** npm starts scripts at the top of the project. */
const root = process.cwd();
const script = (name: string): string => join(root, 'bench/scripts', name);

/** Rounds of each comparison. */
const runs = 40;

/** The ratios that each way is to reach. */
interface Aims {
  readonly launcher?: number;
  readonly node?: number;
  readonly alone?: number;
}

export async function runStart(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'prisn-bench-'));
  const daemon = await BenchDaemon.start();
  try {
    symlinkSync(join(root, 'bin/prisn'), join(folder, 'prisn'));
    const env = { ...process.env, PATH: `${folder}${delimiter}${process.env['PATH']}`, CI: '1' };
    const python = locate(python3, { env, cwd: root, cacheDir: join(folder, 'cache') }).file;
    const ways = waysOfPrisn(
      { ...env, PRISN_HOME: daemon.home },
      { ...env, PRISN_HOME: join(folder, 'home'), PRISN_DAEMON: 'off' },
    );
    const peers = runtimesOfOthers();
    const bare = (name: string, ...argv: [string, ...string[]]): Command => ({ name, argv, env, cwd: root });
    // A fork server is there after the first run, and has what programs import after the second.
    await warmUp(
      ['hello.py', 'imports.py'].flatMap((name) => ways(name, {})),
      4,
    );
    const compare = async (question: string, baseline: Command, name: string, aims: Aims, others: Command[] = []) => {
      const commands = [bare('true', 'true'), baseline, ...ways(name, aims), ...others];
      await warmUp(commands, 4);
      report({ question, baseline: baseline.name, rows: timeCommands(commands, runs) });
    };
    const node = (name: string): Command => bare(`node ${name}`, process.execPath, script(name));
    const others = (name: string): Command[] =>
      peers.map(({ id, file, words }) => bare(`${id} ${name}`, file, ...words, script(name)));

    await compare(
      'JavaScript: hello',
      node('hello.js'),
      'hello.js',
      { launcher: 0.3, node: 1.3, alone: 1.6 },
      others('hello.js'),
    );
    await compare('JavaScript: two imports', node('imports.mjs'), 'imports.mjs', {}, others('imports.mjs'));
    await compare('TypeScript: hello', node('typed.ts'), 'typed.ts', {}, others('typed.ts'));
    const python3Of = (name: string): Command => bare(`python3 ${name}`, python, script(name));
    const emptyNode = bare('node, an empty file', process.execPath, '/dev/null');
    await compare(
      'Python: hello (aim of the Node client: both bare rows and 5 ms)',
      python3Of('hello.py'),
      'hello.py',
      { launcher: 0.5 },
      [emptyNode],
    );
    await compare('Python: 60 ms of imports', python3Of('imports.py'), 'imports.py', { launcher: 0.1 });
    await compare('Bash: hello', bare('bash hello.bash', 'bash', script('hello.bash')), 'hello.bash', {});
  } finally {
    await daemon.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns the commands that run a script by prisn, one a way */
function waysOfPrisn(served: NodeJS.ProcessEnv, alone: NodeJS.ProcessEnv): (name: string, aims: Aims) => Command[] {
  const hasLauncher = existsSync(join(root, 'dist/launcher'));
  if (!hasLauncher) console.log('the launcher is left out: it is not built here');
  return (name, aims) => {
    const way = (what: string, env: NodeJS.ProcessEnv, aim: number | undefined): Command => ({
      name: `prisn, ${what}`,
      argv: ['prisn', 'run', script(name)],
      env,
      cwd: root,
      ...(aim !== undefined && { aim }),
    });
    return [
      ...(hasLauncher ? [way('launcher', served, aims.launcher)] : []),
      way('Node client', { ...served, PRISN_LAUNCHER: 'off' }, aims.node),
      way('without a daemon', { ...alone, PRISN_LAUNCHER: 'off' }, aims.alone),
    ];
  };
}

/** The daemon learns what runs from runs: fork servers, verdicts and stocks are made behind them. */
async function warmUp(commands: readonly Command[], rounds: number): Promise<void> {
  for (let round = 0; round < (smoke ? 1 : rounds); round++) {
    timeCommands(commands, 0);
    await pause(smoke ? 0 : 500);
  }
}

interface Peer {
  readonly id: string;
  readonly file: string;
  readonly words: readonly string[];
}

const peersOf = {
  x64: ['@deno/linux-x64-glibc@2.9.6', '@oven/bun-linux-x64@1.4.4'],
  arm64: ['@deno/linux-arm64-glibc@2.9.5', '@oven/bun-linux-aarch64@1.4.4'],
} as const;

/** Deno and Bun from npm; what cannot be had is left out by name. */
function runtimesOfOthers(): Peer[] {
  const packages = process.platform === 'linux' ? peersOf[process.arch as keyof typeof peersOf] : undefined;
  const leftOut = (why: string): Peer[] => {
    console.log(`deno and bun are left out: ${why}`);
    return [];
  };
  if (smoke) return leftOut('a smoke run fetches nothing');
  if (!packages) return leftOut(`no packages for ${process.platform} ${process.arch}`);
  try {
    const modules = fetchPackages('runtimes', packages);
    const [deno, bun] = packages.map((one) => join(modules, one.slice(0, one.lastIndexOf('@')))) as [string, string];
    return [
      { id: 'deno', file: join(deno, 'deno'), words: ['run', '--allow-all'] },
      { id: 'bun', file: join(bun, 'bin/bun'), words: ['run'] },
    ];
  } catch (error) {
    return leftOut(messageOf(error));
  }
}
