import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { acquireLock } from '../../src/store/lock.ts';
import { LevelStore } from '../../src/store/level.ts';
import { code } from './contract.ts';
import { inScratch } from './scratch.ts';

/** A process that takes the lock, says so, and holds it until it is killed. */
async function holder(directory: string, flock: string): Promise<ChildProcess> {
  const program = `
    import { acquireLock } from ${JSON.stringify(new URL('../../src/store/lock.ts', import.meta.url).href)};
    await acquireLock(process.argv[1], '/run/first.sock', process.argv[2]);
    console.log('held');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, directory, flock], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const variants = [
  { name: 'with flock(1)', flock: 'flock' },
  { name: 'without flock(1)', flock: '/nonexistent/flock' },
];

for (const { name, flock } of variants) {
  describe(`the lock ${name}`, { skip: flock === 'flock' && !existsSync('/usr/bin/flock') && 'there is no flock here' }, () => {
    test('refuses a second daemon and names the first', () =>
      inScratch(async (directory) => {
        const first = await holder(directory, flock);
        await assert.rejects(acquireLock(directory, '/run/second.sock', flock), (error) => {
          assert.ok(code('conflict')(error));
          assert.match(String(error), new RegExp(`process ${first.pid} since \\d{4}-.*Z, socket /run/first.sock; stop it`));
          return true;
        });
        await kill(first);
      }));

    test('is free after its holder was killed', () =>
      inScratch(async (directory) => {
        await kill(await holder(directory, flock));
        // The lock's keeper notices by the end of its pipe, a moment after its daemon is gone.
        for (const deadline = Date.now() + 5000; ; ) {
          const lock = await acquireLock(directory, '/run/second.sock', flock).catch((error: unknown) => error);
          if (lock instanceof Error && Date.now() < deadline) continue;
          assert.ok(typeof lock === 'object' && lock !== null && 'release' in lock, String(lock));
          await (lock as Awaited<ReturnType<typeof acquireLock>>).release();
          break;
        }
        assert.deepEqual(readdirSync(directory), []);
      }));

    test('can be released and taken again', () =>
      inScratch(async (directory) => {
        for (let i = 0; i < 3; i++) {
          const lock = await acquireLock(directory, '/run/a.sock', flock);
          await assert.rejects(acquireLock(directory, '/run/b.sock', flock), code('conflict'));
          await lock.release();
          await lock.release();
        }
      }));
  });
}

describe('the lock with flock(1)', { skip: !existsSync('/usr/bin/flock') && 'there is no flock here' }, () => {
  test('holds after all files of the directory were deleted, and by another path', () =>
    inScratch(async (directory) => {
      const data = join(directory, 'data');
      const store = await LevelStore.open({ directory: data });
      const lock = await acquireLock(data, '/run/a.sock');
      await rm(join(data, 'level', 'LOCK'));
      await rm(join(data, 'holder.json'));
      await symlink(data, join(directory, 'link'));
      for (const path of [data, join(directory, 'link')])
        await assert.rejects(
          acquireLock(path, '/run/b.sock'),
          (error) => code('conflict')(error) && /another process/.test(String(error)),
        );
      await lock.release();
      await store.close();
    }));

  test('says so when its keeper was killed', () =>
    inScratch(async (directory) => {
      const lock = await acquireLock(directory, '/run/a.sock');
      const locks = readFileSync('/proc/locks', 'utf8');
      const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ').map(Number);
      const keeper = children.find((pid) => locks.includes(` ${pid} `));
      assert.ok(keeper);
      process.kill(keeper, 'SIGKILL');
      await lock.lost;
    }));
});

test("a stranger's process with the pid of a dead daemon does not hold the lock", () =>
  inScratch(async (directory) => {
    const dead = { pid: process.pid, start: '1', boot: 'another', since: '2026-01-01T00:00:00.000Z', socket: '/run/a.sock' };
    writeFileSync(join(directory, 'holder.json'), JSON.stringify(dead));
    const lock = await acquireLock(directory, '/run/b.sock', '/nonexistent/flock');
    await lock.release();
  }));
