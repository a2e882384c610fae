/** What the descriptors of this process are. `node:tty` loads `node:net` with it, 3 ms, so it is asked only about devices. */
import { fstatSync } from 'node:fs';

/** Major number of /dev/null, /dev/zero and their like (Linux, devices.txt): what a script's stdin often is. */
const memoryDevices = 1;

/** isatty(3). */
export function isTerminal(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice() || (process.platform === 'linux' && stat.rdev >> 8 === memoryDevices)) return false;
    return process.getBuiltinModule('node:tty').isatty(fd);
  } catch {
    return false;
  }
}

/** Whether what is written there is shown with colours. */
export function showsColors(fd: number): boolean {
  return wantsColors(process.env, () => isTerminal(fd));
}

/** As node decides (https://no-color.org, https://force-color.org). */
export function wantsColors(
  { FORCE_COLOR, NO_COLOR, TERM }: Readonly<Record<string, string | undefined>>,
  isShown: () => boolean,
): boolean {
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  return !NO_COLOR && TERM !== 'dumb' && isShown();
}
