/** The server's end of a foreground run, with a pool that does what the test says and clients that do what they like. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import type { IsolateRunning, IsolateSink } from '../../sandbox/isolate/pool.ts';
import { encodeFrame, type Frame, FrameReader } from '../../src/base/frames.ts';
import { ForegroundRuns, type ForegroundRunsOptions } from '../../src/engine/foreground-runs.ts';
import type { ForegroundPool } from '../../src/engine/served-run.ts';
import { type ForegroundRequest, nodeOf } from '../../src/model/foreground-run.ts';
import type { LaunchWay } from '../../src/model/launch.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { IsolateTask } from '../../src/model/task.ts';
import { Scratch } from '../scratch.ts';

/** A program that the test plays. */
class Started {
  readonly task: IsolateTask;
  readonly sink: IsolateSink;
  readonly domain: string;
  readonly exited = Promise.withResolvers<Outcome>();
  readonly stopped = Promise.withResolvers<void>();
  readonly inputs: (string | undefined)[] = [];
  taken = 0;

  constructor(task: IsolateTask, sink: IsolateSink, domain: string) {
    this.task = task;
    this.sink = sink;
    this.domain = domain;
  }
}

class Pool implements ForegroundPool {
  readonly #first = Promise.withResolvers<Started>();
  count = 0;

  get started(): Promise<Started> {
    return this.#first.promise;
  }

  start(task: IsolateTask, sink: IsolateSink, domain: string): IsolateRunning {
    this.count++;
    const started = new Started(task, sink, domain);
    this.#first.resolve(started);
    return {
      exited: started.exited.promise,
      stop: () => {
        started.stopped.resolve();
        started.exited.resolve(canceled);
      },
      taken: (bytes) => {
        started.taken += bytes;
      },
      input: (text) => started.inputs.push(text),
    };
  }
}

class Client {
  readonly socket: Socket;
  readonly #reader = new FrameReader();
  readonly #frames: Frame[] = [];
  readonly closed: Promise<unknown>;

  constructor(path: string, allowHalfOpen: boolean) {
    this.socket = connect({ path, allowHalfOpen });
    this.closed = once(this.socket, 'close');
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk: Buffer) => this.#frames.push(...this.#reader.read(chunk)));
  }

  send(...frames: Parameters<typeof encodeFrame>[]): void {
    for (const frame of frames) this.socket.write(encodeFrame(...frame));
  }

  /** Of the next frame. */
  async frame(): Promise<[type: string, payload: string]> {
    while (this.#frames.length === 0 && !this.socket.closed) await Promise.race([once(this.socket, 'data'), this.closed]);
    const { type, payload } = this.#frames.shift() ?? { type: 'closed', payload: '' };
    return [type, payload.toString()];
  }
}

const canceled: Outcome = { reason: 'canceled', exitCode: 125 };
const task: IsolateTask = {
  program: { entry: '/x.js', modules: { '/x.js': { format: 'script', code: '1', imports: {} } } },
  args: ['a'],
  env: { A: '1' },
  cwd: '/',
  limits: {},
};
const request: ForegroundRequest = {
  node: nodeOf(process),
  place: { timeZone: 'UTC', locale: 'C.UTF-8' },
  task,
};

async function serving(t: TestContext, options: Partial<ForegroundRunsOptions> = {}) {
  const pool = new Pool();
  const env = { TZ: 'UTC', LC_ALL: '', LANG: 'C.UTF-8' };
  const runs = new ForegroundRuns(pool, {
    env,
    launch: () => Promise.resolve({ kind: 'declined', why: 'nobody launches' }),
    ...options,
  });
  const path = new Scratch(t).path('socket');
  const server = createServer({ allowHalfOpen: true }, (socket) => runs.serve(socket, Buffer.alloc(0))).listen(path);
  await once(server, 'listening');
  const clients: Client[] = [];
  t.after(async () => {
    for (const { socket } of clients) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return {
    pool,
    runs,
    client: ({ allowHalfOpen = false } = {}) => {
      const client = new Client(path, allowHalfOpen);
      clients.push(client);
      return client;
    },
  };
}

test('a run gets its program, its output goes out in order, and its outcome comes last', async (t) => {
  const { pool, client: newClient } = await serving(t);
  const client = newClient();
  client.send(['R', JSON.stringify(request)]);
  const started = await pool.started;
  assert.deepEqual(started.task.program, task.program);
  assert.deepEqual(
    [started.task.args, started.task.env, started.task.paced, started.domain],
    [['a'], { A: '1' }, true, 'foreground'],
  );
  assert.ok((started.task.limits.memoryBytes ?? 0) >= 2 ** 32, 'the heap that node would have');
  started.sink.stdout(Buffer.from('out'));
  started.sink.stderr(Buffer.from('err'));
  started.sink.stdout(Buffer.from('again'));
  started.exited.resolve({ reason: 'exit', exitCode: 7 });
  assert.deepEqual(await client.frame(), ['1', 'out']);
  assert.deepEqual(await client.frame(), ['2', 'err']);
  assert.deepEqual(await client.frame(), ['1', 'again']);
  assert.deepEqual(await client.frame(), ['E', '{"reason":"exit","exitCode":7}']);
  await client.closed;
});

test('what the client took is told to the pool, and standard input is asked for and handed on', async (t) => {
  const { pool, client: newClient } = await serving(t);
  const client = newClient();
  client.send(['R', JSON.stringify(request)]);
  const started = await pool.started;
  started.sink.stdout(Buffer.alloc(1000));
  started.sink.inputWanted?.();
  assert.equal((await client.frame())[0], '1');
  assert.equal((await client.frame())[0], 'W');
  const [start, end] = [Buffer.from('"ü"').subarray(0, 2), Buffer.from('"ü"').subarray(2)];
  client.send(['A', Buffer.from([0, 0, 3, 232])], ['I', start], ['I', end], ['I']);
  client.send(['S', 'SIGTERM']);
  await started.stopped.promise;
  assert.deepEqual([started.taken, started.inputs], [1000, ['"ü"']]);
  assert.deepEqual(await client.frame(), ['E', '{"reason":"signal","signal":"SIGTERM","exitCode":143}']);
});

test('a client that is slow to read, and says that it took some after the end, reads all', async (t) => {
  const { pool, client: newClient } = await serving(t);
  const client = newClient();
  client.send(['R', JSON.stringify(request)]);
  const started = await pool.started;
  client.socket.pause();
  for (let chunk = 0; chunk < 10; chunk++) started.sink.stdout(Buffer.alloc(10_000));
  started.exited.resolve({ reason: 'exit', exitCode: 0 });
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  client.send(['A', Buffer.from([0, 0, 3, 232])]);
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  client.socket.resume();
  const frames: string[] = [];
  while (frames.at(-1) !== 'E' && frames.at(-1) !== 'closed') frames.push((await client.frame())[0]);
  assert.deepEqual(frames, [...Array.from({ length: 10 }, () => '1'), 'E']);
});

describe('of a launcher', () => {
  const launch = (way: LaunchWay) => ({ launch: () => Promise.resolve(way) });
  const isolate: LaunchWay = { kind: 'isolate', place: request.place, task };
  const asked = ['b', 'i', '/', '000', '0', 'x.js', '1:1', '0', '0', ''].join('\0');

  test('a program starts when the launcher says so, and its end is told in words', async (t) => {
    const { promise: decided, resolve: decide } = Promise.withResolvers<void>();
    const { pool, client: newClient } = await serving(t, {
      launch: () => {
        setImmediate(decide);
        return Promise.resolve(isolate);
      },
    });
    const client = newClient();
    client.send(['L', asked]);
    await decided;
    assert.equal(pool.count, 0);
    client.send(['G']);
    const started = await pool.started;
    started.sink.stdout(Buffer.from('out'));
    started.exited.resolve({ reason: 'timeout', exitCode: 124, message: 'too\nlong' });
    assert.deepEqual(await client.frame(), ['1', 'out']);
    assert.deepEqual(await client.frame(), ['2', 'prisn: too\\nlong\n']);
    assert.deepEqual(await client.frame(), ['E', 'exit 124']);
    await client.closed;
  });

  test('the end by SIGINT is told as such, so that it dies of it', async (t) => {
    const { pool, client: newClient } = await serving(t, launch(isolate));
    const client = newClient();
    client.send(['L', asked], ['G']);
    (await pool.started).exited.resolve({ reason: 'signal', signal: 'SIGINT', exitCode: 130 });
    assert.deepEqual(await client.frame(), ['E', 'signal 2']);
  });

  test('a program that a neighbour took down unseen is refused, for the Node client to run it', async (t) => {
    const { pool, client: newClient } = await serving(t, launch(isolate));
    const client = newClient();
    client.send(['L', asked], ['G']);
    (await pool.started).exited.resolve({ reason: 'crashed', exitCode: 125, message: 'its host died', blameless: true });
    assert.deepEqual(await client.frame(), ['N', 'its host died']);
  });

  test('a ticket is handed over, and the connection lasts as long as the launcher keeps it', async (t) => {
    const way: LaunchWay = { kind: 'fork', socket: '@s', ticket: 't', file: 'x.py', directory: '', env: { A: '1' } };
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { runs, client: newClient } = await serving(t, launch(way));
    const client = newClient();
    client.send(['L', asked], ['G']);
    assert.deepEqual(await client.frame(), ['T', '@s\0t\0x.py\0\u00001\0A=1\0']);
    t.mock.timers.tick(60_000);
    assert.equal(runs.count, 1);
    client.socket.end();
    while (runs.count > 0) await new Promise(setImmediate);
  });

  test('what is declined, what the server would do otherwise, and what has no place is refused with the reason', async (t) => {
    for (const [way, why] of [
      [{ kind: 'declined', why: 'it is not for us' }, 'it is not for us'],
      [{ ...isolate, place: { timeZone: 'Asia/Tokyo', locale: 'C.UTF-8' } }, 'the server has another time zone (UTC)'],
    ] as const) {
      const { pool, client: newClient } = await serving(t, launch(way));
      const client = newClient();
      client.send(['L', asked], ['G']);
      assert.deepEqual(await client.frame(), ['N', why]);
      assert.equal(pool.count, 0);
    }
  });

  test('nothing starts that left before it said so', async (t) => {
    const { pool, runs, client: newClient } = await serving(t, launch(isolate));
    const client = newClient();
    client.send(['L', asked]);
    client.socket.end();
    await client.closed;
    while (runs.count > 0) await new Promise(setImmediate);
    assert.equal(pool.count, 0);
  });

  test('words of another form, a second launch and silence cut it off', async (t) => {
    const { client: newClient } = await serving(t, { ...launch(isolate), silenceMs: 50 });
    for (const frames of [
      [['L', 'b\0i']],
      [['G']],
      [
        ['L', asked],
        ['L', asked],
      ],
      [['L', asked]],
    ] as const) {
      const client = newClient();
      for (const frame of frames) client.send([...frame]);
      assert.equal((await client.frame())[0], 'closed');
    }
  });
});

test('a client that goes away stops its program', async (t) => {
  for (const leave of ['destroy', 'end'] as const) {
    const { pool, client: newClient } = await serving(t);
    const client = newClient();
    client.send(['R', JSON.stringify(request)]);
    const started = await pool.started;
    started.sink.stdout(Buffer.from('x'));
    await client.frame();
    client.socket[leave]();
    await started.stopped.promise;
  }
});

test('a client that does not hang up does not keep its place', { timeout: 10_000 }, async (t) => {
  for (const [node, last] of [
    [request.node, 'E'],
    ['v1 /bin/node', 'N'],
  ] as const) {
    const { pool, runs, client: newClient } = await serving(t, { silenceMs: 500 });
    void pool.started.then(({ exited }) => exited.resolve({ reason: 'exit', exitCode: 0 }));
    const client = newClient({ allowHalfOpen: true });
    client.send(['R', JSON.stringify({ ...request, node })]);
    assert.equal((await client.frame())[0], last);
    while (runs.count > 0) await new Promise(setImmediate);
  }
});

describe('refused, for the client to run it itself, is', () => {
  const others: readonly (readonly [string, Partial<ForegroundRequest>, RegExp])[] = [
    ['another node', { node: 'v1 /bin/node' }, /on node/],
    ['another time zone', { place: { ...request.place, timeZone: 'Asia/Tokyo' } }, /time zone/],
    ['another language', { place: { ...request.place, locale: 'de_DE.UTF-8' } }, /language/],
    ['a limit on cores', { task: { ...task, limits: { cpu: 1 } } }, /cores/],
  ];
  for (const [title, other, why] of others) {
    test(title, async (t) => {
      const { pool, client: newClient } = await serving(t);
      const client = newClient();
      client.send(['R', JSON.stringify({ ...request, ...other })]);
      const [type, payload] = await client.frame();
      assert.equal(type, 'N');
      assert.match((JSON.parse(payload) as { why: string }).why, why);
      await client.closed;
      assert.equal(pool.count, 0);
    });
  }

  test('one more than the limit', async (t) => {
    const { pool, runs, client: newClient } = await serving(t, { limit: 1 });
    const first = newClient();
    first.send(['R', JSON.stringify(request)]);
    await pool.started;
    assert.equal(runs.count, 1);
    const second = newClient();
    second.send(['R', JSON.stringify(request)]);
    assert.equal((await second.frame())[0], 'N');
    first.socket.destroy();
    await (await pool.started).stopped.promise;
  });
});

test('limits beyond what the server can keep are refused', async (t) => {
  const { pool, client: newClient } = await serving(t);
  for (const limits of [{ timeoutMs: 2 ** 31 }, { memoryBytes: 1e300 }]) {
    const client = newClient();
    client.send(['R', JSON.stringify({ ...request, task: { ...task, limits } })]);
    assert.equal((await client.frame())[0], 'N');
  }
  assert.equal(pool.count, 0);
});

test('a signal that ends no process by default ends no program', async (t) => {
  const { pool, client: newClient } = await serving(t);
  const client = newClient();
  client.send(['R', JSON.stringify(request)], ['S', 'SIGCHLD'], ['S', 'SIGWINCH'], ['S', 'SIGTERM']);
  await (await pool.started).stopped.promise;
  assert.equal(JSON.parse((await client.frame())[1]).signal, 'SIGTERM');
});

describe('cut off is a client', () => {
  const head = (type: string, length: number): Buffer => Buffer.from([type.charCodeAt(0), ...u32(length)]);
  const starts: Readonly<Record<string, Uint8Array>> = {
    'that starts with another frame': encodeFrame('A', u32(1)),
    'whose run is no JSON': encodeFrame('R', '{'),
    'whose run has no task': encodeFrame('R', '{"node":"v26"}'),
    'whose task has a program of another form': encodeFrame('R', JSON.stringify({ ...request, task: { ...task, program: [] } })),
    'whose task has arguments that are no text': encodeFrame('R', JSON.stringify({ ...request, task: { ...task, args: [1] } })),
    'whose task is an HTTP request': encodeFrame('R', JSON.stringify({ ...request, task: { ...task, request: {} } })),
    'whose limit is no number': encodeFrame('R', JSON.stringify({ ...request, task: { ...task, limits: { timeoutMs: '1' } } })),
    'whose limit has a name that is none': encodeFrame(
      'R',
      JSON.stringify({ ...request, task: { ...task, limits: { disk: 1 } } }),
    ),
    'that announces 4 GB': head('R', 2 ** 32 - 1),
    'that speaks something else': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  };
  for (const [title, bytes] of Object.entries(starts)) {
    test(title, async (t) => {
      const { pool, client: newClient } = await serving(t);
      const client = newClient();
      client.socket.write(bytes);
      assert.equal((await client.frame())[0], 'closed');
      assert.equal(pool.count, 0);
    });
  }

  test('that says nothing', async (t) => {
    const { client: newClient } = await serving(t, { silenceMs: 10 });
    await newClient().closed;
  });

  const later: Readonly<Record<string, Parameters<typeof encodeFrame>>> = {
    'that asks for a second run': ['R', JSON.stringify(request)],
    'that takes what it did not get': ['A', u32(1)],
    'that says how much it took in another form': ['A', '1'],
    'that sends input which nobody asked for': ['I', 'x'],
    'that sends a signal of no name': ['S', 'SIGNOT'],
    'that sends a frame of the server': ['E', '{}'],
  };
  for (const [title, frame] of Object.entries(later)) {
    test(`${title}, with its program`, async (t) => {
      const { pool, client: newClient } = await serving(t);
      const client = newClient();
      client.send(['R', JSON.stringify(request)], frame);
      await (await pool.started).stopped.promise;
      assert.equal((await client.frame())[0], 'closed');
    });
  }
});

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
