import { Environments } from '../environments/environments.ts';
import { environmentsDir, homeDir } from './home.ts';
import { loadSettings } from './settings.ts';

/** What was installed for programs on this machine, within the bounds that the settings have here. @throws PrisnError `usage` */
export async function openEnvironments(): Promise<Environments> {
  const { settings } = await loadSettings(homeDir(process.env), {}, process.env);
  const { build_timeout: buildTimeoutMs, environments_size: maxBytes } = settings;
  return new Environments({ root: environmentsDir(process.env), buildTimeoutMs, maxBytes });
}
