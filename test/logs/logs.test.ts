import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { followerBytes } from '../../src/logs/follower.ts';
import { Logs } from '../../src/logs/logs.ts';
import { asText, type LogChunk, textOf } from '../../src/model/output-text.ts';
import { type LogLimits, logLimits, type LogWriter } from '../../src/logs/writer.ts';

const bytes = (text: string): Buffer => Buffer.from(text);
const id = 'exec-01kb3v9m3q8j0r6s1t2v3w4x5y';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'prisn-logs-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Started {
  readonly folder: string;
  readonly logs: Logs;
  readonly log: LogWriter;
}

/** Opens a log in a folder of its own. */
function start(t: TestContext, limits: Partial<LogLimits> = {}): Started {
  const folder = mkdtempSync(join(tmpdir(), 'prisn-logs-'));
  const logs = new Logs(folder, { ...logLimits, ...limits });
  const log = logs.open(id);
  t.after(async () => {
    await log.end();
    rmSync(folder, { recursive: true, force: true });
  });
  return { folder, logs, log };
}

/** What is read, as `stdout:text` and `stderr:text` in order, with the number of missing bytes before it. */
async function shown(chunks: AsyncIterable<LogChunk>): Promise<string[]> {
  const list: string[] = [];
  for await (const { stream, bytes: own, missed } of chunks) {
    if (missed > 0) list.push(`${stream} misses ${missed}`);
    list.push(`${stream}:${Buffer.from(own).toString()}`);
  }
  return list;
}

/** Ends a log and stores nothing: what is read then comes from files, or from what `end` handed back. */
async function endOf({ logs, log }: Pick<Started, 'logs' | 'log'>): Promise<Awaited<ReturnType<LogWriter['end']>>> {
  const end = await log.end();
  await logs.release(id);
  return end;
}

describe('a small log', () => {
  test('goes to files at the end where no record takes it', async (t) => {
    const { folder, logs, log } = start(t);
    log.append('stdout', bytes('one\n'));
    assert.deepEqual(await log.end({ files: true }), { truncated: false });
    await logs.release(id);
    assert.deepEqual(readdirSync(folder), [id]);
    assert.deepEqual(await new Logs(folder).text(id), { stdout: 'one\n', stderr: '' });
  });

  test('is handed back at the end, leaves no file, and is read from there', async (t) => {
    const { folder, logs, log } = start(t);
    log.append('stdout', bytes('one\n'));
    log.append('stderr', bytes('two\n'));
    log.append('stdout', Buffer.from([0, 255, 10]));
    const live = await shown(logs.read(id));
    assert.deepEqual(live, ['stdout:one\n', 'stderr:two\n', 'stdout:\0\uFFFD\n']);
    const end = await endOf({ logs, log });
    assert.equal(end.truncated, false);
    assert.deepEqual(await shown(logs.read(id, { inline: end.inline })), live);
    assert.deepEqual(readdirSync(folder), []);
    assert.deepEqual(await shown(logs.read(id)), []);
  });

  test('copies what it is given, since the chunk is only lent', async (t) => {
    const { logs, log } = start(t);
    const lent = bytes('text');
    log.append('stdout', lent);
    lent.fill('x');
    assert.deepEqual(await shown(logs.read(id)), ['stdout:text']);
  });

  test('joins small chunks of a stream that come in the same millisecond, and no others', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: 1000 });
    const { logs, log } = start(t);
    for (let i = 0; i < 5000; i++) log.append('stdout', bytes('x'));
    log.append('stderr', bytes('!'));
    log.append('stdout', bytes('y'));
    t.mock.timers.setTime(1001);
    log.append('stdout', bytes('z'));
    const expected = [`stdout:${'x'.repeat(4096)}`, `stdout:${'x'.repeat(904)}`, 'stderr:!', 'stdout:y', 'stdout:z'];
    assert.deepEqual(await shown(logs.read(id)), expected);
    const { inline } = await endOf({ logs, log });
    assert.deepEqual(await shown(logs.read(id, { inline })), expected);
  });

  test('goes to a file when it is old, which goes once the record has it', async (t) => {
    const { folder, logs, log } = start(t, { memoryMs: 1 });
    log.append('stdout', bytes('early\n'));
    await written(folder, 'early\n');
    log.append('stderr', bytes('late\n'));
    await written(folder, 'late\n');
    const { inline } = await log.end();
    assert.ok(readdirSync(folder).includes(id));
    await logs.release(id);
    assert.deepEqual(readdirSync(folder), []);
    assert.deepEqual(await shown(logs.read(id, { inline })), ['stdout:early\n', 'stderr:late\n']);
  });

  test('is empty when nothing was said', async (t) => {
    const { logs, log } = start(t);
    const end = await endOf({ logs, log });
    assert.deepEqual(end, { inline: Buffer.alloc(0), truncated: false });
    assert.deepEqual(await shown(logs.read(id, { inline: end.inline })), []);
  });
});

/** Waits until some file of the log has the text. */
async function written(folder: string, text: string): Promise<void> {
  const has = (): boolean =>
    readdirSync(folder, { recursive: true, withFileTypes: true }).some(
      (entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(text),
    );
  while (!has()) await new Promise((resolve) => setImmediate(resolve));
}

describe('a large log', () => {
  test('lies in files, for its owner alone, byte for byte and in order, before and after it ended', async (t) => {
    const { folder, logs, log } = start(t);
    const said: string[] = [];
    for (let i = 0; i < 3000; i++) {
      const stream = i % 3 === 0 ? 'stderr' : 'stdout';
      said.push(`${stream}:${i} ${'x'.repeat(40)}\n`);
      log.append(stream, bytes(`${i} ${'x'.repeat(40)}\n`));
      // Chunks of one stream in the same millisecond become one.
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const whole = (list: string[]): string => list.join('').replaceAll(/std(out|err):/g, '');
    assert.equal(whole(await shown(logs.read(id))), whole(said));
    const end = await endOf({ logs, log });
    assert.deepEqual(end, { truncated: false });
    assert.equal(whole(await shown(logs.read(id))), whole(said));
    const { stdout, stderr } = await textOf(logs.read(id));
    assert.equal(stderr, whole(said.filter((line) => line.startsWith('stderr'))));
    assert.equal(stdout, whole(said.filter((line) => line.startsWith('stdout'))));
    assert.equal(statSync(join(folder, id)).mode & 0o777, 0o700);
    assert.equal(statSync(join(folder, id, 'stdout.0')).mode & 0o777, 0o600);
    await logs.delete(id);
    assert.deepEqual(readdirSync(folder), []);
  });

  test('keeps head and tail of each stream within its limit, on the disk too, and says where bytes are missing', async (t) => {
    const { folder, logs, log } = start(t, { streamBytes: 400_000, inlineBytes: 1000 });
    let most = 0;
    for (let i = 0; i < 30_000; i++) {
      log.append('stdout', bytes(`${String(i).padStart(9, '0')} ${'-'.repeat(89)}\n`));
      if (i === 15_000) log.append('stderr', bytes('a word in the middle\n'));
      if (i % 500 === 0) {
        await new Promise((resolve) => setImmediate(resolve));
        most = Math.max(most, sizeOf(folder));
      }
    }
    const end = await endOf({ logs, log });
    assert.deepEqual(end, { truncated: true });
    assert.ok(most < 450_000, `${most} bytes lay on the disk`);

    const { stdout, stderr } = await textOf(logs.read(id));
    assert.equal(stderr, 'a word in the middle\n');
    const [, head = '', missing, tail = ''] = /^(.*)\[prisn: (\d+) bytes of output left out\]\n(.*)$/s.exec(stdout) ?? [];
    const headBytes = head.trimEnd().length;
    assert.ok(headBytes > 199_000 && headBytes <= 200_000 && head.startsWith('000000000 '));
    assert.ok(tail.length >= 100_000 && tail.length <= 200_000 && tail.endsWith(`000029999 ${'-'.repeat(89)}\n`));
    assert.equal(200_000 + Number(missing) + tail.length, 3_000_000);
  });

  test('is not handed back when its limit is smaller than a small log', async (t) => {
    const { logs, log } = start(t, { streamBytes: 100 });
    for (let i = 0; i < 100; i++) log.append('stdout', bytes('0123456789'));
    assert.deepEqual(await endOf({ logs, log }), { truncated: true });
    const list = await shown(logs.read(id));
    assert.equal(list.join('').replaceAll(/stdout( misses \d+|:)/g, '').length, 100);
  });

  test('takes a chunk far above its limit', async (t) => {
    const { logs, log } = start(t, { streamBytes: 2 ** 20 });
    log.append('stdout', Buffer.alloc(50 * 2 ** 20, 'x'));
    log.append('stdout', bytes('the end'));
    assert.equal((await endOf({ logs, log })).truncated, true);
    const { stdout } = await textOf(logs.read(id));
    assert.ok(stdout.length < 2 ** 20 + 100 && stdout.endsWith('the end'));
  });

  test('holds no more than its limit in memory, though the disk has had no turn yet', (t) => {
    const script = `
      import { Logs } from ${JSON.stringify(new URL('../../src/logs/logs.ts', import.meta.url).href)};
      const log = new Logs(process.argv[1]).open('${id}');
      const chunk = Buffer.alloc(65536);
      for (let i = 0; i < 3200; i++) log.append('stdout', chunk);
      // The first leaves the sweeping to a thread; the second waits for it.
      gc();
      gc();
      console.log(process.memoryUsage().arrayBuffers);
      await log.end();`;
    const child = spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script, folderOf(t)], {
      encoding: 'utf8',
    });
    assert.ok(Number(child.stdout) < 20 * 2 ** 20, `${child.stdout} bytes are held of 200 MB; ${child.stderr}`);
    assert.notEqual(child.stdout, '');
  });

  test('survives kill -9: the files are read up to the last whole entry', async (t) => {
    const folder = folderOf(t);
    const script = `
      import { Logs } from ${JSON.stringify(new URL('../../src/logs/logs.ts', import.meta.url).href)};
      const log = new Logs(process.argv[1]).open('${id}');
      setInterval(() => {}, 60_000);
      for (let i = 0; i < 4000; i++) {
        log.append(i % 2 ? 'stderr' : 'stdout', Buffer.from('line ' + i + ' ' + 'x'.repeat(1000) + '\\n'));
        if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder], { stdio: 'inherit' });
    while (sizeOf(folder) < 500_000) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const { stdout, stderr } = await textOf(new Logs(folder).read(id));
    assert.ok(stdout.length + stderr.length > 450_000);
    for (const [text, first] of [
      [stdout, 0],
      [stderr, 1],
    ] as const)
      for (const [i, line] of text.split(/(?<=\n)/).entries()) assert.equal(line, `line ${2 * i + first} ${'x'.repeat(1000)}\n`);
  });

  test('is read up to the damage when a file was cut or overwritten', async (t) => {
    const { folder, logs, log } = start(t, { inlineBytes: 0 });
    for (const word of ['one', 'two', 'three']) {
      log.append('stdout', bytes(word));
      log.append('stderr', bytes('.'));
    }
    await endOf({ logs, log });
    const file = join(folder, id, 'stdout.0');
    const whole = readFileSync(file);
    const words = async (): Promise<string[]> => shown(logs.read(id, { stream: 'stdout' }));
    assert.equal((await words()).length, 3);
    truncateSync(file, whole.length - 1);
    assert.deepEqual(await words(), ['stdout:one', 'stdout:two']);
    appendFileSync(file, Buffer.alloc(4096));
    assert.deepEqual(await words(), ['stdout:one', 'stdout:two']);
    const flipped = Buffer.from(whole);
    flipped[35] = (flipped[35] ?? 0) ^ 1;
    writeFileSync(file, flipped);
    assert.deepEqual(await words(), ['stdout:one']);
    writeFileSync(file, '');
    assert.deepEqual(await words(), []);
  });

  test('lives on when the disk is full, heals when it is not, and tells what is missing', {
    skip: !canMountSmallDisk(),
  }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'prisn-logs-'));
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder]);
    t.after(() => {
      spawnSync('umount', [folder]);
      rmSync(folder, { recursive: true });
    });
    writeFileSync(join(folder, 'ballast'), Buffer.alloc(100_000));
    const logs = new Logs(folder, { ...logLimits, inlineBytes: 0 });
    const log = logs.open(id);
    log.append('stdout', bytes('before\n'));
    await shown(logs.read(id));
    log.append('stdout', Buffer.alloc(300_000, 'x'));
    await shown(logs.read(id));
    rmSync(join(folder, 'ballast'));
    log.append('stdout', bytes('after\n'));
    const end = await endOf({ logs, log });
    assert.equal(end.truncated, true);
    assert.match(end.error ?? '', /ENOSPC/);
    assert.deepEqual(await shown(logs.read(id)), ['stdout:before\n', 'stdout misses 300000', 'stdout:after\n']);
  });

  test('of an earlier run goes when the id is opened again', async (t) => {
    const folder = folderOf(t);
    const logs = new Logs(folder, { ...logLimits, inlineBytes: 0 });
    const first = logs.open(id);
    first.append('stdout', bytes('first'));
    await endOf({ logs, log: first });
    const second = logs.open(id);
    second.append('stdout', bytes('second'));
    assert.deepEqual(await shown(logs.read(id)), ['stdout:second']);
    await endOf({ logs, log: second });
    assert.deepEqual(await shown(logs.read(id)), ['stdout:second']);
  });

  test('never leaves its folder, whatever the id', async (t) => {
    const logs = new Logs(folderOf(t));
    for (const bad of ['..', '.', '', 'a/b', '../x', '.hidden']) {
      assert.throws(() => logs.open(bad), TypeError);
      await assert.rejects(logs.delete(bad), TypeError);
    }
  });
});

function sizeOf(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce(
    (sum, entry) => sum + (statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

function canMountSmallDisk(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'prisn-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status === 0;
  if (mounted) spawnSync('umount', [folder]);
  rmSync(folder, { recursive: true });
  return mounted;
}

describe('a reader', () => {
  function logWith(t: TestContext, said: readonly (readonly ['stdout' | 'stderr', string])[]): Logs {
    const { logs, log } = start(t);
    for (const [stream, text] of said) log.append(stream, bytes(text));
    return logs;
  }

  test('gets one stream only', async (t) => {
    const logs = logWith(t, [
      ['stdout', 'a\n'],
      ['stderr', 'b\n'],
      ['stdout', 'c\n'],
    ]);
    assert.deepEqual(await shown(logs.read(id, { stream: 'stderr' })), ['stderr:b\n']);
    assert.deepEqual(await shown(logs.read(id, { stream: 'stdout' })), ['stdout:a\n', 'stdout:c\n']);
  });

  test('gets the last lines of both streams as they came, or of one', async (t) => {
    const logs = logWith(t, [
      ['stdout', '1\n2\n'],
      ['stderr', 'e1\ne2\n'],
      ['stdout', '3\n4'],
      ['stderr', 'e3\n'],
      ['stdout', '5\n\n6'],
    ]);
    const tail = async (lines: number, stream?: 'stdout' | 'stderr'): Promise<string> =>
      (await shown(logs.read(id, { tail: lines, ...(stream && { stream }) }))).join('').replaceAll(/std(out|err):/g, '');
    assert.equal(await tail(0), '');
    assert.equal(await tail(1), '6');
    assert.equal(await tail(2), '\n6');
    assert.equal(await tail(3), '5\n\n6');
    assert.equal(await tail(5), '3\n4e3\n5\n\n6');
    assert.equal(await tail(100), '1\n2\ne1\ne2\n3\n4e3\n5\n\n6');
    assert.equal(await tail(2, 'stderr'), 'e2\ne3\n');
    assert.equal(await tail(3, 'stdout'), '45\n\n6');
  });

  test('gets what came since a time', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: 1000 });
    const { logs, log } = start(t);
    for (const [time, text] of [
      [1000, 'old'],
      [2000, 'then'],
      [3000, 'now'],
    ] as const) {
      t.mock.timers.setTime(time);
      log.append('stdout', bytes(text));
    }
    assert.deepEqual(await shown(logs.read(id, { since: 2000 })), ['stdout:then', 'stdout:now']);
    assert.deepEqual(await shown(logs.read(id, { since: 2000, tail: 0 })), []);
    const times: number[] = [];
    for await (const { time } of logs.read(id)) times.push(time);
    assert.deepEqual(times, [1000, 2000, 3000]);
  });

  test('gets valid text: characters across chunks whole, bad bytes as U+FFFD', async (t) => {
    const { logs, log } = start(t);
    const [one, two] = [bytes('é€').subarray(0, 3), bytes('é€').subarray(3)];
    for (const part of [one, two, Buffer.from([0xff, 0x41]), Buffer.from([0xe2, 0x82])]) {
      log.append('stdout', part);
      log.append('stderr', bytes('-'));
    }
    const { stdout, stderr } = await textOf(logs.read(id));
    assert.deepEqual([stdout, stderr], ['é€\uFFFDA\uFFFD', '----']);
    const pieces: string[] = [];
    for await (const { stream, text } of asText(logs.read(id))) pieces.push(`${stream}:${text}`);
    assert.deepEqual(pieces, [
      'stdout:é',
      'stderr:-',
      'stdout:€',
      'stderr:-',
      'stdout:\uFFFDA',
      'stderr:-',
      'stderr:-',
      'stdout:\uFFFD',
    ]);
  });
});

describe('a follower', () => {
  test('gets what was said, then what is said, in the turn in which it is said, and ends with the execution', async (t) => {
    const { logs, log } = start(t);
    log.append('stdout', bytes('history\n'));
    const reading = logs.read(id, { follow: new AbortController().signal });
    const next = async (): Promise<string | undefined> => {
      const { value } = await reading.next();
      return value && `${value.stream}:${Buffer.from(value.bytes).toString()}`;
    };
    assert.equal(await next(), 'stdout:history\n');
    for (const word of ['one', 'two']) {
      const waiting = next();
      log.append('stderr', bytes(word));
      // No timer fires before: nothing polls.
      const turn = new Promise((resolve) => setImmediate(() => resolve('a turn of the event loop')));
      assert.equal(await Promise.race([waiting, turn]), `stderr:${word}`);
    }
    const ended = next();
    log.append('stdout', bytes('last'));
    await log.end();
    assert.equal(await ended, 'stdout:last');
    assert.equal(await next(), undefined);
  });

  test('misses nothing and gets nothing twice while a large log goes on', async (t) => {
    const { logs, log } = start(t, { inlineBytes: 100 });
    let count = 0;
    const say = (): void => log.append(count % 2 ? 'stderr' : 'stdout', bytes(`<${count++}>`));
    const readers: Promise<string[]>[] = [];
    for (let i = 0; i < 2000; i++) {
      say();
      if (i % 250 === 0) readers.push(shown(logs.read(id, { follow: new AbortController().signal })));
      if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await endOf({ logs, log });
    for (const list of await Promise.all(readers)) {
      for (const [stream, first] of [
        ['stdout', 0],
        ['stderr', 1],
      ] as const) {
        const text = list
          .filter((each) => each.startsWith(stream))
          .map((each) => each.slice(7))
          .join('');
        assert.equal(text, Array.from({ length: 1000 }, (_, i) => `<${2 * i + first}>`).join(''));
      }
    }
  });

  test('that is slow loses the oldest, is told how much, and costs the writer bounded memory', async (t) => {
    const { logs, log } = start(t);
    const reading = logs.read(id, { follow: new AbortController().signal });
    log.append('stdout', bytes('first'));
    assert.equal((await reading.next()).value?.missed, 0);
    const total = 5 * followerBytes;
    for (let i = 0; i < total / 65_536; i++) log.append('stdout', Buffer.alloc(65_536, 'x'));
    await log.end();
    let [got, missed] = [0, 0];
    for await (const chunk of reading) [got, missed] = [got + chunk.bytes.length, missed + chunk.missed];
    assert.equal(got + missed, total);
    assert.ok(got <= followerBytes && missed > 0);
  });

  test('starts after the last lines that it asks for, and sees its stream only', async (t) => {
    const { logs, log } = start(t);
    log.append('stdout', bytes('1\n2\n3\n'));
    const reading = shown(logs.read(id, { tail: 1, stream: 'stdout', follow: new AbortController().signal }));
    await new Promise((resolve) => setImmediate(resolve));
    log.append('stderr', bytes('hidden'));
    log.append('stdout', bytes('4\n'));
    await log.end();
    assert.deepEqual(await reading, ['stdout:3\n', 'stdout:4\n']);
  });

  test('ends when its signal is aborted, while it waits too', async (t) => {
    const { logs, log } = start(t);
    const controller = new AbortController();
    const reading = shown(logs.read(id, { follow: controller.signal }));
    await new Promise((resolve) => setImmediate(resolve));
    log.append('stdout', bytes('seen'));
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    assert.deepEqual(await reading, ['stdout:seen']);
    assert.deepEqual(await shown(logs.read(id, { follow: AbortSignal.abort() })), ['stdout:seen']);
  });

  test('of a log that has ended gets all of it and ends', async (t) => {
    const { logs, log } = start(t);
    log.append('stdout', bytes('text'));
    const end = await log.end();
    const follow = new AbortController().signal;
    assert.deepEqual(await shown(logs.read(id, { follow })), ['stdout:text']);
    await logs.release(id);
    assert.deepEqual(await shown(logs.read(id, { follow, inline: end.inline })), ['stdout:text']);
  });
});
