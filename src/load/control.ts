/** The control of measurements over HTTP: a plain server in a process of its own, asked by the same generator. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Call } from './call.ts';
import { HttpLoad, judgeStatus } from './http-load.ts';
import { treeCpuMs } from './process-tree.ts';

/** Tells the control of one measurement from that of another. */
export const controlServerName = 'a plain HTTP server of node';

export class ControlServer {
  /** On 127.0.0.1. */
  readonly port: number;
  readonly call: Call;
  readonly cpuMs: () => number;
  readonly #load: HttpLoad;
  readonly #end: () => Promise<void>;

  private constructor(port: number, pid: number, end: () => Promise<void>) {
    this.port = port;
    this.cpuMs = () => treeCpuMs(pid);
    const host = `127.0.0.1:${port}`;
    this.#load = new HttpLoad({ host: '127.0.0.1', port }, 10_000);
    this.call = this.#load.call({ method: 'POST', path: '/', host, headers: {}, body: '{}' }, judgeStatus);
    this.#end = end;
  }

  static async start(): Promise<ControlServer> {
    const path = fileURLToPath(new URL(`./control-server${extname(import.meta.url)}`, import.meta.url));
    const child = spawn(process.execPath, [path], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    const exited = once(child, 'exit');
    const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), exited])) as [string | number | null];
    if (typeof line !== 'string') throw new Error(`the control server ended with ${line}`);
    return new ControlServer(Number(line), child.pid ?? 0, async () => {
      child.stdin.end();
      await exited;
    });
  }

  async close(): Promise<void> {
    this.#load.close();
    await this.#end();
  }
}
