import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Execution } from '../../src/model/execution.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { rounds } from '../full.ts';
import { needsPowerCut, PowerCut } from '../power-cut.ts';
import { inScratch } from './scratch.ts';

const writer = fileURLToPath(new URL('./writer.ts', import.meta.url));

/** Status by id, as it was acknowledged. */
type Acknowledged = Map<string, 'created' | 'Completed' | 'Failed'>;

/** Runs a writer, adds what it acknowledges, and kills it after some lines and at most a few milliseconds more. */
async function runAndKill(directory: string, sync: string, env: object, acknowledged: Acknowledged): Promise<void> {
  const child = spawn(process.execPath, [writer, directory, sync], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const lines = 1 + Math.floor(Math.random() * 400);
  let text = '';
  let seen = 0;
  let killed = false;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    seen += chunk.split('\n').length - 1;
    if (seen < lines || killed) return;
    killed = true;
    setTimeout(() => child.kill('SIGKILL'), Math.random() * 5);
  });
  await once(child, 'close');
  assert.equal(child.signalCode, 'SIGKILL', text.slice(-500));
  for (const line of text.split('\n').slice(0, -1)) {
    const [status, id] = line.split(' ');
    if (id) acknowledged.set(id, status as 'created' | 'Completed' | 'Failed');
  }
}

/** @returns what is wrong, in words */
async function compare(store: Store, acknowledged: Acknowledged): Promise<string[]> {
  const wrong = [...store.health().problems];
  const all: Execution[] = [];
  let total = 0;
  for (let cursor: string | undefined; ; ) {
    const page = await store.executions.list({}, { limit: 1000, ...(cursor !== undefined && { cursor }) });
    all.push(...page.items);
    total = page.total;
    if ((cursor = page.next) === undefined) break;
  }
  if (total !== all.length) wrong.push(`the total is ${total}, but there are ${all.length}`);
  const found = new Map(all.map((one) => [one.id, one]));
  for (const [id, status] of acknowledged) {
    const one = found.get(id);
    if (!one) wrong.push(`${id} is lost`);
    else if (status !== 'created' && one.status !== status)
      wrong.push(`${id} is ${one.status} and was acknowledged as ${status}`);
  }
  for (const status of ['Pending', 'Running', 'Completed', 'Failed'] as const)
    for (const deploymentId of [undefined, 'dep-0', 'dep-1', 'dep-2']) {
      const filter = { status, ...(deploymentId !== undefined && { deploymentId }) };
      const expected = all.filter((one) => one.status === status && (!deploymentId || one.deployment_id === deploymentId)).length;
      const { items, total: counted } = await store.executions.list(filter, { limit: 1000 });
      if (counted !== expected || items.length !== Math.min(expected, 1000))
        wrong.push(`${status} ${deploymentId}: counted ${counted}, listed ${items.length}, there are ${expected}`);
    }
  for (const { record } of await store.executions.unfinished())
    if (!(await store.executions.spec(record.id))) wrong.push(`${record.id} is unfinished and has nothing to run`);
  return wrong;
}

async function check(directory: string, acknowledged: Acknowledged): Promise<string[]> {
  const store = await openStore({ directory });
  try {
    return await compare(store, acknowledged);
  } finally {
    await store.close();
  }
}

test('after kill -9 at any moment, everything acknowledged is there, with the right totals', () =>
  inScratch(async (directory) => {
    const acknowledged: Acknowledged = new Map();
    for (let round = 0; round < rounds(5, 200); round++) {
      // The store grows from round to round; now and then it begins anew, so that the first moments are hit too.
      if (round % 20 === 19) {
        await rm(directory, { recursive: true });
        acknowledged.clear();
      }
      await runAndKill(directory, 'sync', {}, acknowledged);
      assert.deepEqual(await check(directory, acknowledged), [], `round ${round}`);
    }
  }));

describe('after a power cut, which takes what was not synced', needsPowerCut(), () => {
  test('everything acknowledged is there, with the right totals', () =>
    inScratch(async (scratch) => {
      const power = new PowerCut(scratch);
      const directory = join(scratch, 'data');
      const acknowledged: Acknowledged = new Map();
      for (let round = 0; round < rounds(5, 100); round++) {
        await runAndKill(directory, 'sync', power.env, acknowledged);
        power.cut(directory);
        assert.deepEqual(await check(directory, acknowledged), [], `round ${round}`);
        power.accept(directory);
      }
    }));

  test('a store that does not sync has lost what it acknowledged, and this test sees it', () =>
    inScratch(async (scratch) => {
      const power = new PowerCut(scratch);
      const directory = join(scratch, 'data');
      const acknowledged: Acknowledged = new Map();
      await runAndKill(directory, 'no-sync', power.env, acknowledged);
      power.cut(directory);
      const lost = (await check(directory, acknowledged)).filter((sentence) => sentence.endsWith('is lost'));
      assert.ok(lost.length > 0);
    }));
});
