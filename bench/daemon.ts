/** A daemon of its own for a benchmark, and a client that keeps its connections. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export class BenchDaemon {
  readonly home: string;
  readonly #child: ChildProcess;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });
  #port = 0;

  private constructor(home: string, child: ChildProcess) {
    this.home = home;
    this.#child = child;
  }

  static async start(flags: readonly string[] = [], home = mkdtempSync(join(tmpdir(), 'prisn-bench-'))): Promise<BenchDaemon> {
    const child = spawn(join(process.cwd(), 'bin/prisn'), ['server', '--addr', '127.0.0.1:0', '--log-level', 'warn', ...flags], {
      env: { ...process.env, PRISN_HOME: home },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const daemon = new BenchDaemon(home, child);
    for (const deadline = Date.now() + 60_000; ; await pause(5)) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error('the daemon did not start');
      try {
        const { pid, address } = JSON.parse(readFileSync(join(home, 'daemon.json'), 'utf8')) as { pid: number; address: string };
        if (pid !== child.pid) continue;
        daemon.#port = Number(address.split(':').at(-1));
        await daemon.ask('GET', '/ready');
        return daemon;
      } catch {
        // Not yet.
      }
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get port(): number {
    return this.#port;
  }

  /** @returns the parsed answer @throws Error for a status of 400 or more */
  ask(method: string, path: string, body?: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const text = body && JSON.stringify(body);
      const outgoing = request(
        {
          host: '127.0.0.1',
          port: this.#port,
          method,
          path,
          agent: this.#agent,
          headers: text ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } : {},
        },
        (reply) => {
          let answer = '';
          reply.setEncoding('utf8').on('data', (chunk: string) => {
            answer += chunk;
          });
          reply.on('end', () => {
            if ((reply.statusCode ?? 0) < 400) resolve(JSON.parse(answer));
            else reject(new Error(answer));
          });
        },
      );
      outgoing.on('error', reject).end(text);
    });
  }

  /** A call that triggers a deployment and waits for its end. */
  trigger(name: string): () => Promise<void> {
    return async () => {
      const { status } = (await this.ask('POST', '/api/v1/executions', { deployment_id: name, wait: true })) as {
        status: string;
      };
      if (status !== 'Completed') throw new Error(`${name} ended as ${status}`);
    };
  }

  async stop({ keepHome = false } = {}): Promise<void> {
    this.#agent.destroy();
    this.#child.kill('SIGTERM');
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    if (!keepHome) rmSync(this.home, { recursive: true, force: true });
  }
}
