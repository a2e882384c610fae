/** A fork server of Python for a test, by its protocol: the daemon's end of its lines, and launchers. */
import { type ChildProcess, type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../../machine.ts';
import { needsProc, until } from '../../processes.ts';
import { Scratch } from '../../scratch.ts';

export const forkServer = fileURLToPath(new URL('../../../dist/runtimes/python3/forkserver.py', import.meta.url));
export const launcher = fileURLToPath(new URL('../../fixtures/python/launcher.py', import.meta.url));
export const skip = needsProc.skip || (findProgram('python3') === undefined && 'no python3');
export const python = skip
  ? ''
  : execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();

type Message = Readonly<Record<string, unknown>> & { readonly op: string };

export interface ServerOptions {
  readonly interpreter?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
  /** It will complain. */
  readonly isQuiet?: boolean;
}

/** A fork server, and the daemon's end of its lines. */
export class Server {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  readonly messages: Message[] = [];
  #tickets = 0;

  constructor(t: TestContext, { interpreter = python, env = {}, uid, isQuiet = false }: ServerOptions = {}) {
    this.process = spawn(interpreter, [forkServer], {
      env: { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', ...env },
      stdio: ['pipe', 'pipe', isQuiet ? 'ignore' : 'inherit'],
      ...(uid !== undefined && { uid, gid: uid }),
    });
    const { stdin, stdout } = this.process;
    stdin.on('error', () => {});
    createInterface({ input: stdout }).on('line', (line) => this.#hear(line));
    t.after(() => kill(this.process));
  }

  /** What is none a run wrote. */
  #hear(line: string): void {
    try {
      this.messages.push(JSON.parse(line) as Message);
    } catch {}
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  send(message: Message): void {
    this.process.stdin.write(`${JSON.stringify(message)}\n`);
  }

  async told(op: string, match: Readonly<Record<string, unknown>> = {}): Promise<Message> {
    const isIt = (message: Message) => message.op === op && Object.entries(match).every(([key, value]) => message[key] === value);
    await until(`${op} ${JSON.stringify(match)}`, () => this.messages.some(isIt), 30_000);
    return this.messages.find(isIt) ?? { op };
  }

  async address(): Promise<string> {
    return String((await this.told('ready'))['socket']);
  }

  ticket(): string {
    const ticket = (++this.#tickets).toString(16).padStart(8, '0');
    this.send({ op: 'ticket', ticket });
    return ticket;
  }

  /** Launches a program as the native launcher does. */
  async launch(
    t: TestContext,
    file: string,
    ticket = this.ticket(),
  ): Promise<{ ticket: string; launcher: ChildProcess; end: Promise<End> }> {
    const child = spawn(python, [launcher, await this.address(), ticket, file], { stdio: ['ignore', 'pipe', 'pipe'] });
    t.after(() => kill(child));
    const whole = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
    return { ticket, launcher: child, end: whole.then(([[code], stdout, stderr]) => ({ code, stdout, stderr })) };
  }

  async run(t: TestContext, file: string): Promise<End> {
    return (await this.launch(t, file)).end;
  }
}

interface End {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

export class Folder extends Scratch {
  async pids(name: string): Promise<number[]> {
    await until(`${name} is written`, () => this.log(name).length > 0, 30_000);
    return readFileSync(this.path(name), 'utf8').split(' ').map(Number);
  }

  /** A recorded run, whose output goes to files. */
  recorded(id: string, file: string, more: Readonly<Record<string, unknown>> = {}): Message {
    const [stdout, stderr] = [this.file(`${id}.out`), this.file(`${id}.err`)];
    return {
      op: 'run',
      id,
      file,
      args: [],
      env: {},
      cwd: this.root,
      stdin: null,
      stdout,
      stderr,
      cgroups: [],
      pid_namespace: false,
      ...more,
    };
  }
}
