/**
 * BullMQ with a Redis of its own: the same no-op job, added by this process, run by a worker process, waited for. Redis
 * syncs its file after every command, as prisn does what it accepts. Neither is a dependency: both are fetched into a cache
 * folder when this runs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { unpackDebian } from '../test/debian.ts';
import { findProgram } from '../test/machine.ts';
import { messageOf } from '../src/base/error.ts';
import { cacheFolder, fetchPackages, freePort } from './cache.ts';
import { smoke } from './measure.ts';

const packages = ['bullmq@6.7.0', 'ioredis@5'];

interface Job {
  waitUntilFinished(events: object): Promise<unknown>;
}
interface Library {
  Queue: new (
    name: string,
    options: object,
  ) => { add(name: string, data: object, options: object): Promise<Job>; close(): Promise<void> };
  QueueEvents: new (name: string, options: object) => { waitUntilReady(): Promise<unknown>; close(): Promise<void> };
}

const worker = `
const { Worker } = require(process.argv[2]);
const worker = new Worker('bench', async () => 1, { connection: { host: '127.0.0.1', port: Number(process.argv[3]) }, concurrency: 32 });
worker.on('error', (error) => { console.error(error.message); process.exit(1); });
worker.waitUntilReady().then(() => process.stdout.write('ready'));
`;

export class BullMq {
  readonly #queue: InstanceType<Library['Queue']>;
  readonly #events: InstanceType<Library['QueueEvents']>;
  readonly #children: readonly ChildProcess[];
  readonly #folder: string;

  private constructor(library: Library, port: number, children: readonly ChildProcess[], folder: string) {
    const connection = { host: '127.0.0.1', port };
    this.#queue = new library.Queue('bench', { connection });
    this.#events = new library.QueueEvents('bench', { connection });
    this.#children = children;
    this.#folder = folder;
  }

  /** @returns why it is left out, in words, where it cannot be had */
  static async start(): Promise<BullMq | string> {
    if (smoke) return 'a smoke run fetches nothing';
    const redis = findRedis(cacheFolder());
    if (redis === undefined) return 'no redis-server here, and no Debian package of it could be fetched';
    try {
      const libraryPath = join(fetchPackages('bullmq', packages), 'bullmq');
      const folder = mkdtempSync(join(tmpdir(), 'prisn-bench-redis-'));
      const port = await freePort();
      const flags = [
        '--port',
        String(port),
        '--bind',
        '127.0.0.1',
        '--dir',
        folder,
        '--appendonly',
        'yes',
        '--appendfsync',
        'always',
      ];
      const server = spawn(redis.file, [...flags, '--save', ''], {
        stdio: 'ignore',
        env: { ...process.env, LD_LIBRARY_PATH: redis.libraries },
      });
      await pause(500);
      const script = join(folder, 'worker.cjs');
      writeFileSync(script, worker);
      const running = spawn(process.execPath, [script, libraryPath, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [word] = (await Promise.race([once(running.stdout, 'data'), once(running, 'exit')])) as [unknown];
      if (!(word instanceof Buffer)) return 'its worker does not start';
      const library = createRequire(import.meta.url)(libraryPath) as Library;
      const bullMq = new BullMq(library, port, [running, server], folder);
      await bullMq.#events.waitUntilReady();
      return bullMq;
    } catch (error) {
      return messageOf(error);
    }
  }

  async run(): Promise<void> {
    const job = await this.#queue.add('noop', {}, { removeOnComplete: 1000 });
    await job.waitUntilFinished(this.#events);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#queue.close(), this.#events.close()]);
    for (const child of this.#children) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function findRedis(cache: string): { file: string; libraries: string } | undefined {
  const installed = findProgram('redis-server');
  if (installed !== undefined) return { file: installed, libraries: '' };
  const folder = join(cache, 'redis');
  const file = join(folder, 'usr/bin/redis-check-rdb');
  const packages = [
    'redis-server',
    'redis-tools',
    'libjemalloc2',
    'liblzf1',
    'liblua5.1-0',
    'lua-bitop',
    'lua-cjson',
    'libatomic1',
  ];
  if (!existsSync(file) && unpackDebian(packages, folder) !== undefined) return undefined;
  // In Debian redis-server is a link to this file, which goes by the name that it is called by.
  const server = join(folder, 'usr/bin/redis-server');
  return { file: server, libraries: ['x86_64', 'aarch64'].map((cpu) => join(folder, `usr/lib/${cpu}-linux-gnu`)).join(':') };
}
