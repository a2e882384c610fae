/** `prisn server`: in the foreground; `start | stop | status | install`: as a process, or a unit of systemd. */
import { type Command, noCommand, Option } from './command.ts';
import { PrisnError } from '../base/error.ts';
import { exitCodes } from '../base/exit-codes.ts';
import type { Client } from '../client/client.ts';
import { type DaemonRecord, readRecord, type StartMode } from '../client/record.ts';
import { startingServers } from '../client/starting.ts';
import { flagOf, type SettingName, settingNames, settings } from '../model/settings.ts';
import { localClient } from './local-client.ts';
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
    .argument('[command]')
    .usage('[command] [options]')
    .note(examples)
    .action(async (word: string | undefined, options: Options) => {
      if (word !== undefined) throw noCommand(word, server, 'prisn server');
      exit(await run(options));
    });
  withSettings(server.command('start'))
    .description('start it in the background')
    .action(async (options: Options) => exit(await start(flagsOf(options))));
  server
    .command('stop')
    .description('stop it, once what runs has ended')
    .option('--now', 'end what runs at once')
    .action(async ({ now = false }: { now?: boolean }) => {
      const { stopServer } = await import('./server-stop.ts');
      exit(await stopServer(now));
    });
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
  if (running && Object.keys(flags).length > 0) return refuseFlags(running);
  if (running) {
    show(running, 'runs already');
    return 0;
  }
  const { startServer } = await import('./server-process.ts');
  const words = wordsOf(flags);
  const record = await startServer({ home, mode: 'background', flags: words, env: process.env });
  // Another command may have started one meanwhile.
  if (words.length > 0 && record.flags.join('\0') !== words.join('\0')) return refuseFlags(record);
  show(record, 'runs');
  const { reasons } = await readiness(localClient(record));
  for (const reason of reasons) say(reason);
  return reasons.length === 0 ? 0 : exitCodes.failure;
}

function refuseFlags(running: DaemonRecord): number {
  show(running, 'runs already');
  say('it keeps the settings that it has; to give it others: prisn server stop, then start it again');
  return exitCodes.conflict;
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

async function status(format: PlainFormat): Promise<number> {
  const home = homeDir(process.env);
  const [starting] = startingServers(home);
  const record = readRecord(home);
  const described = record ? await describe(record) : starting && { status: 'starting', pid: starting.pid };
  const shown = { running: described !== undefined, ...described };
  if (format !== 'table') await write(await structured(shown, format));
  else if (!described) await write(`no server runs in ${home}; prisn server start starts one\n`);
  else await write(tableText(Object.entries(shown).map(([name, value]) => [name, cell(value)])));
  if (!described) return exitCodes.absent;
  return record && described.status !== undefined ? 0 : exitCodes.unreachable;
}

async function describe(record: DaemonRecord): Promise<{ readonly status?: string } & Record<string, unknown>> {
  const answer = await stateOf(localClient(record));
  const reasons = answer?.reasons ?? [`process ${record.pid} does not answer; prisn server stop --now ends it`];
  const { pid, version, address, note, socket, data_dir, mode, started_at, install } = record;
  return {
    ...(answer && { status: answer.status }),
    ...(reasons.length > 0 && { problems: reasons }),
    ...(answer && { executions_running: answer.node?.running, executions_pending: answer.node?.pending }),
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

/** @returns undefined when it does not answer */
async function stateOf(client: Client) {
  try {
    const [ready, nodes] = await Promise.all([readiness(client), client.call('listNodes', {}, AbortSignal.timeout(5000))]);
    return { ...ready, node: nodes.items[0] };
  } catch (error) {
    if (error instanceof PrisnError && error.code === 'unreachable') return undefined;
    throw error;
  }
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
