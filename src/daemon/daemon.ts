/**
 * The server: the one place where its parts are made and put together.
 *
 * ```
 * starting ──▶ ready ──▶ draining ──▶ stopped
 *     └─────────────────────▲
 * ```
 * The lock of the data directory comes first and goes last; between them what was opened is closed in the reverse order, on
 * a stop as on a start that fails. What stands on the data directory is the engine (`engine.ts`); a restore puts another
 * one in its place (`holdings.ts`), so the API sees it through stand-ins.
 *
 * Draining refuses new executions but still answers: who waits for an execution hears how it ended, and only then the
 * doors close.
 */
import { availableParallelism, hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { IsolatePool } from '../../sandbox/isolate/pool.ts';
import type { ForkServers } from '../../sandbox/process/fork-servers.ts';
import { type Api, createApi } from '../api/server.ts';
import type { ApiParts, ShownNode } from '../api/parts.ts';
import { build, CleanUps } from '../base/lifecycle.ts';
import { processId } from '../base/process-id.ts';
import { type DaemonRecord, readRecord, removeRecord, type StartMode, writeRecord } from '../client/record.ts';
import { foregroundHostBytes, ForegroundRuns } from '../engine/foreground-runs.ts';
import type { Log } from '../engine/log.ts';
import { Environments } from '../environments/environments.ts';
import { Metrics } from '../metrics/metrics.ts';
import { Launches } from '../launch.ts';
import { foregroundDomain, holderEnvironment } from '../model/foreground-run.ts';
import type { Settings } from '../model/settings.ts';
import { acquireLock } from '../store/lock.ts';
import { createWorkloads } from '../workload.ts';
import { listenAt, type Place } from './address.ts';
import { removeDrafts } from './backup.ts';
import { type Folders, openDataDirectory } from './folders.ts';
import { openForkServers } from './fork-servers.ts';
import { Holdings } from './holdings.ts';
import { watchIdle } from './idle.ts';
import { trimWhenQuiet } from './quiet.ts';
import { shownRuntimes } from './runtimes.ts';
import { standIn } from './stand-in.ts';

export interface DaemonOptions {
  /** Absolute path of `PRISN_HOME`, for `daemon.json` and the cache. */
  readonly home: string;
  readonly version: string;
  /** Absolute path of the program that runs it. */
  readonly install: string;
  readonly mode: StartMode;
  /** What it was started with. */
  readonly flags: readonly string[];
  /** Of this process; a few names of it reach isolates and jobs. */
  readonly env: NodeJS.ProcessEnv;
  /** What `PRISN_MASTER_KEY` said; it must not stand in `env`. */
  readonly masterKey?: string | undefined;
  readonly log: Log;
}

export interface Daemon {
  readonly record: DaemonRecord;
  /** Refuses new work, lets what runs end until `drain` is over, ends the rest. A second call gets the same promise. */
  stop(reason: string): Promise<void>;
  /** Resolves when it is gone: `failed` where it could not go on. */
  readonly stopped: Promise<'asked' | 'failed'>;
}

/** For answers that are on their way when everything has ended. */
const lastAnswersMs = 2000;
/** What ending takes after the deadline: the grace of signals, and writing it down. */
const endingMs = 10_000;

type State = 'starting' | 'ready' | 'draining';

/** @throws PrisnError `conflict` when another daemon has the data directory, and as the parts do that cannot be opened */
export async function startDaemon(settings: Settings, options: DaemonOptions): Promise<Daemon> {
  const cleanUps = new CleanUps((problem) => options.log.error({}, problem));
  const daemon = new LocalDaemon(settings, options, cleanUps);
  await build(cleanUps, () => daemon.start());
  return daemon;
}

class LocalDaemon implements Daemon {
  readonly #settings: Settings;
  readonly #options: DaemonOptions;
  readonly #cleanUps: CleanUps;
  readonly #startedAt = new Date();
  readonly #stopped = Promise.withResolvers<'asked' | 'failed'>();
  #state: State = 'starting';
  #holdings: Holdings | undefined;
  #record: DaemonRecord | undefined;
  #stopping: Promise<void> | undefined;
  #hasFailed = false;

  constructor(settings: Settings, options: DaemonOptions, cleanUps: CleanUps) {
    this.#settings = settings;
    this.#options = options;
    this.#cleanUps = cleanUps;
  }

  get record(): DaemonRecord {
    if (!this.#record) throw new TypeError('it has not started');
    return this.#record;
  }

  get stopped(): Promise<'asked' | 'failed'> {
    return this.#stopped.promise;
  }

  async start(): Promise<void> {
    const { log, home, mode, version } = this.#options;
    const settings = this.#settings;
    const folders = openDataDirectory(settings.data_dir);
    await this.#lock(folders);
    const pool = this.#openPool();
    const forks = openForkServers(settings, join(home, 'cache'), log);
    this.#cleanUps.push('ending the fork servers', () => forks.close());
    const runs = this.#openRuns(pool, forks);
    const metrics = this.#openMetrics(pool, runs, forks);
    const holdings = await this.#open(folders, pool, forks, metrics);

    const api = await createApi(this.#apiParts(holdings, runs, metrics), {
      bodyLimit: settings.body_limit,
      bundleLimit: settings.bundle_limit,
      publicHosts: settings.public_host,
    });
    this.#cleanUps.push('closing the API', () => api.close(lastAnswersMs));
    await api.listenSocket(settings.socket);
    const { addr } = settings;
    const place = addr === 'off' ? { address: null } : await listenAt(api, addr, { ...this.#options, mayLack: mode === 'auto' });
    const record = this.#recordOf(place);
    this.#record = record;

    this.#cleanUps.push('removing daemon.json', () => removeRecord(home));
    await holdings.engine.executor.start();
    const drain = () => Promise.all([holdings.present?.executor.stop(settings.drain), untilNone(runs, settings.drain)]);
    this.#cleanUps.push('draining', drain, settings.drain + endingMs);
    forks.startAhead();
    void pool.warm().catch((error: unknown) => log.warn({ err: error }, 'no isolate host can be kept warm'));
    this.#state = 'ready';
    writeRecord(home, record);
    const { address, socket, data_dir, pid } = record;
    log.info({ address, socket, data_dir, pid }, `prisn ${version} is ready`);
    const isBusy = () => Object.values(this.#counts()).some((count) => count > 0);
    this.#cleanUps.push('ending the watch for quiet', trimWhenQuiet({ isBusy, requests: () => api.requests }));
    if (mode === 'auto') this.#leaveWhenIdle(holdings, api, runs);
  }

  stop(reason: string): Promise<void> {
    this.#stopping ??= this.#stop(reason);
    return this.#stopping;
  }

  async #stop(reason: string): Promise<void> {
    const { log, home } = this.#options;
    await this.#holdings?.settle();
    this.#state = 'draining';
    const { running, pending } = this.#counts();
    log.info({ reason, running, pending }, running > 0 ? 'stopping, once what runs has ended' : 'stopping');
    // Who waits for what runs still finds the way here; where nothing runs, nobody is sent to a server that goes.
    if (running === 0) removeRecord(home);
    await this.#cleanUps.unwind();
    log.info({}, 'stopped');
    this.#stopped.resolve(this.#hasFailed ? 'failed' : 'asked');
  }

  /** It cannot go on; whoever started it may start it again. */
  #fail(reason: string): void {
    if (!this.#stopping) this.#hasFailed = true;
    void this.stop(reason);
  }

  async #lock({ root }: Folders): Promise<void> {
    const lock = await acquireLock(root, this.#settings.socket);
    this.#cleanUps.push('releasing the lock', () => lock.release());
    void lock.lost.then(() => this.#fail('the lock of the data directory was lost'));
    removeDrafts(root);
  }

  #openPool(): IsolatePool {
    const { isolate_threads, isolate_memory, isolate_hosts, output_limit } = this.#settings;
    const pool = new IsolatePool({
      threads: isolate_threads,
      maxHostBytes: isolate_memory,
      maxIdleHosts: isolate_hosts,
      maxDomainBytes: { [foregroundDomain]: foregroundHostBytes(totalmem(), isolate_memory) },
      env: holderEnvironment(this.#options.env),
      spare: true,
      maxOutputBytes: output_limit,
    });
    this.#cleanUps.push('ending the isolate hosts', () => pool.close());
    return pool;
  }

  #openRuns(pool: IsolatePool, forks: ForkServers): ForegroundRuns {
    const { env, home, install } = this.#options;
    const launches = new Launches({
      install,
      cacheDir: join(home, 'cache'),
      environmentsDir: join(home, 'environments'),
      tickets: forks,
    });
    return new ForegroundRuns(pool, { env: holderEnvironment(env), launch: (request) => launches.way(request) });
  }

  #openMetrics(pool: IsolatePool, runs: ForegroundRuns, forks: ForkServers): Metrics {
    return new Metrics({
      pending: () => this.#counts().pending,
      running: (kind) => this.#holdings?.present?.executor.running(kind) ?? 0,
      foregroundRuns: () => runs.count,
      isolates: () => pool.stats(),
      forks: () => forks.stats(),
    });
  }

  async #open(folders: Folders, pool: IsolatePool, forks: ForkServers, metrics: Metrics): Promise<Holdings> {
    const { home, env, masterKey, log, version } = this.#options;
    const environments = new Environments({
      root: join(home, 'environments'),
      buildTimeoutMs: this.#settings.build_timeout,
      maxBytes: this.#settings.environments_size,
    });
    this.#cleanUps.push('ending installers', () => environments.close());
    const workloads = createWorkloads({
      pool,
      forks,
      environments,
      cacheDir: join(home, 'cache'),
      home,
      env,
      log: (fields, message) => log.debug(fields, message),
    });
    const api = (): string | undefined => (this.#record?.address ? `http://${this.#record.address}` : undefined);
    const parts = { home, folders, settings: this.#settings, masterKey, nodeId: hostname(), api, workloads, metrics, log };
    const holdings = await Holdings.open(parts, version, () => this.#fail('what was restored cannot be opened'));
    this.#cleanUps.push('closing what is stored', () => holdings.close());
    this.#holdings = holdings;
    return holdings;
  }

  #recordOf(place: Place): DaemonRecord {
    const { version, install, mode, flags } = this.#options;
    const { socket, data_dir } = this.#settings;
    return {
      // First, for the stub: a shell reads byte by byte.
      install,
      ...(processId(process.pid) ?? { pid: process.pid, start: '', boot: '' }),
      ...place,
      socket,
      data_dir,
      version,
      mode,
      flags,
      started_at: this.#startedAt.toISOString(),
    };
  }

  #apiParts(holdings: Holdings, runs: ForegroundRuns, metrics: Metrics): ApiParts {
    const { home, env, log, version } = this.#options;
    return {
      executor: standIn(() => holdings.engine.executor),
      deployments: standIn(() => holdings.engine.deployments),
      secrets: standIn(() => holdings.engine.secrets),
      functions: standIn(() => holdings.engine.functions),
      bundles: standIn(() => holdings.engine.bundles),
      runs,
      metrics,
      runtimes: () => shownRuntimes(home, env),
      node: () => ({ ...this.#node(), foreground_runs: runs.count }),
      readiness: () => this.#readiness(),
      verify: () => holdings.verify(),
      backup: {
        write: (withKey) => holdings.backup(withKey),
        restore: (archive, force) => holdings.restore(archive, force),
      },
      log,
      version,
    };
  }

  #node(): Omit<ShownNode, 'foreground_runs'> {
    return {
      id: hostname(),
      hostname: hostname(),
      cores: availableParallelism(),
      version: this.#options.version,
      started_at: this.#startedAt.toISOString(),
      ...this.#counts(),
    };
  }

  #counts(): { running: number; pending: number } {
    return this.#holdings?.present?.executor.counts() ?? { running: 0, pending: 0 };
  }

  #readiness(): { ready: boolean; reasons: string[] } {
    const state = this.#state === 'ready' ? [] : [this.#state];
    const restoring = this.#holdings?.isReplacing ? ['restoring'] : [];
    const present = this.#holdings?.present;
    const reasons = [...state, ...restoring, ...(present?.problems ?? []), ...(present?.store.health().problems ?? [])];
    return { ready: reasons.length === 0, reasons };
  }

  #leaveWhenIdle(holdings: Holdings, api: Api, runs: ForegroundRuns): void {
    const isBusy = async (): Promise<boolean> => {
      const { running, pending } = this.#counts();
      if (running + pending + api.inFlight + runs.count > 0) return true;
      return (await holdings.engine.store.deployments.list({}, { limit: 0 })).total > 0;
    };
    const endWatch = watchIdle({
      idleMs: this.#settings.idle_exit,
      isBusy,
      isFound: () => readRecord(this.#options.home)?.pid === process.pid,
      requests: () => api.requests,
      onIdle: () => void this.stop('nothing to do'),
    });
    this.#cleanUps.push('ending the watch', endWatch);
  }
}

/** Whoever runs a program here in the foreground sees its end; new ones do not find the way. */
async function untilNone(runs: ForegroundRuns, drainMs: number): Promise<void> {
  const deadline = performance.now() + drainMs;
  while (runs.count > 0 && performance.now() < deadline) await delay(50);
}
