/** workerd, the runtime of Workers, as a server of one handler. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../src/base/error.ts';
import { fetchPackages, freePort } from './cache.ts';
import { smoke } from './measure.ts';

const version = '1.20261117.1';
const platforms: Readonly<Record<string, string>> = { x64: 'workerd-linux-64', arm64: 'workerd-linux-arm64' };

export class Workerd {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(port: number, child: ChildProcess, folder: string) {
    this.port = port;
    this.#child = child;
    this.#folder = folder;
  }

  /** @param handler a module that exports a Workers handler @returns why it is left out, in words, where it cannot be had */
  static async start(handler: string): Promise<Workerd | string> {
    if (smoke) return 'a smoke run fetches nothing';
    const folder = mkdtempSync(join(tmpdir(), 'prisn-bench-workerd-'));
    try {
      const modules = fetchPackages('workerd', [`workerd@${version}`]);
      const binary = join(modules, `@cloudflare/${platforms[process.arch] ?? ''}/bin/workerd`);
      const port = await freePort();
      writeFileSync(join(folder, 'handler.js'), handler);
      writeFileSync(join(folder, 'config.capnp'), configOf(port));
      const child = spawn(binary, ['serve', join(folder, 'config.capnp')], { stdio: ['ignore', 'ignore', 'inherit'] });
      const workerd = new Workerd(port, child, folder);
      await workerd.#listens();
      return workerd;
    } catch (error) {
      return messageOf(error);
    }
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #listens(): Promise<void> {
    for (const deadline = Date.now() + 20_000; Date.now() < deadline; await pause(20)) {
      const socket = connect(this.port, '127.0.0.1');
      const isOpen = await once(socket, 'connect').then(
        () => true,
        () => false,
      );
      socket.destroy();
      if (isOpen) return;
    }
    await this.stop();
    throw new Error('workerd does not listen');
  }
}

/** The schema is workerd's own, `workerd.capnp`. */
function configOf(port: number): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "handler", worker = .handler)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "handler")],
);
const handler :Workerd.Worker = (
  modules = [(name = "handler.js", esModule = embed "handler.js")],
  compatibilityDate = "2026-01-01",
);
`;
}
