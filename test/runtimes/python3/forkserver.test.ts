/** The fork server of Python by its protocol: lines of the daemon, requests of launchers, and what either may do wrong. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { needs, needsNamespaces } from '../../machine.ts';
import { childrenOf, isAlive, readProc, stateOf, until } from '../../processes.ts';
import { Folder, kill, python, Server, skip } from './fork-server-harness.ts';

/** A program that has a child and an orphan in a session of its own, and tells their pids in a file. */
const withTree = (pids: string, then: string) => `
import os, signal, time

def wait():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)

child = os.fork()
if child == 0:
    wait()
middle = os.fork()
if middle == 0:
    os.setsid()
    orphan = os.fork()
    if orphan == 0:
        wait()
    with open(${JSON.stringify(`${pids}.orphan`)}, 'w') as file:
        file.write(str(orphan))
    os._exit(0)
os.waitpid(middle, 0)
orphan = open(${JSON.stringify(`${pids}.orphan`)}).read()
with open(${JSON.stringify(`${pids}.part`)}, 'w') as file:
    file.write(f'{os.getpid()} {child} {orphan}')
os.rename(${JSON.stringify(`${pids}.part`)}, ${JSON.stringify(pids)})
${then}
`;

describe('a fork server', { skip, timeout: 120_000 }, () => {
  it('runs a program with the descriptors of its launcher, and tells both how it ended', async (t) => {
    const [folder, server] = [new Folder(t), new Server(t)];
    const file = folder.file('fails.py', 'import sys, colorsys\nprint("out")\nprint("err", file=sys.stderr)\nsys.exit(3)\n');
    const { ticket, end } = await server.launch(t, file);
    assert.deepEqual(await end, { code: 3, stdout: 'out\n', stderr: 'err\n' });
    await server.told('launched', { ticket });
    const ended = await server.told('ended', { ticket });
    assert.deepEqual([ended['code'], ended['signal'], ended['imports']], [3, null, ['colorsys']]);
    assert.ok(Number(ended['max_rss_bytes']) > 1_000_000);
  });

  it('tells of every run what it imported that is not loaded yet', async (t) => {
    const [folder, server] = [new Folder(t), new Server(t)];
    const many = Array.from({ length: 400 }, (_, index) => `sys.modules["module_${index}"] = sys`).join('\n');
    folder.file('own.py', '');
    for (let run = 0; run < 12; run++) {
      const names = [['colorsys'], [], ['colorsys', 'own']][run % 3] ?? [];
      const file = folder.file('imports.py', names.map((name) => `import ${name}\n`).join(''));
      const { ticket } = await server.launch(t, file);
      assert.deepEqual((await server.told('ended', { ticket }))['imports'] ?? [], names);
    }
    const { ticket } = await server.launch(t, folder.file('many.py', `import sys\n${many}\n`));
    const told = (await server.told('ended', { ticket }))['imports'] as string[];
    assert.deepEqual(
      told,
      told.map((_, index) => `module_${index}`),
    );
    assert.ok(told.length > 100, 'as many as there is room for, and whole');
  });

  it('tells of a signal', async (t) => {
    const [folder, server] = [new Folder(t), new Server(t)];
    const { ticket, end } = await server.launch(t, folder.file('ends.py', 'import os\nos.kill(os.getpid(), 15)\n'));
    assert.equal((await end).code, 128 + 15);
    assert.equal((await server.told('ended', { ticket }))['signal'], 'SIGTERM');
  });

  for (const pidNamespace of [false, true]) {
    const where = pidNamespace ? 'in a pid namespace' : 'without a namespace';
    it(
      `records a run ${where}, with the environment, folder and input that it was given`,
      pidNamespace ? needsNamespaces() : {},
      async (t) => {
        const [folder, server] = [new Folder(t), new Server(t)];
        const file = folder.file(
          'shows.py',
          'import os, sys\nprint(sys.argv[1:], dict(os.environ), os.getcwd(), sys.stdin.read(), os.getpid() == 1)\n',
        );
        const run = {
          args: ['a', 'ü'],
          env: { LANG: 'C.UTF-8', K: 'v' },
          stdin: folder.file('in', 'text'),
          pid_namespace: pidNamespace,
        };
        server.send(folder.recorded('one', file, run));
        assert.equal((await server.told('ended', { id: 'one' }))['code'], 0);
        const environment = "{'LANG': 'C.UTF-8', 'K': 'v'}";
        assert.deepEqual(folder.log('one.out'), [`['a', 'ü'] ${environment} ${folder.root} text False`]);
        assert.deepEqual(folder.log('one.err'), []);
      },
    );

    it(`ends what a recorded program left behind ${where}`, pidNamespace ? needsNamespaces() : {}, async (t) => {
      const [folder, server] = [new Folder(t), new Server(t)];
      // Pids of a namespace are not ours, so the processes are found by what they run.
      server.send(
        folder.recorded('one', folder.file('leaves.py', withTree(folder.path('pids'), '')), { pid_namespace: pidNamespace }),
      );
      assert.equal((await server.told('ended', { id: 'one' }))['code'], 0);
      assert.deepEqual(alive(folder.path('leaves.py')), []);
    });

    it(`ends the tree of a recorded run with its monitor ${where}`, pidNamespace ? needsNamespaces() : {}, async (t) => {
      const [folder, server] = [new Folder(t), new Server(t)];
      server.send(
        folder.recorded('one', folder.file('stays.py', withTree(folder.path('pids'), 'wait()')), { pid_namespace: pidNamespace }),
      );
      const { pid } = await server.told('started', { id: 'one' });
      await folder.pids('pids');
      process.kill(Number(pid), 'SIGKILL');
      assert.equal((await server.told('ended', { id: 'one' }))['signal'], 'SIGKILL');
      await until('its processes are gone', () => alive(folder.path('stays.py')).length === 0);
    });
  }

  it('leaves alone what a program in the foreground leaves behind', async (t) => {
    const [folder, server] = [new Folder(t), new Server(t)];
    const end = await server.launch(t, folder.file('leaves.py', withTree(folder.path('pids'), 'os.close(1); os.close(2)')));
    const [, child = 0, orphan = 0] = await folder.pids('pids');
    assert.equal((await server.told('ended', { ticket: end.ticket }))['code'], 0);
    assert.deepEqual([isAlive(child), isAlive(orphan)], [true, true]);
    for (const pid of [child, orphan]) process.kill(pid, 'SIGKILL');
  });

  for (const [who, end] of [
    ['its launcher', async (_: Server, launched: ChildProcess) => kill(launched)],
    ['the daemon', async (server: Server) => server.process.stdin.end()],
    ['the server', async (server: Server) => kill(server.process)],
  ] as const) {
    it(`ends the whole tree of a program in the foreground with ${who}`, async (t) => {
      const [folder, server] = [new Folder(t), new Server(t)];
      const launched = await server.launch(t, folder.file('stays.py', withTree(folder.path('pids'), 'wait()')));
      const pids = await folder.pids('pids');
      assert.ok(pids.every(isAlive));
      await end(server, launched.launcher);
      await until('its processes are gone', () => !pids.some(isAlive));
      if (who === 'the daemon') await until('the server is gone', () => !isAlive(server.pid));
    });
  }

  it('tells the end of a run whose program killed its monitor, and lives', async (t) => {
    const [folder, server] = [new Folder(t), new Server(t)];
    const { ticket, end } = await server.launch(
      t,
      folder.file('kills.py', 'import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(600)\n'),
    );
    assert.equal((await end).code, 126);
    assert.deepEqual((await server.told('ended', { ticket }))['signal'], 'SIGKILL');
    assert.equal((await server.run(t, folder.file('after.py', 'print("lives")\n'))).stdout, 'lives\n');
  });

  it('stops a program at the key for it, which the kernel would not, and lets it go on', async (t) => {
    const [folder, server] = [new Folder(t), new Server(t)];
    const goOn = folder.path('go-on');
    const untilThere = `while not os.path.exists(${JSON.stringify(goOn)}): time.sleep(0.01)`;
    const { launcher: client, end } = await server.launch(
      t,
      folder.file(
        'waits.py',
        withTree(folder.path('pids'), `os.kill(child, 9); os.kill(int(orphan), 9)\n${untilThere}\nexit(3)`),
      ),
    );
    const [program = 0] = await folder.pids('pids');
    client.kill('SIGTSTP');
    await until('it is stopped', () => stateOf(program) === 'T');
    client.kill('SIGCONT');
    await until('it goes on', () => stateOf(program) !== 'T');
    folder.file('go-on', '');
    assert.equal((await end).code, 3);
  });

  it('gives a program nothing of the one before', async (t) => {
    const [folder, server] = [new Folder(t), new Server(t)];
    const code =
      'import os\nprint(os.environ.pop("K", None), os.getcwd(), os.umask(0o77))\nos.chdir("/")\nos.environ["LEFT"] = "x"\n';
    const file = folder.file('changes.py', `${code}print(sorted(os.listdir("/proc/self/fd")), os.nice(1))\n`);
    for (const id of ['one', 'two', 'three']) {
      server.send(folder.recorded(id, file, { env: { LANG: 'C.UTF-8', K: id } }));
      await server.told('ended', { id });
      assert.equal(folder.log(`${id}.out`)[0], `${id} ${folder.root} ${process.umask()}`);
      assert.equal(folder.log(`${id}.out`)[1], folder.log('one.out')[1]);
    }
  });

  it('keeps nothing of a hundred runs', async (t) => {
    const [folder, server] = [new Folder(t), new Server(t)];
    const file = folder.file('nothing.py', 'import json\n');
    const run = async (id: string) => {
      server.send(folder.recorded(id, file));
      await server.told('ended', { id });
    };
    const held = () => ({
      descriptors: readdirSync(`/proc/${server.pid}/fd`).length - childrenOf(server.pid).length,
      kilobytes: Number(/RssAnon:\s*(\d+)/.exec(readProc(server.pid, 'status'))?.[1]),
    });
    await Promise.all(Array.from({ length: 20 }, (_, index) => run(`first-${index}`)));
    const isQuiet = () => childrenOf(server.pid).length <= 2;
    await until('monitors wait that are kept', isQuiet);
    const before = held();
    for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 16 }, (_, index) => run(`${round}-${index}`)));
    await until('monitors wait that are kept', isQuiet);
    assert.equal(held().descriptors, before.descriptors);
    assert.ok(held().kilobytes - before.kilobytes < 512, `${before.kilobytes} kB grew to ${held().kilobytes}`);
  });
});

describe('what a fork server refuses', { skip, timeout: 120_000 }, () => {
  it('a ticket that it does not know, and one for the second time', async (t) => {
    const [folder, server] = [new Folder(t), new Server(t)];
    const file = folder.file('hello.py', 'print("hello")\n');
    const unknown = await (await server.launch(t, file, 'unknown')).end;
    assert.deepEqual(unknown, { code: 125, stdout: '', stderr: 'the ticket is not valid\n' });
    const ticket = server.ticket();
    assert.equal((await (await server.launch(t, file, ticket)).end).code, 0);
    assert.equal((await (await server.launch(t, file, ticket)).end).code, 125);
  });

  it('another user', {
    skip:
      (process.getuid?.() !== 0 && 'not root') ||
      (!existsSync('/usr/bin/python3') && 'no python3 for others') ||
      needs('setpriv').skip,
  }, async (t) => {
    const [folder, server] = [new Folder(t), new Server(t)];
    const code =
      'import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1].replace("@", "\\0")); print(s.recv(1))';
    const words = ['--reuid', '65534', '--clear-groups', '/usr/bin/python3', '-c', code, await server.address()];
    assert.equal(execFileSync('setpriv', words, { encoding: 'utf8' }), "b''\n");
    assert.equal((await server.run(t, folder.file('hello.py', 'print("hello")\n'))).stdout, 'hello\n');
  });

  for (const [what, bytes, answer] of [
    ['a request without an end', Buffer.from([0xff, 0xff, 0xff, 0xff]), 'the request is broken: it is too long'],
    ['a request of nothing', Buffer.from([0, 0, 0, 0]), 'the ticket is not valid'],
    ['noise', Buffer.from('\0\0\0\x10GET / HTTP/1.1\r\n\r\n'), 'the ticket is not valid'],
    ['half a request', Buffer.from([0, 0, 1, 0, 1, 2, 3]), 'the request is broken: it is cut off'],
  ] as const) {
    it(`${what}, and goes on`, async (t) => {
      const [folder, server] = [new Folder(t), new Server(t)];
      const socket = connect({ path: (await server.address()).replace('@', '\0') });
      if (what === 'half a request') socket.end(bytes);
      else socket.write(bytes);
      const answered = Buffer.from(await new Response(socket).arrayBuffer());
      assert.equal(answered.toString('utf8', 5), answer);
      assert.equal((await server.run(t, folder.file('hello.py', 'print("hello")\n'))).stdout, 'hello\n');
    });
  }

  it('a request that does not come', async (t) => {
    const server = new Server(t);
    const socket = connect({ path: (await server.address()).replace('@', '\0') });
    assert.match(await text(socket), /the request did not come in time/);
  });

  for (const [what, make, why] of [
    ['a folder', (folder: Folder) => folder.folder('program.py'), 'it is not a regular file'],
    ['what is not there', (folder: Folder) => folder.path('missing.py'), 'No such file'],
    ['compiled code', (folder: Folder) => folder.file('program.pyc', 'x'), 'it is compiled'],
    [
      'an archive',
      (folder: Folder) => {
        const zip = 'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "w").writestr("__main__.py", "")';
        execFileSync(python, ['-c', zip, folder.path('program.py')]);
        return folder.path('program.py');
      },
      'it is an archive',
    ],
  ] as const) {
    it(`${what}, which the interpreter itself is started for`, async (t) => {
      const [folder, server] = [new Folder(t), new Server(t)];
      const { ticket, end } = await server.launch(t, make(folder));
      assert.equal((await end).code, 125);
      assert.match(String((await server.told('refused', { ticket }))['why']), new RegExp(why));
    });
  }

  it('all programs, where the interpreter starts in a way that no fork can repeat', async (t) => {
    assert.match(String((await new Server(t, { env: { PYTHONPATH: 'lib' } }).told('unfit'))['why']), /PYTHONPATH/);
    const folder = new Folder(t);
    folder.file('sitecustomize.py', '');
    assert.match(String((await new Server(t, { env: { PYTHONPATH: folder.root } }).told('unfit'))['why']), /sitecustomize/);
  });
});

describe('preloading', { skip, timeout: 120_000 }, () => {
  /** An interpreter with installed packages of these names. */
  function installed(
    t: TestContext,
    modules: Readonly<Record<string, string>>,
  ): { folder: Folder; interpreter: string; packages: string } {
    const folder = new Folder(t);
    execFileSync(python, ['-m', 'venv', '--without-pip', folder.path('venv')]);
    const interpreter = folder.path('venv/bin/python3');
    const packages = execFileSync(interpreter, ['-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'], {
      encoding: 'utf8',
    }).trim();
    for (const [name, code] of Object.entries(modules))
      folder.file(`${packages.slice(folder.root.length + 1)}/${name}.py`, `${code}\n`);
    return { folder, interpreter, packages };
  }

  it('loads what leaves nothing behind, and says why it keeps out the rest', async (t) => {
    const outside = new Folder(t);
    const kept: Readonly<Record<string, [code: string, why: RegExp]>> = {
      has_a_thread: [
        'import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()',
        /starts a thread/,
      ],
      opens: ['import os; fd = os.open("/dev/null", 0)', /descriptors/],
      handles: ['import signal; signal.signal(signal.SIGTERM, print)', /signals/],
      hooks: ['import sys; sys.excepthook = print', /hooks/],
      finds: ['import sys; sys.meta_path.append(None)', /modules are found/],
      filters: ['import warnings; warnings.simplefilter("error")', /filters of warnings/],
      sets: ['import os; os.environ["X"] = "y"', /environment/],
      moves: ['import os; os.chdir("/tmp")', /working folder/],
      reads: ['import os; os.environ.get("DEBUG_IT")', /variable DEBUG_IT/],
      reads_what_begins_alike: ['import os; os.environ.get("LANGCHAIN_X")', /variable LANGCHAIN_X/],
      prints: ['print("hello")', /standard streams/],
      writes: ['import os; os.write(1, b"x")', /prints/],
      later: ['import atexit; atexit.register(print)', /at the end/],
      knows_time: ['import time; started = time.time()', /clock/],
      knows_where: ['import os; here = os.path.abspath(".")', /working folder/],
      draws: ['import os; secret = os.urandom(8)', /random/],
      spawns: ['import subprocess; subprocess.run(["true"])', /starts a process/],
      fails: ['raise ValueError("no")', /ValueError: no/],
      exits: ['import os; os._exit(0)', /ends the process/],
      grows: ['data = bytearray(100 << 20)', /more than 64 MB/],
      config: [`text = open(${JSON.stringify(outside.file('config'))}).read()`, /it reads .*config/],
      missing_dependency: ['import never_installed', /never_installed/],
    };
    const fine = {
      value: 'value = 1',
      asks_home: 'import os; os.environ.get("HOME"); os.environ.get("LC_ALL")',
      patient: 'import decimal, logging, multiprocessing.pool',
    };
    const { folder, interpreter } = installed(t, {
      ...fine,
      ...Object.fromEntries(Object.entries(kept).map(([name, [code]]) => [name, code])),
    });
    outside.file('own_module.py', '');
    const server = new Server(t, { interpreter, env: { PYTHONPATH: outside.root } });
    server.send({ op: 'preload', modules: ['json', 'value', 'asks_home', 'patient', 'own_module', ...Object.keys(kept)] });
    const told = await server.told('preloaded');
    assert.deepEqual(told['modules'], ['json', 'value', 'asks_home', 'patient']);
    const reasons = Object.entries(told['kept_out'] ?? {});
    for (const [name, why] of reasons) assert.match(String(why), kept[name]?.[1] ?? /own_module/, name);
    assert.equal(reasons.length, Object.keys(kept).length + 1);
    const file = folder.file(
      'uses.py',
      'import sys\nprint([name in sys.modules for name in ("json", "value", "fails", "has_a_thread")])\n',
    );
    assert.equal((await server.run(t, file)).stdout, '[True, True, False, False]\n');
  });

  it('keeps out what is in a package that it keeps out, and does not import that again', async (t) => {
    const { folder, interpreter, packages } = installed(t, { 'noisy/part': '', 'noisy/other/part': '', value: '' });
    const [log, inside] = [folder.path('log'), packages.slice(folder.root.length + 1)];
    folder.file(`${inside}/noisy/__init__.py`, `open(${JSON.stringify(log)}, "a").write("x")\n`);
    const server = new Server(t, { interpreter });
    const modules = ['noisy', 'noisy.part', 'noisy.other.part', 'value'];
    server.send({ op: 'preload', modules });
    const told = await server.told('preloaded');
    assert.deepEqual([told['modules'], Object.keys(told['kept_out'] ?? {})], [['value'], modules.slice(0, 3)]);
    assert.equal(readFileSync(log, 'utf8'), 'x');
  });

  it('never stands in for a file of the user of the same name', async (t) => {
    const { folder, interpreter } = installed(t, { value: 'value = "installed"' });
    const preloaded = async (name: string) => {
      const server = new Server(t, { interpreter });
      server.send({ op: 'preload', modules: [name] });
      assert.deepEqual((await server.told('preloaded'))['modules'], [name]);
      return server;
    };
    folder.file('own/json.py', 'name = "mine"');
    const standard = await (await preloaded('json')).run(t, folder.file('own/main.py', 'import json\nprint(json.name)\n'));
    assert.equal(standard.stdout, 'mine\n');
    folder.file('other/value.py', 'value = "mine"');
    const own = folder.file('other/main.py', 'import value\nprint(value.value)\n');
    const refused = await (await preloaded('value')).run(t, own);
    assert.deepEqual([refused.code, refused.stdout], [125, ''], 'the interpreter itself has to run it');
  });

  it('ends when what it loaded is installed anew', async (t) => {
    const { folder, interpreter, packages } = installed(t, { value: 'value = 1' });
    const server = new Server(t, { interpreter });
    server.send({ op: 'preload', modules: ['value'] });
    await server.told('preloaded');
    mkdirSync(`${packages}/value-2.dist-info`);
    utimesSync(packages, new Date(), new Date());
    const end = await server.run(t, folder.file('main.py', 'print(1)\n'));
    assert.match(end.stderr, /packages have changed/);
    await until('the server is gone', () => !isAlive(server.pid));
  });
});

/** Processes that run a program. */
function alive(file: string): string[] {
  return readdirSync('/proc').filter(
    (pid) => /^\d+$/.test(pid) && isAlive(Number(pid)) && readProc(Number(pid), 'cmdline').includes(file),
  );
}
