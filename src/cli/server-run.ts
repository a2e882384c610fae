/**
 * The process that is a server: its log, its signals, its end.
 *
 * The first SIGTERM, SIGINT or SIGHUP stops it in order, a second one at once. An exception that nobody caught is a mistake
 * in prisn, after which nothing is certain: it is logged and the server stops in order. A connection that broke, or a
 * descriptor that could not be had, is no such thing, wherever it surfaces.
 */
import { constants } from 'node:os';
import { errnoOf, messageOf } from '../base/error.ts';
import { exitCodes, exitCodeOfSignal } from '../base/exit-codes.ts';
import type { StartMode } from '../client/record.ts';
import { announceStart } from '../client/starting.ts';
import type { Daemon } from '../daemon/daemon.ts';
import { openHome } from './home.ts';
import { programPath } from './program.ts';
import { openLog } from './server-log.ts';
import { type Flags, loadSettings, wordsOf } from './settings.ts';
import { versionText } from './version-text.ts';

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
const harmless = new Set(['EPIPE', 'ECONNRESET', 'ECONNABORTED', 'EMFILE', 'ENFILE', 'ERR_STREAM_PREMATURE_CLOSE']);
const flushMs = 1000;

/** @returns the exit code, once the server has stopped @throws PrisnError when it cannot start */
export async function runServer(flags: Flags, mode: StartMode): Promise<number> {
  const { env } = process;
  const home = openHome(env);
  const arrive = announceStart(home, process.pid);
  try {
    return await serve(home, flags, mode, arrive);
  } finally {
    arrive();
  }
}

/** @param arrive once it is ready */
async function serve(home: string, flags: Flags, mode: StartMode, arrive: () => void): Promise<number> {
  const { env } = process;
  const { settings } = await loadSettings(home, flags, env);
  const masterKey = env['PRISN_MASTER_KEY'];
  delete env['PRISN_MASTER_KEY'];
  const { log, flush } = openLog(settings.log_level);
  const life = new Life(log);
  const { startDaemon } = await import('../daemon/daemon.ts');
  const options = { home, version: versionText(), install: programPath(), mode, flags: wordsOf(flags), env, masterKey, log };
  try {
    const daemon = await startDaemon(settings, options);
    arrive();
    life.begin(daemon);
    const end = await daemon.stopped;
    return end === 'failed' ? exitCodes.failure : life.exitCode;
  } finally {
    await flush(flushMs);
  }
}

class Life {
  readonly #log: ReturnType<typeof openLog>['log'];
  #daemon: Daemon | undefined;
  /** Why it has to stop, once there is a reason. */
  #reason: string | undefined;
  exitCode = 0;

  constructor(log: ReturnType<typeof openLog>['log']) {
    this.#log = log;
    for (const signal of signals) process.on(signal, () => this.#signaled(signal));
    process.on('uncaughtException', (error) => this.#failed(error));
  }

  begin(daemon: Daemon): void {
    this.#daemon = daemon;
    if (this.#reason !== undefined) void daemon.stop(this.#reason);
  }

  #signaled(signal: NodeJS.Signals): void {
    if (this.#reason !== undefined) process.exit(exitCodeOfSignal(constants.signals[signal]));
    this.#stop(signal);
  }

  #failed(error: Error): void {
    if (harmless.has(errnoOf(error) ?? '')) {
      this.#log.warn({ err: error }, `went on after: ${messageOf(error)}`);
      return;
    }
    this.#log.error({ err: error }, `stops, since prisn itself failed: ${messageOf(error)}`);
    this.exitCode = exitCodes.failed;
    if (this.#reason === undefined) this.#stop('prisn itself failed');
  }

  #stop(reason: string): void {
    this.#reason = reason;
    void this.#daemon?.stop(reason);
  }
}
