/** A server of its own for a test: a home in a scratch folder, a port that the system chooses, gone with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { bin, environment, prisn, type Result, root, type RunOptions } from './prisn.ts';
import { Scratch } from './scratch.ts';

export interface ServerOptions {
  readonly flags?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** A home that another server had before. */
  readonly home?: string;
  /** Another program in the place of `bin/prisn`, with what comes before the words. */
  readonly command?: readonly [string, ...string[]];
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed where it is JSON. */
  readonly body: unknown;
  readonly text: string;
}

/** What `daemon.json` says, as far as tests need it. */
interface DaemonFile {
  readonly pid: number;
  readonly address: string | null;
  readonly socket: string;
}

type Owner = { after(clean: () => Promise<void> | void): unknown };

export class Server {
  readonly home: string;
  readonly child: ChildProcess;
  /** Such as `http://127.0.0.1:40123`. */
  url = '';
  #output = '';

  private constructor(home: string, child: ChildProcess) {
    this.home = home;
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-100_000);
      });
  }

  /** @param owner the test, at whose end the server is stopped */
  static async start(owner: Owner, { flags = [], env = {}, home, command = [bin] }: ServerOptions = {}): Promise<Server> {
    const folder = home ?? new Scratch(owner).root;
    const [file, ...before] = command;
    const child = spawn(file, [...before, 'server', '--addr', '127.0.0.1:0', ...flags], {
      cwd: root,
      env: environment({ PRISN_HOME: folder, ...env }),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const server = new Server(folder, child);
    owner.after(() => server.kill());
    await server.#ready();
    return server;
  }

  /** The last of what it wrote. */
  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async #ready(): Promise<void> {
    for (const deadline = Date.now() + 30_000; ; await pause(10)) {
      if (this.#hasEnded()) throw new Error(`the server ended: ${this.#output}`);
      if (Date.now() > deadline) throw new Error(`the server is not ready: ${this.#output}`);
      const file = this.#daemonFile();
      if (!file || file.pid !== this.pid || file.address === null) continue;
      this.url = `http://${file.address}`;
      const { status } = await this.request('GET', '/ready').catch(() => ({ status: 0 }));
      if (status === 200) return;
    }
  }

  #daemonFile(): DaemonFile | undefined {
    try {
      return JSON.parse(readFileSync(`${this.home}/daemon.json`, 'utf8')) as DaemonFile;
    } catch {
      return undefined;
    }
  }

  #hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** @param body JSON, or bytes as they are */
  async request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    const raw = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
    const reply = await fetch(this.url + path, {
      method,
      headers: { ...(raw ? {} : { 'content-type': 'application/json' }), ...headers },
      body: raw ? ((body as string | Uint8Array<ArrayBuffer> | undefined) ?? null) : JSON.stringify(body),
    });
    const text = await reply.text();
    const isJson = reply.headers.get('content-type')?.includes('json') ?? false;
    return { status: reply.status, headers: reply.headers, text, body: isJson ? (JSON.parse(text) as unknown) : text };
  }

  /** The CLI with this server's home. */
  prisn(words: readonly string[], options: RunOptions = {}): Promise<Result> {
    return prisn(words, { ...options, env: { PRISN_HOME: this.home, ...options.env } });
  }

  /** SIGTERM. @returns the exit code, once it is gone */
  async stop(): Promise<number | null> {
    if (!this.#hasEnded()) {
      this.child.kill('SIGTERM');
      await once(this.child, 'exit');
    }
    return this.child.exitCode;
  }

  async kill(): Promise<void> {
    if (this.#hasEnded()) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}
