/**
 * Takes away what is old, in small steps beside everything else: ended executions by age and number with their logs,
 * idempotency keys, work folders that nobody runs in, and bundles that nothing refers to.
 */
import { lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { errnoOf, messageOf } from '../base/error.ts';
import { isDeploymentId } from '../model/name.ts';
import { discardFolder } from './discard-folder.ts';
import type { BundleStore } from '../bundles/store.ts';
import type { Logs } from '../logs/logs.ts';
import type { Deployments } from '../store/deployments.ts';
import type { Executions } from '../store/executions.ts';
import type { Idempotency } from '../store/idempotency.ts';
import { attemptId } from './attempt.ts';
import type { Clock } from './clock.ts';
import type { Live } from './live.ts';
import type { Log } from './log.ts';

export interface RetentionParts {
  readonly executions: Pick<Executions, 'prune'>;
  readonly deployments: Pick<Deployments, 'list' | 'revisions' | 'byId'>;
  readonly idempotency: Pick<Idempotency, 'prune'>;
  readonly bundles: Pick<BundleStore, 'prune'>;
  readonly logs: Pick<Logs, 'delete'>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RetentionOptions {
  readonly retention: { readonly ageMs: number; readonly count: number };
  readonly workDir: string;
  readonly dataDir: string;
}

/** Executions and keys come by the thousand; the rest is looked through now and then. */
const everyMs = 60_000;
const filesEvery = 60;
const step = 200;

export class Retention {
  readonly #parts: RetentionParts;
  readonly #options: RetentionOptions;
  readonly #unfinished: () => Iterable<Live>;
  #callOff: (() => void) | undefined;
  #round: Promise<void> = Promise.resolve();
  #rounds = 0;
  #isStopped = false;

  /** @param unfinished all executions that have not ended: what they need stays */
  constructor(parts: RetentionParts, options: RetentionOptions, unfinished: () => Iterable<Live>) {
    this.#parts = parts;
    this.#options = options;
    this.#unfinished = unfinished;
  }

  start(): void {
    if (this.#isStopped) return;
    this.#callOff = this.#parts.clock.after(everyMs, () => {
      this.#round = this.#prune().then(() => this.start());
    });
  }

  /** Resolves when the step under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#callOff?.();
    await this.#round;
  }

  async #prune(): Promise<void> {
    const withFiles = this.#rounds++ % filesEvery === 0;
    try {
      await this.#pruneExecutions();
      await this.#pruneKeys();
      if (withFiles && !this.#isStopped) await this.#pruneFolders();
      if (withFiles && !this.#isStopped) await this.#pruneData();
      if (withFiles && !this.#isStopped) await this.#pruneBundles();
    } catch (error) {
      this.#parts.log.warn({}, `what is old could not be removed; it is tried again in ${everyMs / 1000} s: ${messageOf(error)}`);
    }
  }

  async #pruneExecutions(): Promise<void> {
    const { executions, logs, clock } = this.#parts;
    const { ageMs, count } = this.#options.retention;
    while (!this.#isStopped) {
      const gone = await executions.prune({ beforeMs: clock.now() - ageMs, keep: count, limit: step });
      if (gone.length === 0) return;
      for (const { id, attempt } of gone) for (let each = 1; each <= attempt; each++) await logs.delete(attemptId(id, each));
      await setImmediate();
    }
  }

  async #pruneKeys(): Promise<void> {
    while (!this.#isStopped && (await this.#parts.idempotency.prune(step, this.#parts.clock.now())) === step)
      await setImmediate();
  }

  async #pruneBundles(): Promise<void> {
    const { deployments, bundles } = this.#parts;
    const keep = new Set<string>();
    for (const { bundle } of this.#unfinished()) if (bundle !== undefined) keep.add(bundle);
    const { items } = await deployments.list({}, { limit: Infinity });
    for (const { id, bundle } of items) {
      keep.add(bundle);
      for (const revision of await deployments.revisions(id)) keep.add(revision.bundle);
    }
    await bundles.prune(keep);
  }

  /** Of a deployment the folder of its present revision stays; otherwise what is being run in, or will be. */
  async #pruneFolders(): Promise<void> {
    const { workDir } = this.#options;
    for (const owner of await namesIn(workDir)) {
      if (this.#isStopped) return;
      const present = (await this.#parts.deployments.byId(owner))?.record.revision;
      if (present === undefined) this.#removeUnless(join(workDir, owner), (live) => owner === (live.deployment ?? live.id));
      else await this.#pruneRevisions(owner, String(present));
    }
  }

  /** What a program that outlived the end of its deployment made anew. */
  async #pruneData(): Promise<void> {
    const { dataDir } = this.#options;
    for (const owner of await namesIn(dataDir)) {
      if (this.#isStopped) return;
      const folder = join(dataDir, owner);
      if (!isDeploymentId(owner) || !isFolder(folder) || (await this.#parts.deployments.byId(owner))) continue;
      this.#removeUnless(folder, (live) => live.deployment === owner);
    }
  }

  async #pruneRevisions(owner: string, present: string): Promise<void> {
    const folder = join(this.#options.workDir, owner);
    for (const name of await namesIn(folder)) {
      // A copy that is being made stands beside its folder, with an ending.
      const revision = name.replace(/\.partial$/, '');
      if (revision === present) continue;
      this.#removeUnless(join(folder, name), (live) => live.deployment === owner && String(live.record.revision) === revision);
    }
  }

  /** Out of the way in the same step as the look at who needs it; whoever comes later makes a new one. */
  #removeUnless(folder: string, isNeededBy: (live: Live) => boolean): void {
    for (const live of this.#unfinished()) if (isNeededBy(live)) return;
    discardFolder(folder, this.#parts.log);
  }
}

/** Of a folder itself: what a program put a link in the place of is not ours to look into. */
async function namesIn(folder: string): Promise<string[]> {
  if (!isFolder(folder)) return [];
  return readdir(folder).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  });
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
