/** The settings as they hold here: flags, variables, `config.toml`, defaults. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { PrisnError } from '../base/error.ts';
import { flagOf, type Resolved, resolveSettings, type SettingName, settingNames, variableOf } from '../model/settings.ts';

export type Flags = Readonly<Partial<Record<SettingName, string>>>;

const paths = ['socket', 'data_dir'] as const satisfies readonly SettingName[];

/** Bytes of a socket's path, without the NUL: `sun_path` of unix(7), and of unix(4) on macOS. */
const maxSocketBytes = process.platform === 'darwin' ? 103 : 107;

/**
 * @param home absolute path of `PRISN_HOME`, to which paths in the file are relative; others are to the working directory
 * @throws PrisnError `usage`
 */
export async function loadSettings(home: string, flags: Flags, env: NodeJS.ProcessEnv): Promise<Resolved> {
  const file = existsSync(join(home, 'config.toml')) ? (await import('./config-file.ts')).readConfig(home) : {};
  const resolved = resolveSettings(
    { flags: absolute(flags, process.cwd()), variables: absoluteVariables(env), file: absolute(file, home) },
    { home, cores: availableParallelism() },
  );
  checkSocket(resolved.settings.socket);
  return resolved;
}

/** Paths made absolute, for a server that works elsewhere. */
export function absolute(values: Flags, base: string): Flags {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, paths.some((path) => path === name) ? resolve(base, value) : value]),
  );
}

export function absoluteVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const given = paths.flatMap((name) => {
    const value = env[variableOf(name)];
    return value ? [[variableOf(name), resolve(value)]] : [];
  });
  return { ...env, ...(Object.fromEntries(given) as NodeJS.ProcessEnv) };
}

/** As words of a command line. */
export function wordsOf(flags: Flags): string[] {
  return settingNames.flatMap((name) => (flags[name] === undefined ? [] : [flagOf(name), flags[name]]));
}

function checkSocket(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= maxSocketBytes) return;
  throw new PrisnError(
    'usage',
    `the socket's path ${path} has ${bytes} bytes, and the system takes ${maxSocketBytes}; ` +
      'name a shorter one with --socket, PRISN_SOCKET or prisn config set socket',
  );
}
