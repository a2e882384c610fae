/**
 * What two processes must have in common for a program to mean the same in either: users and groups, capabilities, cores,
 * namespaces and root. As text, to be compared, and in the words of the fork servers' protocol, where cgroups follow.
 */
import { readFileSync, readlinkSync } from 'node:fs';

/** Lines of /proc/self/status, proc(5). */
const lines = /^(?:Uid|Gid|Groups|NoNewPrivs|Seccomp|Cap(?:Inh|Prm|Eff|Bnd|Amb)|Cpus_allowed):.*\n/gm;
const namespaces = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];

/** @returns undefined where there is no /proc */
export function ownIdentity(): string | undefined {
  try {
    const status = readFileSync('/proc/self/status', 'latin1').match(lines) ?? [];
    const spaces = namespaces.map((name) => `${name} ${readlinkSync(`/proc/self/ns/${name}`)}\n`);
    return [...status, ...spaces, `root ${readlinkSync('/proc/self/root')}\n`].join('');
  } catch {
    return undefined;
  }
}
