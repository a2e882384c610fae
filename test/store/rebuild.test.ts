import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '../../src/base/id.ts';
import type { Execution } from '../../src/model/execution.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { inScratch } from './scratch.ts';

const spec = { program: { source: '1', runtime: 'js' }, args: [], env: {}, secrets: [], timeout_ms: 1000, retries: 0 };

async function live(store: Store, i: number): Promise<void> {
  const created_at = new Date().toISOString();
  const owner = { namespace: `ns-${i % 2}`, deployment_id: `dep-${i % 3}`, name: 'n', node_id: 'node', trigger: 'api' } as const;
  const one: Execution = { ...owner, id: newId('exec'), status: 'Pending', created_at, attempt: 1 };
  const created = await store.executions.create(one, spec);
  assert.ok(created.created);
  if (i % 4 === 0) return;
  const running: Execution = { ...one, status: 'Running' };
  const revision = await store.executions.update(running, created.revision);
  if (i % 4 !== 1) await store.executions.end({ ...running, status: i % 4 === 2 ? 'Failed' : 'Completed' }, revision);
}

describe('after writes were lost', () => {
  test('lists and totals fit what is left, in every scope and status', () =>
    inScratch(async (directory) => {
      const before = await openStore({ directory });
      for (let i = 0; i < 200; i++) await live(before, i);
      await before.close();
      const log = (await readdir(join(directory, 'level'))).find((name) => name.endsWith('.log')) ?? '';
      const path = join(directory, 'level', log);
      const content = await readFile(path);
      const middle = content.length >> 1;
      content[middle] = (content[middle] ?? 0) ^ 1;
      await writeFile(path, content);

      const store = await openStore({ directory });
      assert.equal(store.health().ok, false);
      const { items: all } = await store.executions.list({}, { limit: 1000 });
      assert.ok(all.length > 50 && all.length < 200, `${all.length} are left`);
      for (const status of [undefined, 'Pending', 'Running', 'Completed', 'Failed'] as const)
        for (const owner of [
          {},
          { namespace: 'ns-0' },
          { namespace: 'ns-1' },
          { deploymentId: 'dep-0' },
          { deploymentId: 'dep-2' },
        ]) {
          const filter = { ...owner, ...(status && { status }) };
          const expected = all.filter(
            (one) =>
              (!status || one.status === status) &&
              (!('namespace' in owner) || one.namespace === owner.namespace) &&
              (!('deploymentId' in owner) || one.deployment_id === owner.deploymentId),
          );
          const { items, total } = await store.executions.list(filter, { limit: 1000 });
          assert.equal(total, expected.length, JSON.stringify(filter));
          assert.deepEqual(items, expected);
        }
      const unfinished = (await store.executions.unfinished()).map(({ record }) => record.id);
      const expected = all.filter(({ status }) => status === 'Pending' || status === 'Running').map(({ id }) => id);
      assert.deepEqual(unfinished.toSorted(), expected.toSorted());
      await store.close();
    }));
});
