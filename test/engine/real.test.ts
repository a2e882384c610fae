/** The executor with what runs programs for real. */
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { IsolatePool } from '../../sandbox/isolate/pool.ts';
import { openStore } from '../../src/store/store.ts';
import { createWorkloads } from '../../src/workload.ts';
import { archiveOf } from '../bundles/harness.ts';
import { Scratch } from '../scratch.ts';
import { deploymentOf, engineIn, withEngine, type Setup } from './harness.ts';

const longMs = 60_000;

describe('with real programs', () => {
  const pool = new IsolatePool({ threads: 1, maxHostBytes: 2 ** 30 });
  after(() => pool.close());

  function real(scratch: Scratch): Setup {
    const workloads = createWorkloads({ pool, cacheDir: scratch.folder('cache'), env: process.env });
    const secretValues = async (): Promise<{ env: Record<string, string>; values: string[] }> => ({
      env: { TOKEN: 'very-hidden' },
      values: ['very-hidden'],
    });
    return { parts: { workloads, secretValues } };
  }

  test('JavaScript runs in an isolate and returns its result', async (t) => {
    const scratch = new Scratch(t);
    await withEngine(scratch, real(scratch), async ({ executor }) => {
      const source = 'console.log(process.env.PRISN_EXECUTION_ID); export default ({ n }) => ({ twice: 2 * n });';
      const program = { source, runtime: 'javascript' };
      const { id } = await executor.submit({ namespace: 'default', program, input: '{"n":21}', trigger: 'api' });
      const one = await executor.wait(id, longMs);
      assert.deepEqual([one.status, one.tier, one.result, one.stdout], ['Completed', 'isolate', { twice: 42 }, `${id}\n`]);
    });
  });

  test('a job in python3 runs in the folder of its revision, keeps its data, and hides its secrets', async (t) => {
    const scratch = new Scratch(t);
    await withEngine(scratch, real(scratch), async ({ executor, bundles }) => {
      const content = [
        'import os, sys',
        'import part',
        "counter = os.path.join(os.environ['PRISN_DATA'], 'count')",
        'count = int(open(counter).read()) if os.path.exists(counter) else 0',
        "open(counter, 'w').write(str(count + 1))",
        "print(part.name, count, os.getcwd(), os.environ['TOKEN'], sys.argv[1:], sys.stdin.read())",
        'sys.exit(count)',
      ].join('\n');
      const { id: bundle } = await bundles.put(
        archiveOf([
          { name: 'main.py', content },
          { name: 'part.py', content: "name = 'part'" },
        ]),
      );
      const deployment = deploymentOf({
        bundle,
        entrypoint: 'main.py',
        runtime: 'python3',
        secrets: [{ name: 'token', env: 'TOKEN' }],
      });
      const run = async (): Promise<ReturnType<typeof executor.wait>> => {
        const { id } = await executor.submit({ namespace: 'default', deployment, args: ['a b'], stdin: 'in', trigger: 'api' });
        return executor.wait(id, longMs);
      };
      const folder = scratch.path(`work/${deployment.id}/1`);
      const [first, second] = [await run(), await run()];
      assert.equal(first.stdout, `part 0 ${folder} *** ['a b'] in\n`);
      assert.deepEqual([first.status, second.status, second.reason, second.exit_code], ['Completed', 'Failed', 'exit', 1]);
      assert.equal(second.stdout, `part 1 ${folder} *** ['a b'] in\n`);
    });
  });

  test('what does not end is canceled, or interrupted by a server that stops', async (t) => {
    const scratch = new Scratch(t);
    await withEngine(scratch, real(scratch), async ({ executor }) => {
      const programs = [
        { source: 'echo here; sleep 1000', runtime: 'bash' },
        { source: "console.log('here'); setInterval(() => {}, 1000);", runtime: 'javascript' },
      ];
      const ids: string[] = [];
      for (const program of programs) ids.push((await executor.submit({ namespace: 'default', program, trigger: 'api' })).id);
      for (const id of ids) for await (const _ of await executor.logs(id, { follow: new AbortController().signal })) break;
      assert.equal((await executor.cancel(ids[0] ?? '')).reason, 'canceled');
      await executor.stop(0);
      const other = await executor.get(ids[1] ?? '');
      assert.deepEqual([other.reason, other.stdout], ['interrupted', 'here\n']);
    });
  });

  test('a server that follows one that was killed ends the processes of that one', async (t) => {
    const scratch = new Scratch(t);
    const setup = real(scratch);
    const before = await engineIn(scratch, setup);
    await before.executor.start();
    const program = { source: 'echo $$; exec sleep 1000', runtime: 'bash' };
    const { id } = await before.executor.submit({ namespace: 'default', program, trigger: 'api' });
    const follow = new AbortController().signal;
    for await (const _ of await before.executor.logs(id, { follow })) break;
    const root = (await before.store.executions.get(id))?.record.process;
    assert.ok(root, 'the record says which process it is');
    // What a killed server leaves: its store as it is now, and its processes.
    cpSync(scratch.path('store'), scratch.path('left'), { recursive: true });
    const store = await openStore({ directory: scratch.path('left') });
    await withEngine(scratch, { ...setup, store }, async ({ executor }) => {
      assert.throws(() => process.kill(root.pid, 0), 'it is gone');
      assert.equal((await executor.get(id)).reason, 'interrupted');
    });
    await before.executor.stop(0);
    await before.store.close();
  });
});
