/**
 * Lives the lives of executions in a store until it is killed, and says on stdout what was acknowledged: `created ID` and
 * `Completed ID` or `Failed ID`, a line each. What an earlier one left unfinished, it ends first.
 *
 * Arguments: directory, `sync` or `no-sync`.
 */
import { writeSync } from 'node:fs';
import { newId } from '../../src/base/id.ts';
import type { Execution } from '../../src/model/execution.ts';
import { openStore } from '../../src/store/store.ts';

const [directory = '', sync] = process.argv.slice(2);
const { executions } = await openStore({ directory, sync: sync !== 'no-sync' });
const say = (line: string): void => void writeSync(1, `${line}\n`);

async function end(one: Execution, revision: number, status: 'Completed' | 'Failed'): Promise<void> {
  await executions.end({ ...one, status, result: { text: 'x'.repeat(100) }, completed_at: new Date().toISOString() }, revision);
  say(`${status} ${one.id}`);
}

async function live(i: number): Promise<void> {
  for (let n = 0; ; n++) {
    const created_at = new Date().toISOString();
    const owner = { namespace: i % 2 ? 'default' : 'team', name: 'n', node_id: 'node', trigger: 'api' } as const;
    const one: Execution = {
      ...owner,
      id: newId('exec'),
      deployment_id: `dep-${i % 3}`,
      status: 'Pending',
      created_at,
      attempt: 1,
    };
    const created = await executions.create(one, {
      program: { source: 'print(1)'.repeat(20), runtime: 'python3' },
      args: [],
      env: {},
      secrets: [],
      timeout_ms: 1000,
      retries: 0,
    });
    say(`created ${one.id}`);
    if (!created.created || n % 4 === 3) continue;
    const running: Execution = { ...one, status: 'Running' };
    const revision = await executions.update(running, created.revision);
    if (n % 4 !== 2) await end(running, revision, n % 4 === 0 ? 'Completed' : 'Failed');
  }
}

for (const { record, revision } of await executions.unfinished()) await end(record, revision, 'Failed');
await Promise.all(Array.from({ length: 16 }, (_, i) => live(i)));
