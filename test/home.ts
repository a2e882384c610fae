/** A `PRISN_HOME` for one test, where servers in the background may be started; they end with it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonRecord } from '../src/client/record.ts';
import { prisn, type Result, type RunOptions } from './prisn.ts';
import { isAlive, until } from './processes.ts';
import { Scratch } from './scratch.ts';

type Owner = { after(clean: () => Promise<void> | void): void };

export class Home {
  readonly path: string;

  constructor(owner: Owner) {
    const scratch = new Scratch({
      after: (clean) =>
        owner.after(async () => {
          await this.kill();
          clean();
        }),
    });
    this.path = scratch.root;
  }

  /** `daemon.json`, whether or not its process lives. */
  record(): DaemonRecord | undefined {
    try {
      return JSON.parse(readFileSync(join(this.path, 'daemon.json'), 'utf8')) as DaemonRecord;
    } catch {
      return undefined;
    }
  }

  get log(): string {
    return readFileSync(join(this.path, 'daemon.log'), 'utf8');
  }

  /** The CLI with this home; a server that it starts takes any port. */
  prisn(words: readonly string[], options: RunOptions = {}): Promise<Result> {
    return prisn(words, { ...options, env: { PRISN_HOME: this.path, PRISN_ADDR: '127.0.0.1:0', ...options.env } });
  }

  /** As a crash. */
  async kill(): Promise<void> {
    const { pid } = this.record() ?? {};
    if (pid === undefined || !isAlive(pid)) return;
    process.kill(pid, 'SIGKILL');
    await until('the server is gone', () => !isAlive(pid));
  }
}
