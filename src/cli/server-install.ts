/** `prisn server install`: a unit of systemd, systemd.service(5). */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { messageOf, PrisnError } from '../base/error.ts';
import { readRecord } from '../client/record.ts';
import { settingNames, variableOf } from '../model/settings.ts';
import { openHome } from './home.ts';
import { write } from './output.ts';
import { programPath } from './program.ts';
import { say } from './say.ts';
import { absoluteVariables, type Flags, loadSettings, wordsOf } from './settings.ts';

export interface Install {
  readonly flags: Flags;
  /** A service of the machine, not of this user. */
  readonly system: boolean;
  /** Nothing is written but the unit, to stdout. */
  readonly print: boolean;
}

/** After the deadline of the drain: what it takes to end the rest and to write it down. */
const endingS = 20;

/** @throws PrisnError `unsupported` without systemd, `usage` when the unit cannot be written */
export async function install({ flags, system, print }: Install): Promise<void> {
  const home = openHome(process.env);
  const { settings, sources } = await loadSettings(home, flags, process.env);
  const variables = absoluteVariables(process.env);
  // The unit does not have this shell's variables.
  const given = settingNames.flatMap((name) => (sources[name] === 'variable' ? [[name, variables[variableOf(name)]]] : []));
  const unit = unitText({
    home,
    flags: { ...flags, ...(Object.fromEntries(given) as Flags) },
    system,
    stopS: Math.ceil(settings.drain / 1000) + endingS,
  });
  if (process.env['PRISN_MASTER_KEY'])
    say('PRISN_MASTER_KEY is set here and not in the unit; give it one by EnvironmentFile=, in a file that only you can read');
  if (print) return write(unit);
  if (!existsSync('/run/systemd/system'))
    throw new PrisnError(
      'unsupported',
      'systemd does not run here; prisn server start starts the server, --print shows the unit',
    );
  const path = system ? '/etc/systemd/system/prisn.service' : join(configHome(), 'systemd/user/prisn.service');
  writeUnit(path, unit);
  const systemctl = system ? 'sudo systemctl' : 'systemctl --user';
  const steps = [
    ...(readRecord(home) ? ['prisn server stop'] : []),
    `${systemctl} daemon-reload`,
    `${systemctl} enable --now prisn`,
    ...(system ? [] : [`loginctl enable-linger ${userInfo().username}      # so that it runs while you are logged out`]),
  ];
  await write(`wrote ${path}; to start it, now and with the machine:\n${steps.map((step) => `  ${step}\n`).join('')}`);
  if (system) say(`it will run as ${userInfo().username}, with PRISN_HOME=${home}`);
}

function unitText({ home, flags, system, stopS }: { home: string; flags: Flags; system: boolean; stopS: number }): string {
  const command = [process.execPath, '--', programPath(), 'server', ...wordsOf(flags)];
  const names = ['PATH', 'LANG', 'TZ'].filter((name) => process.env[name]);
  const variables = [`PRISN_HOME=${home}`, ...names.map((name) => `${name}=${process.env[name]}`)];
  return `[Unit]
Description=prisn: runs jobs on a trigger
${system ? 'After=network.target\n' : ''}
[Service]
Type=exec
${system ? `User=${userInfo().username}\n` : ''}ExecStart=${command.map((word) => quoted(word).replaceAll('$', '$$$$')).join(' ')}
${variables.map((variable) => `Environment=${quoted(variable)}`).join('\n')}
Restart=on-failure
# The server ends its jobs itself; what it leaves after TimeoutStopSec is killed.
KillMode=mixed
TimeoutStopSec=${stopS}

[Install]
WantedBy=${system ? 'multi-user.target' : 'default.target'}
`;
}

/** One word as systemd reads it: quotes and backslashes escaped, specifiers not expanded. */
function quoted(word: string): string {
  const plain = word.replaceAll('%', '%%');
  return /^[\w./:=@%$,+-]+$/.test(plain) ? plain : `"${plain.replace(/["\\]/g, '\\$&')}"`;
}

function configHome(): string {
  return process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
}

function writeUnit(path: string, unit: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, unit);
  } catch (error) {
    throw new PrisnError('usage', `cannot write ${path}: ${messageOf(error)}; --print shows the unit, to be put there by hand`, {
      cause: error,
    });
  }
}
