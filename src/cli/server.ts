/** `prisn server`: in the foreground; `start | stop | status | install`: as a process, or a unit of systemd. */
import { type Command, Option } from 'commander';
import { setTimeout as pause } from 'node:timers/promises';
import { exitCodes } from '../base/exit-codes.ts';
import { isTerminal } from '../base/terminal.ts';
import type { Client } from '../client/client.ts';
import { type DaemonRecord, readRecord, type StartMode } from '../client/record.ts';
import { flagOf, type SettingName, settingNames, settings } from '../model/settings.ts';
import { localClient } from './connect.ts';
import { homeDir, openHome } from './home.ts';
import { formatOption, type PlainFormat, structured, tableText, write } from './output.ts';
import { say } from './say.ts';
import { absolute, type Flags, wordsOf } from './settings.ts';

type Options = Readonly<Record<string, string | boolean | undefined>>;
type Exit = (code: number) => void;

export function serverCommand(program: Command, exit: Exit): void {
  const server = program.command('server').description('run the server, here in the foreground');
  // Without it `server` would take the options of `server start`, which have the same names.
  for (const command of [program, server]) command.enablePositionalOptions();
  withSettings(server)
    .addOption(new Option('--mode <mode>').choices(['auto', 'background', 'foreground']).default('foreground').hideHelp())
    .addHelpText('after', examples)
    .action(async (options: Options) => exit(await run(options)));
  withSettings(server.command('start'))
    .description('start it in the background')
    .action(async (options: Options) => exit(await start(flagsOf(options))));
  server
    .command('stop')
    .description('stop it, once what runs has ended')
    .option('--now', 'end what runs at once')
    .action(async ({ now = false }: { now?: boolean }) => exit(await stop(now)));
  server
    .command('status')
    .description('show what runs; exit code 3 when nothing does')
    .addOption(formatOption())
    .action(async ({ output }: { output: PlainFormat }) => exit(await status(output)));
  withSettings(server.command('install'))
    .description('make it a service of systemd, which starts it with the machine')
    .option('--system', 'of the machine instead of this user')
    .option('--print', 'only show the unit')
    .action(async (options: Options) => {
      const { install } = await import('./server-install.ts');
      await install({ flags: flagsOf(options), system: options['system'] === true, print: options['print'] === true });
    });
}

const examples = `
Examples:
  prisn server                            in this terminal, until Ctrl-C
  prisn server --addr 127.0.0.1:8000      on another port
  prisn server start                      in the background
  prisn server install                    with the machine, by systemd

Each option is a setting too: prisn config list`;

function withSettings(command: Command): Command {
  for (const name of settingNames) command.option(`${flagOf(name)} ${settings[name].kind.value}`, settings[name].help);
  return command;
}

function flagsOf(options: Options): Flags {
  const flags: Partial<Record<SettingName, string>> = {};
  for (const name of settingNames) {
    const value = options[name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())];
    if (typeof value === 'string') flags[name] = value;
  }
  return absolute(flags, process.cwd());
}

async function run(options: Options): Promise<number> {
  const { runServer } = await import('./server-run.ts');
  return runServer(flagsOf(options), options['mode'] as StartMode);
}

async function start(flags: Flags): Promise<number> {
  const home = openHome(process.env);
  const running = readRecord(home);
  if (running) {
    show(running, 'runs already');
    if (Object.keys(flags).length === 0) return 0;
    say('it keeps the settings that it has; to give it others: prisn server stop, then start it again');
    return exitCodes.conflict;
  }
  const { startServer } = await import('./server-process.ts');
  const record = await startServer({ home, mode: 'background', flags: wordsOf(flags), env: process.env });
  show(record, 'runs');
  const { reasons } = await readiness(localClient(record));
  for (const reason of reasons) say(reason);
  return reasons.length === 0 ? 0 : exitCodes.failure;
}

function show(record: DaemonRecord, what: string): void {
  process.stdout.write(`prisn ${record.version} ${what}\n${tableText(rowsOf(record))}`);
}

function rowsOf({ address, note, socket, pid }: DaemonRecord): string[][] {
  return [
    ['address', address === null ? (note ?? 'none: HTTP is served on the socket alone') : `http://${address}`],
    ['socket', socket],
    ['pid', String(pid)],
  ];
}

async function stop(now: boolean): Promise<number> {
  const record = readRecord(homeDir(process.env));
  if (!record) {
    say(`no server runs in ${homeDir(process.env)}`);
    return 0;
  }
  const { signalServer, waitUntilGone } = await import('./server-process.ts');
  signalServer(record);
  if (now) {
    // The second one has to arrive as one of its own.
    await waitUntilGone(record, 200);
    signalServer(record);
  } else await tellProgress(record, waitUntilGone);
  while (!(await waitUntilGone(record, 60_000))) await pause(0);
  await write(`prisn ${record.version} stopped\n`);
  return 0;
}

/** Tells whoever waits at a terminal for what the server waits. */
async function tellProgress(record: DaemonRecord, gone: (record: DaemonRecord, ms: number) => Promise<boolean>): Promise<void> {
  if (!isTerminal(2)) return;
  const client = localClient(record);
  let told = '';
  while (!(await gone(record, 500))) {
    const running = await countRunning(client);
    const text = running > 0 ? `waits for ${running} running; prisn server stop --now ends them` : 'stops';
    if (text !== told) process.stderr.write(`\r\x1b[K${text}`);
    told = text;
  }
  if (told !== '') process.stderr.write('\r\x1b[K');
}

async function countRunning(client: Client): Promise<number> {
  try {
    const { items } = await client.call('listNodes', {}, AbortSignal.timeout(2000));
    return items.reduce((sum, { running }) => sum + running, 0);
  } catch {
    return 0;
  }
}

async function status(format: PlainFormat): Promise<number> {
  const record = readRecord(homeDir(process.env));
  const shown = record ? { running: true, ...(await describe(record)) } : { running: false };
  if (format !== 'table') await write(await structured(shown, format));
  else if (!record) await write(`no server runs in ${homeDir(process.env)}; prisn server start starts one\n`);
  else await write(tableText(Object.entries(shown).map(([name, value]) => [name, cell(value)])));
  return record ? 0 : exitCodes.absent;
}

async function describe(record: DaemonRecord): Promise<Record<string, unknown>> {
  const client = localClient(record);
  const [{ status: state, reasons }, nodes] = await Promise.all([
    readiness(client),
    client.call('listNodes', {}, AbortSignal.timeout(5000)),
  ]);
  const [node] = nodes.items;
  const { pid, version, address, note, socket, data_dir, mode, started_at, install } = record;
  return {
    status: state,
    ...(reasons.length > 0 && { problems: reasons }),
    executions_running: node?.running,
    executions_pending: node?.pending,
    address,
    ...(note !== undefined && { note }),
    socket,
    data_dir,
    pid,
    version,
    mode,
    started_at,
    install,
  };
}

function cell(value: unknown): string {
  if (Array.isArray(value)) return value.join('; ');
  return typeof value === 'string' ? value : value === null ? 'none' : JSON.stringify(value);
}

/** What `/ready` says. */
export async function readiness(client: Client): Promise<{ status: string; reasons: readonly string[] }> {
  const { text } = await client.page('/ready', AbortSignal.timeout(5000));
  return JSON.parse(text) as { status: string; reasons: readonly string[] };
}
