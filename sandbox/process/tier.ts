/**
 * Tier T1: what stands between the daemon and a job's program on this machine, found out once a process.
 *
 * A job has its owner's identity, files and network. It is started by a chain of commands, each becoming the next:
 *
 *   setpriv   no new privileges; and the first process dies with the daemon's main thread, which forked it
 *   unshare   a pid namespace with its own /proc: whatever a program does, it ends with the namespace
 *   shell     closes every descriptor from 3 on, since LevelDB opens its files without O_CLOEXEC. In a namespace it stays
 *             as the init (PID 1), which reaps orphans and tells the exit code: the kernel keeps signals from a PID 1 that
 *             does not ask for them, so the program must not be it
 *   env       takes away what the shell adds to the environment
 *   setsid    in a namespace the program leads a session there, as it would without one: the group that it comes from is
 *             outside, shows as 0, and by `kill 0` the program would end the commands above it
 *
 * What is not there or does not work is left out; then the guard and the tree kill have more to do. A user namespace would
 * give everybody the pid namespace, but shows the files of all other users as nobody's and drops supplementary groups, so
 * none is made. Mounts keep their propagation: what the program mounts, and what is mounted meanwhile, shows as before.
 */
import { spawnSync } from 'node:child_process';
import { delimiter } from 'node:path';
import { isExecutable } from '../../src/base/executable.ts';
import { initScript, reportFd } from './init.ts';

export interface Tier {
  readonly name: 'T1';
  /** The program's tree ends with a namespace that nothing leaves. */
  readonly pidNamespace: boolean;
  /** The kernel kills the program's first process when the daemon dies. */
  readonly parentDeathSignal: boolean;
  readonly noNewPrivileges: boolean;
  /** What is missing, and what to do about it. */
  readonly detail: string[];
}

/** What a job is started by. */
export interface Chain {
  /** A command that becomes the one that its further arguments name; empty for none. */
  readonly command: readonly string[];
  /** Whether the init stands between (`init.ts`). */
  readonly hasInit: boolean;
}

let known: Tier | undefined;

/** What can be had here. It costs some 20 ms the first time. */
export function probeTier(): Tier {
  known ??= probe();
  return known;
}

/** @param env the program's, so that none of its own variables is taken away */
export function chainOf(tier: Tier, env: Readonly<Record<string, string>>): Chain {
  const { setpriv, unshare, setsid, shell } = findTools();
  const privileges = [
    ...(tier.noNewPrivileges ? ['--no-new-privs'] : []),
    ...(tier.parentDeathSignal ? ['--pdeathsig', 'KILL'] : []),
  ];
  const first = setpriv !== undefined && privileges.length > 0 ? [setpriv, ...privileges] : [];
  const clean = ['/usr/bin/env', ...addedByShells.filter((name) => !(name in env)).flatMap((name) => ['-u', name])];
  if (tier.pidNamespace && unshare !== undefined && setsid !== undefined) {
    const namespace = [unshare, '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'unchanged'];
    const script = `${shell.closes ? closeFrom(reportFd + 1) : ''}${initScript}`;
    return { command: [...first, ...namespace, ...shell.command, script, 'prisn-init', ...clean, setsid], hasInit: true };
  }
  // Without a command in between, env would take a program's path with a `=` for a variable.
  if (first.length === 0 || !shell.closes) return { command: first, hasInit: false };
  return { command: [...shell.command, `${closeFrom(reportFd)}exec "$@"`, 'prisn', ...clean, ...first], hasInit: false };
}

const addedByShells = ['_', 'PWD', 'OLDPWD', 'SHLVL'];

function closeFrom(least: number): string {
  return `for fd in /dev/fd/*; do fd=\${fd##*/}; [ "$fd" -lt ${least} ] || eval "exec $fd>&-"; done; `;
}

interface Shell {
  /** What comes before a script. */
  readonly command: readonly string[];
  /** Whether it can close descriptors above 9: dash cannot. */
  readonly closes: boolean;
}

interface Tools {
  readonly setpriv: string | undefined;
  readonly unshare: string | undefined;
  readonly setsid: string | undefined;
  readonly shell: Shell;
}

let tools: Tools | undefined;

function findTools(): Tools {
  tools ??= { setpriv: find('setpriv'), unshare: find('unshare'), setsid: find('setsid'), shell: findShell() };
  return tools;
}

function findShell(): Shell {
  const bash = find('bash');
  // With -p it neither runs what BASH_ENV names nor takes functions and options from the environment; without --norc it
  // runs ~/.bashrc when its stdin is a socket or the environment has SSH_CLIENT.
  const shells = [['/bin/sh', '-c'], ...(bash === undefined ? [] : [[bash, '--norc', '-p', '-c']])];
  const closing = shells.find((command) => run([...command, 'exec 17</dev/null && exec 17<&-']).status === 0);
  return { command: closing ?? ['/bin/sh', '-c'], closes: closing !== undefined };
}

/** Those of the system go before others of the same name. */
function find(name: string): string | undefined {
  const folders = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders.map((folder) => `${folder}/${name}`).find((file) => file.startsWith('/') && isExecutable(file));
}

function probe(): Tier {
  const none: Tier = { name: 'T1', pidNamespace: false, parentDeathSignal: false, noNewPrivileges: false, detail: [] };
  const first = probePrivileges(none);
  const wanted = { ...first, pidNamespace: true };
  const { unshare, setsid, shell } = findTools();
  const detail = shell.closes
    ? [...first.detail]
    : [...first.detail, 'descriptors: no shell that closes those above 9; install bash'];
  if (unshare === undefined || setsid === undefined)
    return { ...first, detail: [...detail, 'pid namespace: no unshare and setsid; install util-linux'] };
  const { status, stderr, stdout } = run([...chainOf(wanted, {}).command, '/bin/sh', '-c', 'echo $PPID; exit 7']);
  if (status === 7 && stdout === '1\n') return { ...wanted, detail };
  const why = stderr.trim() || `a trial of it ended with ${status}`;
  const means = 'a process that sheds parent, session and environment all at once can outlive its run';
  return { ...first, detail: [...detail, `pid namespace: ${why}; without one, ${means}; run the server as root to have it`] };
}

function probePrivileges(none: Tier): Tier {
  const { setpriv } = findTools();
  if (setpriv === undefined)
    return { ...none, detail: ['no new privileges, parent death signal: no setpriv; install util-linux 2.33 or later'] };
  if (works([setpriv, '--no-new-privs', '--pdeathsig', 'KILL']))
    return { ...none, noNewPrivileges: true, parentDeathSignal: true };
  const detail = [`parent death signal: ${setpriv} has none; install that of util-linux 2.33 or later`];
  return { ...none, noNewPrivileges: works([setpriv, '--no-new-privs']), detail };
}

function works(command: readonly string[]): boolean {
  return run([...command, '/bin/sh', '-c', 'exit 7']).status === 7;
}

function run([file = '', ...args]: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(file, args, {
    env: {},
    cwd: '/',
    encoding: 'utf8',
    timeout: 5000,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  return { status, stdout: stdout ?? '', stderr: stderr ?? '' };
}
