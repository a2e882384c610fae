/**
 * Hostile scripts, twice each: alone, under `prisn run --timeout 0.5s --memory 128mb`, and in an isolate pool beside a
 * bystander. Each of `fixtures/hostile` ends as it should, soon after its limit, and leaves nothing behind. A bystander
 * goes on, or ends as `crashed` with their host, and the pool runs the next program either way.
 *
 * A script says in its first line what it attacks and in its second how that may end, one or more of
 *   timeout | memory | crashed | exit N | exit N stdout=TEXT (its last line)
 * In a pool a host that is lost for its memory ends all its programs as `crashed`: whose memory it was cannot be told.
 * Where `timeout` is not among them the time limit is ten seconds, so that a busy machine does not blur them.
 * Those that reach for the host print `contained` when all that they found was harmless, and `ESCAPED` otherwise
 * (`fixtures/hostile/lib/judge.mjs`). Each bomb is bounded by itself, at 4 GB, for the day when no limit holds.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { loadProgram } from '../runtimes/javascript/load.ts';
import type { Reason } from '../src/model/outcome.ts';
import { prisn, shellCodeOf } from './prisn.ts';
import { carriersOf, commandOf, membersOf, until } from './processes.ts';
import { IsolatePool } from './sandbox/built-pool.ts';
import { type Recording, record, scriptTask } from './sandbox/recording.ts';

const folder = join(import.meta.dirname, 'fixtures/hostile');
const marker = 'PRISN_TEST_MARKER';
const memoryMb = 128;

/** What a limit may be overrun by, from the start of the run to its end. */
const overrunMs = 500;
/** What a busy machine adds: with five programs that compute on two cores, the start of the command and the kill took 1.7 s. */
const busyMs = 2000;

const scripts = readdirSync(folder).filter((name) => /\.m?js$/.test(name));

interface Script {
  readonly title: string;
  readonly expected: readonly string[];
  readonly limitMs: number;
}

/** How a script ended, in the words of its second line. */
interface Ending {
  readonly reason: Reason;
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly elapsedMs: number;
}

describe('a hostile script alone', { concurrency: 2 }, () => {
  const overruns = reportedOverruns('alone');
  for (const script of scripts) {
    const { title, expected, limitMs } = read(script, 500);
    it(title, async () => {
      const value = `${process.pid}-${script}`;
      const words = ['run', '--runtime', 'js', '--timeout', `${limitMs / 1000}s`, '--memory', `${memoryMb}mb`];
      const result = await prisn([...words, join(folder, script)], {
        cwd: folder,
        env: { [marker]: value },
        timeoutMs: limitMs + 10_000,
      });
      const exitCode = shellCodeOf(result);
      assertEnded({ ...result, exitCode, reason: reasonOf(exitCode) }, expected, limitMs);
      const left = () => [...carriersOf(marker, value), ...membersOf(result.pid)].map(commandOf);
      await until('its processes gone', () => left().length === 0, overrunMs).catch(() => assert.deepEqual(left(), []));
      if (exitCode === 124) overruns.push({ script, ms: result.elapsedMs - limitMs });
    });
  }
});

describe('a hostile script in the pool', { concurrency: 2 }, () => {
  const overruns = reportedOverruns('in the pool');
  // The next script comes to a pool in which others were, unless they cost it its host.
  const places: Place[] = [];
  after(() => Promise.all(places.map(leave)));
  for (const script of scripts) {
    const { title, expected, limitMs } = read(script, 250);
    it(title, { timeout: limitMs + 30_000 }, async (t) => {
      const place = places.pop() ?? (await newPlace());
      const { pool, bystander } = place;
      t.after(() => (isWhole(pool) ? void places.push(place) : leave(place)));
      const loaded = await loadProgram(join(folder, script), { force: true });
      assert.equal(loaded.choice, 'isolate');
      const { program } = loaded;
      const limits = { timeoutMs: limitMs, memoryBytes: memoryMb * 2 ** 20 };
      const startedAt = performance.now();
      const ended = await record((sink) => pool.start({ program, args: [], env: {}, cwd: folder, limits }, sink)).ended;
      const elapsedMs = Math.round(performance.now() - startedAt);
      if (ended.reason === 'timeout') overruns.push({ script, ms: elapsedMs - limitMs });

      const hostLost = await isLost(bystander);
      assertEnded(
        { ...ended, elapsedMs },
        hostLost && expected.includes('memory') ? [...expected, 'crashed'] : expected,
        limitMs,
      );
      assert.ok(!hostLost || ended.reason !== 'exit', 'the host was lost to a program that ended by itself');
      const next = await record((sink) => pool.start(scriptTask("console.log('next')"), sink)).ended;
      assert.deepEqual([next.reason, next.exitCode, next.stdout, next.stderr], ['exit', 0, 'next\n', '']);
    });
  }
});

function read(script: string, timeoutMs: number): Script {
  const [attacks = '', expect = ''] = readFileSync(join(folder, script), 'utf8').split('\n', 2);
  assert.match(attacks, /^\/\/ attacks: ./, `${script}: its first line must say what it attacks`);
  assert.match(expect, /^\/\/ expect: ./, `${script}: its second line must say how it ends`);
  const expected = expect.slice('// expect: '.length).split(' | ');
  const limitMs = expected.includes('timeout') ? timeoutMs : 10_000;
  return { title: `${script} ${attacks.slice(3).replace(':', '')}: ${expected.join(' or ')}`, expected, limitMs };
}

function reasonOf(exitCode: number): Reason {
  if (exitCode === 124) return 'timeout';
  if (exitCode === 137) return 'memory';
  return exitCode > 128 && exitCode < 160 ? 'crashed' : 'exit';
}

function assertEnded(ending: Ending, expected: readonly string[], limitMs: number): void {
  const { reason, exitCode, stdout, stderr, elapsedMs } = ending;
  const told = `${reason} ${exitCode} after ${elapsedMs} ms\nstdout: ${stdout.slice(-300)}\nstderr: ${stderr.slice(-1000)}`;
  assert.doesNotMatch(stdout, /ESCAPED/);
  assert.ok(
    expected.some((one) => isEnding(one, ending)),
    `${expected.join(' or ')} expected, but ${told}`,
  );
  assert.ok(elapsedMs < limitMs + overrunMs + busyMs, `ended late: ${told}`);
}

function isEnding(expected: string, { reason, exitCode, stdout }: Ending): boolean {
  if (expected === 'timeout' || expected === 'memory' || expected === 'crashed') return reason === expected;
  const [, code, lastLine] = /^exit (\d+)(?: stdout=(.*))?$/.exec(expected) ?? [];
  if (code === undefined) throw new TypeError(`no such ending: ${expected}`);
  const said = lastLine === undefined || stdout.trimEnd().split('\n').at(-1) === lastLine;
  return reason === 'exit' && exitCode === Number(code) && said;
}

/** A pool, and a program in it that goes on. */
interface Place {
  readonly pool: IsolatePool;
  readonly bystander: Recording;
}

async function newPlace(): Promise<Place> {
  const pool = new IsolatePool({ threads: 2, maxHostBytes: 400 * 2 ** 20 });
  const bystander = record((sink) => pool.start(scriptTask("setInterval(() => console.log('tick'), 20)"), sink));
  await bystander.nextOutput();
  return { pool, bystander };
}

async function leave({ pool, bystander: { stop, ended } }: Place): Promise<void> {
  stop();
  const { reason, stdout, stderr } = await ended;
  await pool.close();
  assert.ok(reason === 'canceled' || reason === 'crashed', `the bystander ended as ${reason}`);
  assert.match(stdout, /^(?:tick\n)+$/);
  assert.equal(stderr, '');
}

/** Whether all is in one host still, the pool's first. */
function isWhole(pool: IsolatePool): boolean {
  const { hosts, restarts } = pool.stats();
  return hosts === 1 && restarts === 0;
}

/** A bystander speaks again after the culprit's end, or has been lost with their host. */
async function isLost({ nextOutput, ended }: Recording): Promise<boolean> {
  await nextOutput();
  return Promise.race([ended.then(() => true), setImmediate(false)]);
}

/** What is pushed here is reported when the `describe` ends. */
function reportedOverruns(where: string): { script: string; ms: number }[] {
  const overruns: { script: string; ms: number }[] = [];
  after(() => {
    const worst = overruns.toSorted((a, b) => b.ms - a.ms);
    const median = worst[Math.floor(worst.length / 2)]?.ms;
    console.log(
      `${scripts.length} hostile scripts ${where}; ${worst.length} reached their time limit and ended after it by ${median} ms (median), at worst by`,
      ...worst.slice(0, 3),
    );
  });
  return overruns;
}
