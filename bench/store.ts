/**
 * What does a store of many executions cost? Opening it, its memory, and a page of each kind of list, against a store with a
 * thousand. The store is filled without syncs, and measured in a process of its own, as memory is that of a process.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '../src/base/id.ts';
import type { Execution, ExecutionSpec } from '../src/model/execution.ts';
import { openStore, type Store } from '../src/store/store.ts';
import { siblingPath } from '../sandbox/sibling.ts';
import { quantile } from '../src/load/ranks.ts';
import { smoke } from './measure.ts';

const sizes = smoke ? [100, 1000] : [1000, 1_000_000];
const deployments = Array.from({ length: 20 }, () => newId('dep'));

const spec: ExecutionSpec = {
  program: { bundle: 'sha256-none', entrypoint: 'main.js' },
  args: [],
  env: {},
  secrets: [],
  timeout_ms: 3_600_000,
  retries: 0,
};

export interface StoreFigures {
  readonly openMs: number;
  readonly rssMb: number;
  /** ms, by list */
  readonly p50: Readonly<Record<string, number>>;
  readonly p99: Readonly<Record<string, number>>;
}

export async function store(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'prisn-bench-store-'));
  try {
    const figures: StoreFigures[] = [];
    for (const size of sizes) {
      const directory = join(folder, String(size));
      await fill(directory, size);
      const child = spawnSync(process.execPath, [siblingPath(import.meta.url, 'store-reader'), directory, deployments[0] ?? ''], {
        encoding: 'utf8',
      });
      if (child.status !== 0) throw new Error(child.stderr);
      figures.push(JSON.parse(child.stdout) as StoreFigures);
    }
    show(figures);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An execution that failed of each nine that did not, over a day of a week ago, in twenty deployments. */
async function fill(directory: string, size: number): Promise<void> {
  const opened = await openStore({ directory, sync: false });
  const start = Date.now() - 7 * 86_400_000;
  for (let done = 0; done < size; done += 500)
    await Promise.all(
      Array.from({ length: Math.min(500, size - done) }, (_, i) =>
        addOne(opened, start + Math.floor(((done + i) * 86_400_000) / size), done + i),
      ),
    );
  await opened.close();
}

async function addOne({ executions }: Store, atMs: number, i: number): Promise<void> {
  const execution: Execution = {
    id: newId('exec', atMs),
    namespace: 'default',
    name: 'noop',
    deployment_id: deployments[i % deployments.length] as string,
    deployment: `job-${i % deployments.length}`,
    status: 'Pending',
    created_at: new Date(atMs).toISOString(),
    attempt: 1,
    node_id: 'local',
    trigger: 'api',
  };
  const created = await executions.create(execution, spec);
  if (!created.created) throw new Error(`${execution.id} was there`);
  const running: Execution = { ...execution, status: 'Running' };
  const revision = await executions.update(running, created.revision);
  const status = i % 10 === 0 ? 'Failed' : 'Completed';
  await executions.end({ ...running, status, reason: 'exit', exit_code: status === 'Failed' ? 1 : 0 }, revision);
}

function show([small, large]: readonly StoreFigures[]): void {
  if (!small || !large) return;
  const row = (name: string, a: number, b: number): void =>
    console.log(
      `${name.padEnd(34)}${[a.toFixed(2), b.toFixed(2), (b / a).toFixed(2)].map((cell) => cell.padStart(12)).join('')}`,
    );
  console.log(`${''.padEnd(34)}${[...sizes.map(String), 'ratio'].map((head) => head.padStart(12)).join('')}`);
  row('open, ms', small.openMs, large.openMs);
  row('memory of the process, MB', small.rssMb, large.rssMb);
  for (const name of Object.keys(small.p50)) {
    row(`${name}, p50 ms`, small.p50[name] as number, large.p50[name] as number);
    row(`${name}, p99 ms`, small.p99[name] as number, large.p99[name] as number);
  }
}

/** The lists that a reader times. */
export async function timeLists(opened: Store, deploymentId: string): Promise<Pick<StoreFigures, 'p50' | 'p99'>> {
  const week = Date.now() - 8 * 86_400_000;
  const lists = {
    'all, 100 a page': () => opened.executions.list({}, { limit: 100 }),
    'of a deployment': () => opened.executions.list({ deploymentId }, { limit: 100 }),
    'failed ones': () => opened.executions.list({ status: 'Failed' }, { limit: 100 }),
    'since a time': () => opened.executions.list({ sinceMs: week + 86_400_000 + 3_600_000 }, { limit: 100 }),
  };
  const p50: Record<string, number> = {};
  const p99: Record<string, number> = {};
  for (const [name, list] of Object.entries(lists)) {
    const samples: number[] = [];
    for (let i = 0; i < (smoke ? 20 : 500); i++) {
      const startedAt = performance.now();
      await list();
      samples.push(performance.now() - startedAt);
    }
    p50[name] = quantile(samples, 0.5);
    p99[name] = quantile(samples, 0.99);
  }
  return { p50, p99 };
}
