/** Programs that have an isolate one after the other: what they know of each other (nothing), and when it is let go. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Cell, freshRooms, type Room, type Rooms } from '../../sandbox/isolate/cell.ts';
import { IsolatePool } from '../../sandbox/isolate/pool.ts';
import { loadPrelude, makeSnapshot, preludeOf } from '../../sandbox/isolate/prelude.ts';
import { Session } from '../../sandbox/isolate/session.ts';
import { Stock } from '../../sandbox/isolate/stock.ts';
import { foregroundHeapBytes } from '../../src/model/foreground-run.ts';
import type { IsolateTask } from '../../src/model/task.ts';
import { type Ended, moduleTask, record, scriptTask } from './recording.ts';

const megabyte = 2 ** 20;
const prelude = preludeOf(await makeSnapshot());

/** Has each room that is given back told. */
class Watched implements Rooms {
  readonly #rooms: Rooms;
  readonly #tell: (room: Room, inOrder: boolean) => void;

  constructor(rooms: Rooms, tell: (room: Room, inOrder: boolean) => void) {
    this.#rooms = rooms;
    this.#tell = tell;
  }

  take(heapBytes?: number): Room {
    return this.#rooms.take(heapBytes);
  }

  giveBack(room: Room, inOrder: boolean): void {
    this.#tell(room, inOrder);
    this.#rooms.giveBack(room, inOrder);
  }
}

async function runIn(rooms: Rooms, task: IsolateTask, blocking = false): Promise<Ended> {
  const text = { 1: '', 2: '' };
  const io = {
    write: (fd: 1 | 2, data: string | Uint8Array) => void (text[fd] += Buffer.from(data).toString()),
    readInput: (answer: (input: string | undefined) => void) => answer(undefined),
    colors: { stdout: false, stderr: false },
  };
  const outcome = await new Session(task, io, { rooms, blocking }).start();
  return { ...outcome, stdout: text[1], stderr: text[2] };
}

/** One isolate for all: whether it could serve on is told, and tests rely on it. */
class OneCell implements Rooms {
  readonly #cell = new Cell(prelude, 128 * megabyte);
  serves = true;

  take(): Room {
    return this.#cell.open();
  }

  giveBack(room: Room, inOrder: boolean): void {
    this.serves = inOrder && !room.isSpoiled;
    room.leave();
  }

  async run(code: string | IsolateTask): Promise<Ended> {
    assert.ok(this.serves, 'the isolate could not serve on');
    return runIn(this, typeof code === 'string' ? scriptTask(code) : code);
  }

  close(): void {
    this.#cell.close();
  }
}

/** An isolate of its own for each, in which the prelude's core runs as a script and its parts when they are needed. */
const fromScript = freshRooms(await loadPrelude(), 128 * megabyte);

const cells: OneCell[] = [];
after(() => cells.forEach((cell) => cell.close()));

function newCell(): OneCell {
  const cell = new OneCell();
  cells.push(cell);
  return cell;
}

/** What a program finds of its platform. */
const inventory = `
  const of = (value) => Reflect.ownKeys(value).map(String).join();
  console.log([globalThis, Object, Object.prototype, Array.prototype, Function.prototype, Promise.prototype, Error, RegExp, Symbol, Atomics,
    JSON, Math, console, process, process.env].map(of).join('\\n'));
  console.log(Error.stackTraceLimit, RegExp.$1 === '', process.exitCode, typeof Error.prepareStackTrace, [1, 2].map(String), 'x'.trim());
`;

/** V8 gives a context of a snapshot some of its globals later. */
function sorted(lists: string): string {
  return lists.replace(/.+/g, (list) => list.split(',').toSorted().join());
}

const spoiler = `
  globalThis.left = 1; var declared = 2; Object.prototype.left = 3; Object.left = 4; console.log = () => {}; process.env.LEFT = '5';
  Array.prototype.map = () => 'left'; String.prototype.trim = () => 'left'; Promise.prototype.then = Promise.prototype.then;
  Error.stackTraceLimit = 1; Error.prepareStackTrace = () => 'left'; /(le)ft/.test('left'); process.exitCode = 3;
  Symbol.left = 6; Atomics.left = 7; Math.max = 8; JSON.left = 9; console.left = 10; Reflect.ownKeys = () => ['left'];
  globalThis[Symbol.for('left')] = 11; delete globalThis.setTimeout; Object.freeze(Array.prototype); Symbol.for('left').description;
`;

describe('the next program in an isolate', () => {
  test('finds the platform as the first one did, whatever that one changed', async () => {
    const cell = newCell();
    const first = await cell.run(inventory);
    assert.equal((await cell.run(spoiler)).exitCode, 3);
    const next = await cell.run(inventory);
    assert.equal(first.stderr, '');
    assert.equal(sorted(first.stdout), sorted((await runIn(fromScript, scriptTask(inventory), true)).stdout));
    assert.equal(next.stdout, first.stdout);
    assert.equal(next.exitCode, 0);
  });

  test('has the same heap: one of prisn run has more than an execution', async () => {
    const used: Cell[] = [];
    const stock = new Stock(prelude);
    const watched = new Watched(stock, ({ cell }) => void used.push(cell));
    for (let run = 0; run < 20; run++) {
      const limits = run % 2 === 0 ? {} : { memoryBytes: foregroundHeapBytes };
      await runIn(watched, scriptTask('1', { limits }));
      assert.equal(used[run]?.heapBytes, run % 2 === 0 ? 128 * megabyte : foregroundHeapBytes);
    }
    assert.ok(new Set(used).size <= 8, 'of both kinds they serve on');
    stock.close();
  });

  test('finds a symbol of the registry without anything on it', async () => {
    const cell = newCell();
    await cell.run("const key = Symbol.for('shared'); globalThis[key] = Object.prototype[key] = Array[key] = 'left'");
    const { stdout } = await cell.run(
      "const key = Symbol.for('shared'); console.log(globalThis[key], ({})[key], Array[key], Object.keys(Object(key)).length)",
    );
    assert.equal(stdout, 'undefined undefined undefined 0\n');
  });

  test('hears nothing of a timer that its predecessor did not wait for', async () => {
    const cell = newCell();
    const first = await cell.run(
      "setTimeout(() => console.log('late'), 20).unref(); setInterval(() => console.log('later'), 5).unref()",
    );
    assert.equal(first.stdout, '');
    const { stdout } = await cell.run("setTimeout(() => console.log('own'), 60)");
    assert.equal(stdout, 'own\n');
  });

  test('hears nothing of microtasks and promises that were left', async () => {
    const cell = newCell();
    await cell.run(`
      new Promise(() => {}).then(() => console.log('never'));
      (async () => { await new Promise(() => {}); console.log('never'); })();
      new WeakRef({}); queueMicrotask(() => console.log('in time'));
    `);
    const { stdout } = await cell.run("for (let i = 0; i < 3e5; i++) ({ i }); Promise.resolve().then(() => console.log('own'))");
    assert.equal(stdout, 'own\n');
  });

  test('is not told of a rejection that its predecessor left, which ends that one', async () => {
    for (const code of [
      "Promise.reject(new Error('left'))",
      "setTimeout(() => { Promise.reject(new Error('left')) }, 1)",
      "queueMicrotask(() => Promise.reject(new Error('left')))",
    ]) {
      const seen: boolean[] = [];
      const stock = new Stock(prelude);
      const rooms = new Watched(stock, (_room, inOrder) => void seen.push(inOrder));
      const first = await runIn(rooms, scriptTask(code));
      assert.deepEqual([first.exitCode, seen.at(-1)], [1, false]);
      assert.match(first.stderr, /Error: left/);
      for (let run = 0; run < 4; run++) {
        const { exitCode, stderr } = await runIn(rooms, scriptTask("console.log('own')"));
        assert.deepEqual([exitCode, stderr], [0, '']);
      }
      stock.close();
    }
  });

  test('is not told of a rejection that was handled in the end, nor of one in an import', async () => {
    const cell = newCell();
    const first = await cell.run(
      "const p = Promise.reject(new Error('left')); p.catch(() => {}); Promise.reject(1).finally(() => {}).catch(() => {})",
    );
    assert.equal(first.exitCode, 0);
    assert.deepEqual((await cell.run('1')).stderr, '');
  });

  test('has its own modules, arguments and result', async () => {
    const cell = newCell();
    const module = 'let calls = 0; export default (input) => [++calls, input, globalThis.seen, (globalThis.seen = 1)]';
    for (const input of ['1', '2']) {
      const { result } = await cell.run(moduleTask(module, { input, returns: 'outcome' }));
      assert.equal(result, `[1,${input},null,1]`);
    }
  });

  test('shows errors, inspection and late globals as in an isolate of its own', async () => {
    const code = "console.log([new Map([[1, { a: 1n }]])], SuppressedError.name, typeof Temporal, new URL('a:b').href); null.x";
    const own = await runIn(fromScript, scriptTask(code), true);
    const cell = newCell();
    await cell.run("console.log(new Map(), new URL('http://h/'))");
    const { stdout, stderr } = await cell.run(code);
    assert.deepEqual([stdout, stderr], [own.stdout, own.stderr]);
    assert.match(stdout, /^\[ Map\(1\) \{ 1 => \{ a: 1n \} \} \] SuppressedError/);
    assert.match(stderr, /^\/program\.js:1\n/);
    assert.match(stderr, /\n {4}at Object\.<anonymous> \(\/program\.js:1:\d+\)\n\n/);
  });
});

describe('an isolate is let go', () => {
  for (const [what, code] of [
    ['a finalization registry', 'new FinalizationRegistry(() => {})'],
    ['one found by its prototype', 'new FinalizationRegistry.prototype.constructor(() => {})'],
    ['one of a subclass', 'new (class extends FinalizationRegistry {})(() => {})'],
    ['Atomics.waitAsync', 'Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)'],
    ['WebAssembly', 'new WebAssembly.Memory({ initial: 1 })'],
  ] as const)
    test(`after a program that used what may outlive it: ${what}`, async () => {
      const cell = newCell();
      await cell.run('FinalizationRegistry; Atomics.wait; new WeakRef({})');
      assert.equal((await cell.run(code)).exitCode, 0);
      assert.equal(cell.serves, false);
    });

  for (const [how, code] of [
    ['process.exit', 'process.exit(0)'],
    ['an error', 'throw new Error()'],
    ['an unhandled rejection', 'Promise.reject(1)'],
    ['code that does not compile', ')'],
  ] as const)
    test(`after a program that ended by ${how}`, async () => {
      const left: Room[] = [];
      const stock = new Stock(prelude);
      await runIn(new Watched(stock, (room, inOrder) => void (inOrder || left.push(room))), scriptTask(code));
      assert.equal(left[0]?.cell.isolate.isDisposed, true);
      stock.close();
    });

  test('after some two hundred programs, and not before', async () => {
    const rooms = new Map<Cell, number>();
    const stock = new Stock(prelude);
    const watched = new Watched(stock, ({ cell }) => void rooms.set(cell, (rooms.get(cell) ?? 0) + 1));
    for (let run = 0; run < 650; run++) assert.equal((await runIn(watched, scriptTask('1'))).reason, 'exit');
    assert.ok(rooms.size >= 4 && rooms.size <= 6, `${rooms.size} isolates`);
    assert.equal(Math.max(...rooms.values()), 200);
    stock.close();
  });

  test('after a program that left much memory in use', async () => {
    const used: Cell[] = [];
    const stock = new Stock(prelude);
    const watched = new Watched(stock, ({ cell }) => void used.push(cell));
    await runIn(watched, scriptTask('globalThis.kept = Array.from({ length: 4e6 }, (_, i) => ({ i }))'));
    await runIn(watched, scriptTask('globalThis.kept = new Uint8Array(60e6)'));
    assert.deepEqual([used.length, ...used.map(({ isolate }) => isolate.isDisposed)], [2, true, true]);
    stock.close();
  });

  test('before what its programs left takes memory from the next one', async () => {
    const stock = new Stock(prelude);
    for (let run = 0; run < 40; run++) await runIn(stock, scriptTask('globalThis.kept = new Uint8Array(3e6)'));
    for (let run = 0; run < 4; run++) {
      const { stderr } = await runIn(stock, scriptTask('for (let i = 0, all = []; i < 110; i++) all.push(new Uint8Array(1e6))'));
      assert.equal(stderr, '');
    }
    stock.close();
  });

  test('after a program with a limit of its own', async () => {
    const used: Cell[] = [];
    const stock = new Stock(prelude);
    await runIn(
      new Watched(stock, ({ cell }) => void used.push(cell)),
      scriptTask('1', { limits: { memoryBytes: 64 * megabyte } }),
    );
    assert.deepEqual([used[0]?.heapBytes, used[0]?.isolate.isDisposed], [64 * megabyte, true]);
    stock.close();
  });
});

describe('a pool', () => {
  test('runs the next programs well after ones that filled their memory, were stopped or never ended', async () => {
    const pool = new IsolatePool({ threads: 1, maxHostBytes: 900 * megabyte });
    try {
      const run = (code: string, timeoutMs = 20_000): Promise<Ended> =>
        record((sink) => pool.start(scriptTask(code, { limits: { timeoutMs } }), sink)).ended;
      for (const [code, reason] of [
        ['const all = []; for (;;) all.push(new Array(1e4).fill(1.5))', 'memory'],
        ['for (;;);', 'timeout'],
        ['setInterval(() => Promise.resolve().then(() => {}), 1)', 'timeout'],
      ] as const) {
        assert.equal((await run(code, reason === 'timeout' ? 300 : undefined)).reason, reason);
        const next = await Promise.all(Array.from({ length: 8 }, (_, i) => run(`console.log(${i}, typeof all)`)));
        assert.deepEqual(
          next.map(({ stdout }) => stdout),
          next.map((_, i) => `${i} undefined\n`),
        );
      }
      assert.deepEqual([pool.stats().hosts, pool.stats().restarts], [1, 0]);
    } finally {
      await pool.close();
    }
  });
});
