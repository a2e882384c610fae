/**
 * A foreground run (tier F): the program has the caller's descriptors, terminal, identity and environment, no walls, and
 * only the limits that were asked for.
 *
 * The time until the program starts is the user's, so the spawn happens in the tick of the call, the signals are set
 * up while the program is starting, the guard when it has turned out not to be a short one, and limits, clock and tree are loaded by those runs only that need them.
 *
 * With a controlling terminal the program stays in our group, so that Ctrl-C, Ctrl-Z and the shell's job control reach it
 * from the kernel and /dev/tty works, also when stdin is a pipe (`cat x | prisn run ask-password.py`). Without one it
 * leads its own session, and the whole group is ours to signal.
 *
 * A program that ends by itself leaves its background children alone, as under the bare interpreter
 * (`sh -c 'server & echo started'`). One that a signal, a limit or the clock ended takes its whole tree with it.
 */
import type { StdioOptions } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Outcome } from '../../src/model/outcome.ts';
import type { Inherited, ProcessTask } from '../../src/model/task.ts';
import { dismissGuard, watchOver } from './guard.ts';
import { exitOf, ignoring, launch } from './launch.ts';
import type { Enforcement } from './limits.ts';
import { SignalRelay } from './signals.ts';

/**
 * A program that ends sooner needs no guard: to start and to end it costs as much as a hello world in Python takes (5 of
 * 10 ms). The price is that a SIGKILL of prisn in the program's first moments leaves the program alone.
 */
const guardAfterMs = 100;

/**
 * Runs a program with the caller's own descriptors, terminal and job control, until it ends.
 * @returns how it ended; also a program that cannot be started is an outcome (`invalid`)
 * @throws PrisnError `unsupported` for a limit that cannot be held here
 */
export function runForeground(task: ProcessTask, inherited: Inherited = nothing): Promise<Outcome> {
  const { memoryBytes, cpu, pids } = task.limits;
  if (memoryBytes === undefined && cpu === undefined && pids === undefined) return run(task, inherited, undefined);
  return import('./limits.ts').then(({ enforce }) => run(task, inherited, enforce(task)));
}

const nothing: Inherited = { descriptors: [], ignored: [] };

async function run(task: ProcessTask, inherited: Inherited, enforcement: Enforcement | undefined): Promise<Outcome> {
  const leads = !hasTerminal();
  // Before the program, or a signal in its first moments would end us alone and leave it without anybody.
  const relay = new SignalRelay(leads, inherited.ignored);
  const launched = launch(task, descriptors(inherited), leads, enforcement, ignoring(inherited.ignored));
  if ('refused' in launched) {
    enforcement?.release();
    void relay.close();
    return launched.refused;
  }
  const { child, tree } = launched;
  const exited = exitOf(child);
  relay.attach(tree.root.pid);
  let release: (() => void) | undefined;
  const guarding = setTimeout(
    () => {
      release = watchOver(tree);
    },
    isLimited(task) ? 0 : guardAfterMs,
  );
  const supervise = async () => new (await import('./supervision.ts')).Supervision(task.limits, tree, enforcement);
  const supervision = enforcement || task.limits.timeoutMs !== undefined ? supervise() : undefined;

  const own = await exited;
  const relayGone = relay.close();
  const whole = own.reason === 'signal' || relay.ending;
  const outcome = supervision || whole ? await (await (supervision ?? supervise())).settle(own, whole) : own;
  clearTimeout(guarding);
  release?.();
  await Promise.all([relayGone, dismissGuard()]);
  return outcome;
}

function isLimited({ limits }: ProcessTask): boolean {
  return Object.keys(limits).length > 0;
}

/** Our own three and what else the caller opened; a number in between that he did not is /dev/null. */
function descriptors({ descriptors: open }: Inherited): StdioOptions {
  if (open.length === 0) return 'inherit';
  const count = Math.max(...open) + 1;
  return Array.from({ length: count }, (_, fd) => (fd < 3 || open.includes(fd) ? fd : 'ignore'));
}

/** Whether this process has a controlling terminal, on whichever descriptor: tty(4). */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
