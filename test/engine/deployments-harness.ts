/** Use cases over a real store, real bundles and a real keyring; what runs programs is played. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { PrisnError } from '../../src/base/error.ts';
import { packSource } from '../../src/bundles/source.ts';
import { BundleStore } from '../../src/bundles/store.ts';
import { DeploymentUseCases } from '../../src/engine/deployments.ts';
import type { ProgramFiles, ProgramText, Resolved, Workloads } from '../../src/engine/ports.ts';
import { SecretUseCases } from '../../src/engine/secrets.ts';
import type { Execution } from '../../src/model/execution.ts';
import { Keyring } from '../../src/secrets/keyring.ts';
import * as sealing from '../../src/secrets/seal.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { archiveOf, temporaryFolder } from '../bundles/harness.ts';

/** Resolves by the extension alone. */
export class PlayedWorkloads implements Workloads {
  readonly asked: (ProgramFiles | ProgramText)[] = [];

  async resolve(program: ProgramFiles | ProgramText): Promise<Resolved> {
    this.asked.push(program);
    const extension = 'entrypoint' in program ? program.entrypoint.replace(/^.*\./, '') : '';
    const byFile: Record<string, string> = { py: 'python3', js: 'javascript', sh: 'sh' };
    const runtime = program.runtime ?? byFile[extension];
    if (runtime === undefined) throw new PrisnError('cannot_run', 'cannot tell what runs it');
    if (runtime === 'cobol') throw new PrisnError('no_runtime', "no runtime is called 'cobol'");
    return { runtime, kind: runtime === 'javascript' ? 'isolate' : 'process', why: '' };
  }

  prepare(): never {
    throw new TypeError('nothing is run here');
  }

  prepareAhead(): void {}

  async endLeftover(): Promise<number> {
    return 0;
  }
}

export class PlayedExecutor {
  readonly forgotten: string[] = [];
  running = 0;
  newest: Execution | undefined;
  before: readonly Execution[] = [];
  /** Called when a deployment is forgotten. */
  onForget = async (_id: string): Promise<void> => {};

  async list(): Promise<{ items: Execution[]; total: number }> {
    const items = this.newest ? [this.newest, ...this.before] : [];
    return { items, total: items.length };
  }

  runningOf(): number {
    return this.running;
  }

  async forget(id: string): Promise<() => void> {
    await this.onForget(id);
    this.forgotten.push(id);
    return () => void this.forgotten.pop();
  }
}

export interface World {
  readonly root: string;
  readonly store: Store;
  readonly bundles: BundleStore;
  readonly keyring: Keyring;
  readonly workloads: PlayedWorkloads;
  readonly executor: PlayedExecutor;
  readonly secrets: SecretUseCases;
  readonly deployments: DeploymentUseCases;
  readonly workDir: string;
  readonly dataDir: string;
  /** Uploads a bundle of these files. @returns its id */
  upload(files: Readonly<Record<string, string>>): Promise<string>;
}

export async function openWorld(t: TestContext): Promise<World> {
  const root = temporaryFolder(t);
  const store = await openStore({ directory: join(root, 'store') });
  t.after(() => store.close());
  const bundles = await BundleStore.open(join(root, 'bundles'));
  const keyring = await Keyring.open(join(root, 'key'));
  const workloads = new PlayedWorkloads();
  const executor = new PlayedExecutor();
  const secrets = new SecretUseCases({ secrets: store.secrets, deployments: store.deployments, keyring, sealing });
  const [workDir, dataDir] = [join(root, 'work'), join(root, 'data')];
  for (const folder of [workDir, dataDir]) mkdirSync(folder);
  const deployments = new DeploymentUseCases({
    deployments: store.deployments,
    bundles,
    secrets,
    workloads,
    executor,
    workDir,
    dataDir,
    packSource: async (source, runtime) => {
      const entrypoint = runtime === 'javascript' ? 'main.js' : 'main.py';
      return { bundle: await packSource(bundles, source, entrypoint), entrypoint };
    },
  });
  const upload = async (files: Readonly<Record<string, string>>): Promise<string> => {
    const entries = Object.entries(files).map(([name, content]) => ({ name, content }));
    return (await bundles.put(archiveOf(entries))).id;
  };
  return { root, store, bundles, keyring, workloads, executor, secrets, deployments, workDir, dataDir, upload };
}

/** For `assert.rejects`: the code, and what the message must say. */
export function refused(code: string, ...says: readonly (string | RegExp)[]): (error: unknown) => true {
  return (error) => {
    if (!(error instanceof PrisnError) || error.code !== code) throw error;
    for (const part of says)
      if (typeof part === 'string' ? !error.message.includes(part) : !part.test(error.message))
        throw new Error(`expected ${String(part)} in: ${error.message}`);
    return true;
  };
}
