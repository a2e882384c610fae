/** A fork server under attack: by its runs, by launchers, and at the moments in which a run could happen twice. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { needs, needsNamespaces } from '../../machine.ts';
import { childrenOf, isAlive, stateOf, until } from '../../processes.ts';
import { Folder, forkServer, kill, launcher, python, Server, skip } from './fork-server-harness.ts';

const fuzz = fileURLToPath(new URL('../../fixtures/python/fuzz.py', import.meta.url));
const isRoot = process.getuid?.() === 0;

/** Python that writes some bytes to whatever another process has open: pidfd_open(2), pidfd_getfd(2). */
const writesInto = (pid: string, bytes: string) => `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
handle = libc.syscall(434, ${pid}, 0)
taken = [fd for fd in (libc.syscall(438, handle, number, 0) for number in range(64)) if fd >= 0]
print(handle >= 0, len(taken), ctypes.get_errno(), flush=True)
for fd in taken:
    os.set_blocking(fd, False)
    try:
        os.write(fd, ${bytes})
    except OSError:
        pass
`;

const ended = (id: string): string =>
  JSON.stringify({ op: 'ended', id, code: 0, signal: null, cpu_ms: 0, max_rss_bytes: 0 }).replaceAll('null', 'None');

describe('a run that gets hold of what its monitor has', { skip: skip || (!isRoot && 'not root'), timeout: 60_000 }, () => {
  for (const pidNamespace of [false, true]) {
    const [where, options] = pidNamespace ? ['in a pid namespace', needsNamespaces()] : ['without a namespace', {}];
    const monitor = pidNamespace ? '1' : 'os.getppid()';

    it(`cannot tell the end of its neighbour ${where}`, options, async (t) => {
      const [folder, server] = [new Folder(t), new Server(t, { isQuiet: true })];
      server.send(folder.recorded('other', folder.file('waits.py', 'import time; time.sleep(600)')));
      const { pid } = await server.told('started', { id: 'other' });
      const line = `b'\\n' + __import__('json').dumps(${ended('other')}).encode() + b'\\n'`;
      server.send(folder.recorded('own', folder.file('forges.py', writesInto(monitor, line)), { pid_namespace: pidNamespace }));
      await server.told('ended', { id: 'own' });
      assert.match(folder.log('own.out')[0] ?? '', /^True [1-9]/, 'it took something');
      process.kill(Number(pid), 'SIGKILL');
      // Told in turn, so that what was forged would be there by now.
      assert.equal((await server.told('ended', { id: 'other' }))['signal'], 'SIGKILL');
    });

    it(`cannot tell its own end before that, nor that it never ran ${where}`, options, async (t) => {
      const [folder, server] = [new Folder(t), new Server(t, { isQuiet: true })];
      const payload = "b'exit 0 1 1 -'";
      const frames = `b'E' + len(${payload}).to_bytes(4, 'big') + ${payload} + b'N\\0\\0\\0\\1x'`;
      const code = `${writesInto(monitor, frames)}\nimport time; time.sleep(0.3); os._exit(5)`;
      server.send(folder.recorded('own', folder.file('forges.py', code), { pid_namespace: pidNamespace }));
      assert.equal((await server.told('ended', { id: 'own' }))['code'], 5);
      assert.match(folder.log('own.out')[0] ?? '', /^True [1-9]/, 'it took something');
      assert.ok(!server.messages.some(({ op }) => op === 'refused'));
    });
  }

  it('can end its server by nothing that it writes', async (t) => {
    const [folder, server] = [new Folder(t), new Server(t, { isQuiet: true })];
    server.send(folder.recorded('own', folder.file('writes.py', writesInto('os.getppid()', "b'nonsense' * 99"))));
    await server.told('ended', { id: 'own' });
    assert.equal((await server.run(t, folder.file('hello.py', 'print("hello")\n'))).stdout, 'hello\n');
  });
});

describe('a run of an ordinary user', {
  skip: skip || (!isRoot && 'not root') || (!existsSync('/usr/bin/python3') && 'no python3 for others'),
  timeout: 60_000,
}, () => {
  it('gets nothing of its monitor or its server, and keeps what is its own', async (t) => {
    const uid = 65534;
    const folder = new Folder(t);
    const server = new Server(t, { uid, interpreter: '/usr/bin/python3' });
    chmodSync(folder.root, 0o755);
    const code = [
      writesInto('os.getppid()', "b''"),
      writesInto("int(open(f'/proc/{os.getppid()}/stat').read().rpartition(') ')[2].split()[1])", "b''"),
      // Root's, where a process cannot be traced.
      'print(os.stat("/proc/self/fd").st_uid)',
    ];
    const run = folder.recorded('own', folder.file('takes.py', code.join('\n')));
    for (const name of ['own.out', 'own.err']) chmodSync(folder.path(name), 0o666);
    server.send(run);
    await server.told('ended', { id: 'own' });
    assert.deepEqual(folder.log('own.err'), []);
    const nothing = 'True 0 1'; // EPERM
    assert.deepEqual(folder.log('own.out'), [nothing, nothing, String(uid)]);
  });
});

/** A recorded run whose program waits before its beginning, for somebody to read `cgroups/cgroup.procs`. */
function held(folder: Folder, file: string) {
  execFileSync('mkfifo', [`${folder.folder('cgroups')}/cgroup.procs`]);
  return {
    run: folder.recorded('held', file, { cgroups: [folder.path('cgroups')] }),
    letGo: () => execFileSync('cat', [folder.path('cgroups/cgroup.procs')]),
  };
}

async function programOf(server: Server): Promise<{ monitor: number; program: number }> {
  const found = (): number[] => childrenOf(server.pid).flatMap(({ pid }) => [pid, ...childrenOf(pid).map((child) => child.pid)]);
  await until('its program', () => found().length === 2);
  const [monitor = 0, program = 0] = found();
  return { monitor, program };
}

describe('a program begins', { skip: skip || needs('mkfifo').skip, timeout: 60_000, concurrency: true }, () => {
  it('when it has been told, whatever its monitor does', async (t) => {
    const [folder, server] = [new Folder(t), new Server(t)];
    const { run, letGo } = held(folder, folder.file('tells.py', 'print("ran")\n'));
    server.send(run);
    const { monitor, program } = await programOf(server);
    process.kill(monitor, 'SIGSTOP');
    letGo();
    assert.equal((await server.told('started', { id: 'held' }))['pid'], monitor);
    await until('its end', () => stateOf(program) === 'Z');
    assert.deepEqual(folder.log('held.out'), ['ran']);
    process.kill(monitor, 'SIGCONT');
    assert.equal((await server.told('ended', { id: 'held' }))['code'], 0);
  });

  it('never where nobody can be told', async (t) => {
    const [folder, server] = [new Folder(t), new Server(t)];
    const { run, letGo } = held(folder, folder.file('tells.py', 'print("ran")\n'));
    server.send(run);
    const { program } = await programOf(server);
    server.process.stdout.destroy();
    letGo();
    await until('its end', () => !isAlive(program));
    await until('the end of the server, which has nobody to tell', () => !isAlive(server.pid));
    assert.deepEqual(folder.log('held.out'), []);
  });

  it('never where its launcher has given up meanwhile', async (t) => {
    const [folder, server] = [new Folder(t), new Server(t)];
    const file = folder.file('tells.py', 'print("ran", flush=True)\n');
    const ticket = server.ticket();
    const address = await server.address();
    process.kill(server.pid, 'SIGSTOP');
    const gives = await givesUp(t, address, ticket, file);
    process.kill(server.pid, 'SIGCONT');
    assert.match(String((await server.told('refused', { ticket }))['why']), /nobody waits/);
    assert.equal(await gives.output, 'gave up\n');
  });

  it('for no ticket that was not used, of which it tells', async (t) => {
    const server = new Server(t);
    await server.address();
    const ticket = server.ticket();
    assert.match(String((await server.told('refused', { ticket }))['why']), /did not come in time/);
  });
});

/** A launcher that sends a request, receives nothing any more, and leaves its connection open. */
async function givesUp(t: TestContext, address: string, ticket: string, file: string): Promise<{ output: Promise<string> }> {
  const code = `
import os, socket, sys
sys.path.insert(0, sys.argv.pop())
import launcher
address, ticket, file = sys.argv[1:]
connection = launcher.connect(address, launcher.request(ticket, file, [], os.environ), [0, 1, 2, os.open('.', 0)])
connection.shutdown(socket.SHUT_RD)
print('gave up', flush=True)
sys.stdin.read()`;
  const child: ChildProcess = spawn(python, ['-c', code, address, ticket, file, dirname(launcher)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => kill(child));
  const { stdout, stdin } = child;
  if (!stdout || !stdin) throw new Error('no pipes');
  const output = text(stdout);
  await once(stdout, 'data');
  return {
    get output() {
      stdin.end();
      return output;
    },
  };
}

it('what is no request and no line does nothing to a fork server, and leaves nothing', { skip, timeout: 120_000 }, (t) => {
  const file = new Folder(t).file('hello.py', 'print("hello")\n');
  const told = JSON.parse(execFileSync(python, [fuzz, python, forkServer, file, '7', '400'], { encoding: 'utf8' }));
  const { sound, ended, before, after, status, stderr } = told;
  assert.deepEqual([sound, ended, status], [134, 134, 0], stderr);
  assert.equal(after.descriptors, before.descriptors);
  assert.ok(after.children <= 2, String(after.children));
  assert.doesNotMatch(stderr, /Traceback/);
});
