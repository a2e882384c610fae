import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, rmSync, statSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Home } from '../home.ts';
import { prisn } from '../prisn.ts';
import { carriersOf, isAlive, needsProc, until } from '../processes.ts';
import { Scratch } from '../scratch.ts';

test('a server is started, shown and stopped', async (t) => {
  const home = new Home(t);
  const none = await home.prisn(['server', 'status', '-o', 'json']);
  assert.deepEqual([none.code, JSON.parse(none.stdout)], [3, { running: false }]);

  const started = await home.prisn(['server', 'start', '--concurrency', '3']);
  assert.equal(started.code, 0, started.stderr);
  const record = home.record();
  assert.ok(record);
  assert.match(started.stdout, new RegExp(`address +http://${record.address}\\nsocket +${record.socket}\\npid +${record.pid}`));
  assert.equal(statSync(record.socket).mode & 0o777, 0o600);
  assert.equal(statSync(home.path).mode & 0o077, 0);

  const status = await home.prisn(['server', 'status', '-o', 'json']);
  assert.equal(status.code, 0);
  const shown = JSON.parse(status.stdout) as Record<string, unknown>;
  assert.deepEqual([shown['running'], shown['status'], shown['pid'], shown['mode']], [true, 'ready', record.pid, 'background']);

  const again = await home.prisn(['server', 'start']);
  assert.equal(again.code, 0);
  assert.match(again.stdout, /runs already/);
  assert.equal((await home.prisn(['server', 'start', '--queue', '1'])).code, 6);

  const stopped = await home.prisn(['server', 'stop']);
  assert.deepEqual([stopped.code, stopped.stdout], [0, `prisn ${record.version} stopped\n`]);
  assert.ok(!isAlive(record.pid));
  assert.equal(home.record(), undefined);
  assert.ok(!existsSync(record.socket));
  assert.equal((await home.prisn(['server', 'status'])).code, 3);
});

test('many commands at once start one server', needsProc, async (t) => {
  const home = new Home(t);
  const results = await Promise.all(Array.from({ length: 6 }, () => home.prisn(['get', 'executions', '-o', 'json'])));
  for (const { code, stderr } of results) assert.equal(code, 0, stderr);
  assert.equal(home.log.match(/is ready/g)?.length, 1);
  await home.kill();
  await until('none takes its place', () => carriersOf('PRISN_HOME', home.path).length === 0);
});

test('after a crash the next server has the mode and the flags of server start, and after a stop it has not', async (t) => {
  const home = new Home(t);
  const modeAndFlags = async (): Promise<unknown[]> => {
    const { code, stderr } = await home.prisn(['get', 'executions']);
    assert.equal(code, 0, stderr);
    return [home.record()?.mode, home.record()?.flags];
  };
  assert.equal((await home.prisn(['server', 'start', '--concurrency', '3'])).code, 0);
  const { pid } = home.record() ?? {};
  await home.kill();
  assert.deepEqual(await modeAndFlags(), ['background', ['--concurrency', '3']]);
  assert.notEqual(home.record()?.pid, pid);
  assert.equal((await home.prisn(['server', 'stop'])).code, 0);
  assert.deepEqual(await modeAndFlags(), ['auto', []]);
});

test('PRISN_DAEMON=off keeps a command from starting one, and says what to do', async (t) => {
  const home = new Home(t);
  const { code, stderr } = await home.prisn(['get', 'executions'], { env: { PRISN_DAEMON: 'off' } });
  assert.equal(code, 5);
  assert.match(stderr, /no prisn server runs in .*PRISN_DAEMON=off.*prisn server start/);
  assert.equal(home.record(), undefined);
});

test('PRISN_SERVER may lack a scheme, and nothing is started for it', async (t) => {
  const home = new Home(t);
  const { code } = await home.prisn(['server', 'start']);
  assert.equal(code, 0);
  const elsewhere = new Home(t);
  const record = home.record();
  for (const server of [`${record?.address}`, `http://${record?.address}/`, `unix:${record?.socket}`]) {
    const { code, stderr } = await elsewhere.prisn(['get', 'executions'], { env: { PRISN_SERVER: server } });
    assert.equal(code, 0, stderr);
  }
  const nobody = await elsewhere.prisn(['get', 'executions', '--server', '127.0.0.1:1']);
  assert.equal(nobody.code, 5);
  assert.match(nobody.stderr, /no prisn server answers at http:\/\/127\.0\.0\.1:1: nothing listens there/);
  assert.equal(elsewhere.record(), undefined);
});

test('a port that is taken stops an explicit start and names the holder; one that was started by itself goes on by its socket', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
  const home = new Home(t);
  const env = { PRISN_ADDR: address };

  const refused = await home.prisn(['server', 'start'], { env });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, new RegExp(`${address} is taken by process ${process.pid} \\(.+\\); end it, or choose another`));
  assert.equal(home.record(), undefined);

  const asked = await home.prisn(['get', 'executions'], { env });
  assert.equal(asked.code, 0, asked.stderr);
  assert.equal(home.record()?.address, null);
  assert.match(
    (await home.prisn(['server', 'status'])).stdout,
    new RegExp(`note +${address} is taken by process ${process.pid}`),
  );
  assert.match(home.log, /HTTP is served on the socket alone/);
});

test('a port that another server has is said to be that', needsProc, async (t) => {
  const first = new Home(t);
  assert.equal((await first.prisn(['server', 'start'])).code, 0);
  const { address, pid } = first.record() ?? {};
  const refused = await new Home(t).prisn(['server', 'start'], { env: { PRISN_ADDR: `${address}` } });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, new RegExp(`${address} is taken by a prisn server, process ${pid}; end it, or choose another`));
});

test('settings that cannot be are refused with the words of the server', async (t) => {
  const home = new Home(t);
  const refused = async (words: string[], message: RegExp): Promise<void> => {
    const { code, stderr } = await home.prisn(['server', 'start', ...words]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
  };
  await refused(['--addr', '0.0.0.0:7331'], /0\.0\.0\.0 can be reached from other machines, and there are no tokens yet/);
  await refused(['--addr', '7331'], /addr: '7331' is not of the form host:port/);
  await refused(['--concurrency', '0'], /--concurrency: '0' is not a whole number/);
  await refused(
    ['--socket', `/tmp/${'x'.repeat(120)}`],
    /has 125 bytes, and the system takes \d+; name a shorter one with --socket/,
  );
});

test('an idle server of another installation is replaced by one of the same kind, a busy one is only told about', async (t) => {
  const home = new Home(t);
  assert.equal((await home.prisn(['server', 'start', '--concurrency', '3'])).code, 0);
  const { pid } = home.record() ?? {};
  const other = { command: [process.execPath, 'src/cli/prisn.ts'] as const };

  const { stdout: id } = await home.prisn(['run', '--detach', 'test/fixtures/daemon/sleeps.sh']);
  const busy = await home.prisn(['get', 'executions'], other);
  assert.equal(busy.code, 0);
  assert.match(busy.stderr, /the server is prisn .* it is busy/);
  assert.equal(home.record()?.pid, pid);

  await home.prisn(['cancel', id.trim()]);
  const idle = await home.prisn(['get', 'executions'], other);
  assert.equal(idle.code, 0, idle.stderr);
  assert.notEqual(home.record()?.pid, pid);
  assert.deepEqual([home.record()?.mode, home.record()?.flags], ['background', ['--concurrency', '3']]);
});

test('a server that was started by itself leaves when it is idle, and stays while something is deployed', async (t) => {
  const home = new Home(t);
  const options = { env: { PRISN_IDLE_EXIT: '300ms' } };
  const script = new Scratch(t).file('job.sh', 'true\n');
  assert.equal((await home.prisn(['deploy', script], options)).code, 0);
  const { pid = 0 } = home.record() ?? {};
  assert.equal((await home.prisn(['trigger', 'job', '--wait'], options)).code, 0);
  assert.equal(home.record()?.pid, pid);
  assert.equal((await home.prisn(['delete', 'job', '--yes'], options)).code, 0);
  await until('the server leaves', () => !isAlive(pid));
  assert.match(home.log, /"reason":"nothing to do"/);
});

test('a server that was started by itself leaves when its home is gone, since nobody finds it', async (t) => {
  const home = new Home(t);
  const options = { env: { PRISN_IDLE_EXIT: '500ms' } };
  assert.equal((await home.prisn(['deploy', new Scratch(t).file('job.sh', 'true\n')], options)).code, 0);
  const { pid = 0 } = home.record() ?? {};
  rmSync(home.path, { recursive: true });
  await until('the server leaves', () => !isAlive(pid));
});

test('the unit of systemd has absolute paths, the flags, what variables set, and time for the drain', async (t) => {
  const home = new Home(t);
  const { code, stdout } = await home.prisn(['server', 'install', '--print', '--drain', '90s', '--data-dir', 'a b%']);
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^ExecStart=\/\S+ -- \/\S+\/prisn\.cjs server --addr 127\.0\.0\.1:0 --data-dir "\/.*\/a b%%" --drain 90s$/m,
  );
  assert.match(stdout, new RegExp(`^Environment=PRISN_HOME=${home.path}$`, 'm'));
  assert.match(stdout, /^KillMode=mixed\nTimeoutStopSec=110$/m);
  assert.match(stdout, /^WantedBy=default\.target$/m);
  assert.doesNotMatch(stdout, /^User=/m);
  const system = await home.prisn(['server', 'install', '--print', '--system']);
  assert.match(system.stdout, /^User=\w+$[^]*^WantedBy=multi-user\.target$/m);
});

test('without systemd no unit is written', { skip: existsSync('/run/systemd/system') && 'systemd runs here' }, async (t) => {
  const scratch = new Scratch(t);
  const env = { PRISN_HOME: scratch.path('home'), XDG_CONFIG_HOME: scratch.root };
  const { code, stderr } = await prisn(['server', 'install'], { env });
  assert.equal(code, 125);
  assert.match(stderr, /systemd does not run here/);
  assert.ok(!existsSync(join(scratch.root, 'systemd')));
});

test('a second stop waits as the first does, and what runs ends in its own time', needsProc, async (t) => {
  const home = new Home(t);
  const scratch = new Scratch(t);
  const started = scratch.path('started');
  const file = scratch.file('slow.sh', `touch ${started}; sleep 2; echo whole`);
  assert.equal((await home.prisn(['server', 'start'])).code, 0);
  const id = (await home.prisn(['run', '--detach', file])).stdout.trim();
  await until('it runs', () => existsSync(started));
  const first = home.prisn(['server', 'stop']);
  const record = home.record();
  await until('it stops', () => /stopping, once what runs/.test(home.log));
  assert.equal((await home.prisn(['server', 'stop'])).code, 0);
  assert.equal((await first).code, 0);
  assert.ok(record && !isAlive(record.pid));
  assert.equal((await home.prisn(['wait', id])).stdout, `${id} Completed\n`);
});

test('a server that hangs is said to, and is killed by stop --now', needsProc, async (t) => {
  const home = new Home(t);
  assert.equal((await home.prisn(['server', 'start'])).code, 0);
  const { pid } = home.record() ?? { pid: 0 };
  process.kill(pid, 'SIGSTOP');
  const status = await home.prisn(['server', 'status']);
  assert.equal(status.code, 5);
  assert.match(status.stdout, new RegExp(`process ${pid} does not answer; prisn server stop --now`));
  assert.equal((await home.prisn(['server', 'stop', '--now'])).code, 0);
  assert.ok(!isAlive(pid));
});

test('a command of the server that there is not is refused, with the nearest one', async (t) => {
  const home = new Home(t);
  for (const [words, meant] of [
    [['server', 'strat'], /'prisn server strat'; did you mean start/],
    [['server', 'foo'], /'prisn server foo'; there are start, stop/],
    [['status'], /did you mean prisn server status/],
    [['help', 'nope'], /there is no command 'nope'/],
  ] as const) {
    const { code, stderr } = await home.prisn(words);
    assert.equal(code, 2);
    assert.match(stderr, meant);
  }
  assert.equal(home.record(), undefined);
});
