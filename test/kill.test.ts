/** The server is killed at any moment, and what it had accepted still ends, once. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { ShownExecution } from '../src/api/contract/schemas.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { rounds } from './full.ts';
import { needsPowerCut, PowerCut } from './power-cut.ts';
import { until } from './processes.ts';
import { Scratch } from './scratch.ts';
import { Server } from './server.ts';

/** Programs of every kind that a kill can meet: not begun, short, long, with children that left their group. */
const programs = [
  { source: 'console.log(1 + 1)', runtime: 'javascript' },
  { source: 'for (let i = 0; i < 3e7; i++);', runtime: 'javascript' },
  { source: 'exit 0', runtime: 'bash' },
  { source: 'sleep 0.3; echo done', runtime: 'bash' },
  { source: 'print("done")', runtime: 'python3' },
  { source: 'import time; time.sleep(0.3); print("done")', runtime: 'python3' },
  {
    source: 'import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(60)\nelse: time.sleep(0.2)',
    runtime: 'python3',
  },
  { source: 'setsid sh -c "trap : TERM; sleep 30; sleep 30" & sleep 0.2', runtime: 'bash' },
];

/** Asks for executions until the server is gone. @param ids gets those that were accepted */
async function load(server: Server, mark: string, ids: string[]): Promise<void> {
  const client = async (first: number): Promise<void> => {
    for (let i = first; ; i++) {
      // What a warm interpreter forks shows the variables of that: those that act before a program does.
      const body = { ...programs[i % programs.length], env: { MARK: mark, LC_MARK: mark } };
      const reply = await server.request('POST', '/api/v1/executions', body).catch(() => undefined);
      if (reply === undefined) return;
      if (reply.status === 202) ids.push((reply.body as ShownExecution).id);
    }
  };
  await Promise.all([0, 1, 2, 3].map(client));
}

/** Pids of processes whose environment carries the mark. */
function marked(mark: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`MARK=${mark}`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function untilNoneIsLeft(mark: string): Promise<void> {
  for (const deadline = Date.now() + 20_000; marked(mark).length > 0; await pause(20))
    assert.ok(Date.now() < deadline, `left: ${marked(mark).join(' ')}`);
}

async function all(server: Server): Promise<{ items: ShownExecution[]; total: number }> {
  const items: ShownExecution[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await server.request('GET', `/api/v1/executions?limit=1000${cursor && `&cursor=${cursor}`}`);
    const page = body as { items: ShownExecution[]; total: number; next_cursor?: string };
    items.push(...page.items);
    if (page.next_cursor === undefined) return { items, total: page.total };
    cursor = page.next_cursor;
  }
}

async function untilAllHaveEnded(server: Server): Promise<void> {
  for (const status of ['Pending', 'Running'])
    for (const deadline = Date.now() + 120_000; ; await pause(50)) {
      const { body } = await server.request('GET', `/api/v1/executions?status=${status}&limit=1`);
      if ((body as { total: number }).total === 0) break;
      assert.ok(Date.now() < deadline, `still ${(body as { total: number }).total} ${status}`);
    }
}

/** Every accepted one is there, has ended, and did so in a way that a program or a kill accounts for. */
async function compare(server: Server, accepted: readonly string[]): Promise<void> {
  const { items, total } = await all(server);
  const byId = new Map(items.map((one) => [one.id, one]));
  assert.equal(byId.size, total, 'the total is right, and none is listed twice');
  const lost = accepted.filter((id) => !byId.has(id));
  assert.deepEqual(lost, [], 'none that was accepted is lost');
  const odd = items.filter(({ status, reason }) => status !== 'Completed' && !(status === 'Failed' && reason === 'interrupted'));
  assert.deepEqual(odd, []);
}

async function killRounds(context: TestContext, count: number, power?: PowerCut): Promise<void> {
  const home = new Scratch(context).root;
  const mark = `${process.pid}-${Math.random().toString(36).slice(2)}`;
  const accepted: string[] = [];
  for (let round = 0; round < count; round++) {
    const server = await Server.start(context, { home, ...(power && { env: power.env }) });
    const before = accepted.length;
    const loading = load(server, mark, accepted);
    await until('some are accepted', () => accepted.length > before + 4);
    await pause(Math.random() * rounds(300, 700));
    await server.kill();
    await loading;
    power?.cut(join(home, 'data'));
    await untilNoneIsLeft(mark);
    power?.accept(join(home, 'data'));
  }
  const server = await Server.start(context, { home });
  await untilAllHaveEnded(server);
  await compare(server, accepted);
  context.diagnostic(`${accepted.length} executions were accepted in ${count} rounds`);
  assert.equal(await server.stop(), 0);
  await untilNoneIsLeft(mark);
}

describe('a server that is killed', { skip: process.platform !== 'linux' && 'Linux only' }, () => {
  test('loses nothing that it accepted, and leaves no process', { timeout: 1_200_000 }, (context) =>
    killRounds(context, rounds(3, 50)),
  );

  test('loses nothing either when the power goes', { ...needsPowerCut(), timeout: 1_200_000 }, (context) =>
    killRounds(context, rounds(2, 30), new PowerCut(new Scratch(context).root)),
  );

  test('has lost what it accepted when nothing is synced, and these tests see it', needsPowerCut(), async (context) => {
    const home = new Scratch(context).root;
    const power = new PowerCut(new Scratch(context).root);
    const server = await Server.start(context, { home, env: power.env, flags: ['--sync', 'off'] });
    const accepted: string[] = [];
    const loading = load(server, 'unsynced', accepted);
    await until('some are accepted', () => accepted.length > 20);
    await server.kill();
    await loading;
    power.cut(join(home, 'data'));
    await untilNoneIsLeft('unsynced');
    // The rest of a store that was never synced may be beyond opening.
    rmSync(join(home, 'daemon.json'), { force: true });
    const found = await Server.start(context, { home }).then(all, () => ({ items: [] }));
    const kept = new Set(found.items.map(({ id }) => id));
    assert.ok(accepted.some((id) => !kept.has(id)));
  });

  test('retries what it interrupted where the request allows it', async (context) => {
    const home = new Scratch(context).root;
    const first = await Server.start(context, { home });
    const { body } = await first.request('POST', '/api/v1/executions', {
      source: 'echo attempt; sleep 1; echo done',
      runtime: 'bash',
      retries: 1,
    });
    const { id } = body as ShownExecution;
    for (;;) {
      const { body: now } = await first.request('GET', `/api/v1/executions/${id}`);
      if ((now as ShownExecution).status === 'Running') break;
      await pause(10);
    }
    await first.kill();
    const second = await Server.start(context, { home });
    const { body: ended } = await second.request('GET', `/api/v1/executions/${id}?wait=30s`);
    const { status, attempt, stdout } = ended as ShownExecution & { attempt: number };
    assert.deepEqual({ status, attempt, stdout }, { status: 'Completed', attempt: 2, stdout: 'attempt\ndone\n' });
  });
});
