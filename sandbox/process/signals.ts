/**
 * Signals of a foreground run: what prisn receives, the program receives, once.
 *
 * In the caller's group the terminal and the shell signal us and the program alike, so only what reached us alone is passed
 * on (`witness.ts`). A program in a session of its own receives everything through us, as its whole group.
 *
 * To stop (Ctrl-Z, SIGTSTP) we stop after the program, so that the shell sees the job stopped, and only if it did: a
 * program may ignore the signal. A group of its own session is orphaned, where the kernel ignores SIGTSTP: it gets SIGSTOP.
 */
import { hasProc, readStatus, trySend } from '../proc.ts';
import { Witness } from './witness.ts';

const ending = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const satisfies NodeJS.Signals[];
const passed = [...ending, 'SIGTSTP', 'SIGCONT', 'SIGWINCH', 'SIGUSR1', 'SIGUSR2'] as const satisfies NodeJS.Signals[];
/** A program that leaves within this time of a signal is taken to have ended by it; the time that `docker stop` gives. */
const endedByMs = 10_000;
/** How long a program may take to stop at SIGTSTP, say to restore the terminal. */
const stopMs = 1000;

export class SignalRelay {
  readonly #leads: boolean;
  readonly #signals: readonly NodeJS.Signals[];
  #pid: number | undefined;
  #witness: Witness | undefined;
  /** How often each signal came while its origin is being asked for. */
  readonly #received = new Map<NodeJS.Signals, number>();
  readonly #receive = (signal: NodeJS.Signals): void => void this.#pass(signal);
  #endingAt: number | undefined;
  #open = true;

  /**
   * Listens from now on for what would end us; what comes before `attach` waits for it.
   * @param leads whether the program is going to lead a session of its own
   * @param ignored signals that the caller ignores: the program does so itself, and we do
   */
  constructor(leads: boolean, ignored: readonly NodeJS.Signals[]) {
    this.#leads = leads;
    this.#signals = passed.filter((signal) => !ignored.includes(signal));
    for (const signal of this.#signals) if (isEnding(signal)) process.on(signal, this.#receive);
    for (const signal of ignored) process.on(signal, noOp);
  }

  /** @param pid the program, which has just been spawned */
  attach(pid: number): void {
    this.#pid = pid;
    // Only now, while the program is starting: a signal that would not have ended us can wait, and each costs 0.1 ms.
    for (const signal of this.#signals) if (!isEnding(signal)) process.on(signal, this.#receive);
    if (!this.#leads) this.#witness = new Witness(this.#signals);
  }

  /** Whether a program that exits now does so because of a signal that came here. */
  get ending(): boolean {
    // The first look at `performance` costs 1.5 ms, so it waits for a signal.
    return this.#endingAt !== undefined && performance.now() - this.#endingAt < endedByMs;
  }

  /** Stops listening, at once; resolves when nothing of it is left. */
  close(): Promise<void> {
    this.#open = false;
    for (const signal of this.#signals) process.off(signal, this.#receive);
    return this.#witness?.close() ?? Promise.resolve();
  }

  async #pass(signal: NodeJS.Signals): Promise<void> {
    if (isEnding(signal)) this.#endingAt = performance.now();
    const times = (this.#received.get(signal) ?? 0) + 1;
    this.#received.set(signal, times);
    if (times > 1) return;
    const known = (await this.#witness?.groupReceived(signal)) ?? 0;
    const received = this.#received.get(signal) ?? 0;
    this.#received.delete(signal);
    if (!this.#open || this.#pid === undefined) return;
    // Equal ones are passed on as one, as the kernel merges those that wait.
    if (received > known) this.#send(this.#pid, signal);
    if (signal === 'SIGTSTP') await this.#stopAfter(this.#pid);
  }

  #send(pid: number, signal: NodeJS.Signals): void {
    if (!this.#leads) return trySend(pid, signal);
    trySend(-pid, signal === 'SIGTSTP' ? 'SIGSTOP' : signal);
  }

  async #stopAfter(pid: number): Promise<void> {
    const isStopped = () => !hasProc || readStatus(pid)?.state === 'T';
    for (const deadline = performance.now() + stopMs; !isStopped(); await new Promise((resolve) => setTimeout(resolve, 5))) {
      if (!this.#open || performance.now() > deadline) return;
    }
    if (this.#open) process.kill(process.pid, 'SIGSTOP');
  }
}

function noOp(): void {}

function isEnding(signal: NodeJS.Signals): boolean {
  return (ending as readonly NodeJS.Signals[]).includes(signal);
}
