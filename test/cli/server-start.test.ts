import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Home } from '../home.ts';
import { environment } from '../prisn.ts';
import { carriersOf, needsProc, until } from '../processes.ts';
import { Scratch } from '../scratch.ts';

/** A server in the background that is on its way to its lock, and gets no further until it is let go; for ten seconds at most. */
async function startSlowly(t: TestContext) {
  const [home, scratch] = [new Home(t), new Scratch(t)];
  const flock = execFileSync('sh', ['-c', 'command -v flock'], { encoding: 'utf8' }).trim();
  const [asked, open] = [scratch.path('asked'), scratch.path('open')];
  scratch.script(
    'flock',
    `: > ${asked}\nfor _ in $(seq 200); do [ -e ${open} ] && exec ${flock} "$@"; kill -0 $PPID 2>/dev/null || exit 1; sleep 0.05; done\nexit 1`,
  );
  const env = { PATH: [scratch.root, environment()['PATH']].join(delimiter) };
  const started = home.prisn(['server', 'start'], { env });
  await until('it is under way', () => existsSync(asked));
  return { home, started, letGo: () => writeFileSync(open, '') };
}

test('a server that is still starting is shown as that, and ended at once by stop --now', needsProc, async (t) => {
  const { home, started } = await startSlowly(t);
  const status = await home.prisn(['server', 'status', '-o', 'json']);
  const { pid, ...shown } = JSON.parse(status.stdout) as Record<string, unknown>;
  assert.deepEqual([status.code, shown], [5, { running: true, status: 'starting' }]);

  const stopped = await home.prisn(['server', 'stop', '--now']);
  assert.deepEqual([stopped.code, stopped.stdout], [0, 'a server that was starting was stopped\n'], stopped.stderr);
  assert.ok(!carriersOf('PRISN_HOME', home.path).includes(Number(pid)));
  const start = await started;
  assert.equal(start.code, 1);
  assert.match(start.stderr, /the server could not be started/);
  assert.equal((await home.prisn(['server', 'status'])).code, 3);
});

test('stop waits for a server that is still starting, and it is gone then', needsProc, async (t) => {
  const { home, started, letGo } = await startSlowly(t);
  const stopping = home.prisn(['server', 'stop']);
  letGo();
  const stopped = await stopping;
  assert.equal(stopped.code, 0, stopped.stderr);
  await started;
  assert.deepEqual(carriersOf('PRISN_HOME', home.path), []);
  assert.equal((await home.prisn(['server', 'status'])).code, 3);
});
