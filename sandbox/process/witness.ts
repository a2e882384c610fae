/**
 * Tells a signal that the whole process group received (Ctrl-C, a shell's `kill %1`, the hangup of a terminal) from one
 * that was sent to us alone. The first has reached the program already, the second must be passed on. Node shows no
 * siginfo, so a tiny shell in the same group is the witness: it writes down each signal that it receives.
 *
 * The kernel marks the members of a group in one go, far faster than the settling time that we wait before we ask. The
 * answer to our question follows all reports in the same pipe, as the shell runs its pending traps before its next
 * command. So an answer without a report proves that the witness, and with it the group, received nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { endHelper } from './guard.ts';

const settleMs = 10;
/** Reports older than this were for the witness alone. */
const staleMs = 100;
const reportsKept = 16;
/** A witness that was stopped does not answer; then a signal twice is better than none. */
const answerMs = 500;

/** A trap interrupts `read`, which then fails as at the end of the file: `trapped` tells the two apart. */
const script = (names: string): string => `
for name in ${names}; do trap "trapped=1; echo $name" $name; done
trap '' TTIN TTOU
while :; do
  trapped=
  if read -r question; then echo "$question"; elif [ -z "$trapped" ]; then exit; fi
done
`;

export class Witness {
  readonly #script: string;
  /** When each signal was reported, by its name, ms; until it is taken into account. */
  readonly #reports = new Map<string, number[]>();
  readonly #questions = new Map<string, () => void>();
  #shell: ChildProcess;
  #asked = 0;
  #closed = false;

  /** @param signals those to be told apart, such as `SIGINT` */
  constructor(signals: readonly NodeJS.Signals[]) {
    this.#script = script(signals.map((signal) => signal.slice(3)).join(' '));
    this.#shell = this.#start();
  }

  /** How often the whole group received this signal, which has just reached us; each time is told once. */
  async groupReceived(signal: NodeJS.Signals): Promise<number> {
    const since = performance.now() - staleMs;
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    await this.#ask();
    const reports = this.#reports.get(signal) ?? [];
    this.#reports.delete(signal);
    return reports.filter((at) => at >= since).length;
  }

  close(): Promise<void> {
    this.#closed = true;
    return endHelper(this.#shell);
  }

  #start(): ChildProcess {
    const shell = spawn('/bin/sh', ['-c', this.#script, 'prisn-witness'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      cwd: '/',
      env: {},
    });
    shell.once('error', () => {});
    if (shell.pid === undefined) return shell; // no descriptor was left: every signal is passed on
    const { stdin, stdout } = shell as unknown as { stdin: Socket; stdout: Socket };
    shell.unref();
    shell.once('exit', (_code, signal) => this.#restart(signal));
    stdin.on('error', () => {}).unref();
    let rest = '';
    stdout.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#hear(line);
    });
    stdout.unref();
    return shell;
  }

  /** A witness that dies of a signal before its traps are set has testified all the same. */
  #restart(signal: NodeJS.Signals | null): void {
    if (this.#closed || signal === null) return;
    this.#report(signal);
    for (const answer of this.#questions.values()) answer();
    this.#shell = this.#start();
  }

  #ask(): Promise<void> {
    const question = `?${++this.#asked}`;
    return new Promise((resolve) => {
      const answer = (): void => {
        clearTimeout(timer);
        this.#questions.delete(question);
        resolve();
      };
      const timer = setTimeout(answer, answerMs);
      this.#questions.set(question, answer);
      this.#shell.stdin?.write(`${question}\n`);
    });
  }

  #hear(line: string): void {
    const answer = this.#questions.get(line);
    if (answer) answer();
    else this.#report(`SIG${line}`);
  }

  #report(signal: string): void {
    const reports = this.#reports.get(signal) ?? [];
    this.#reports.set(signal, [...reports, performance.now()].slice(-reportsKept));
  }
}
