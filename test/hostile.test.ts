/**
 * Hostile scripts in isolates: `prisn run --timeout 1s --memory 256mb` ends each of `fixtures/hostile` with the right
 * exit code, soon after its limit, and leaves no process behind.
 *
 * A script says in its first line what it attacks and in its second how that may end, one or more of
 *   timeout | memory | crashed | exit N | exit N stdout=TEXT (its last line)
 * Where `memory` is right and `timeout` is not, the time limit is ten seconds, so that a busy machine does not blur them.
 * Those that reach for the host print `contained` when all that they found was harmless, and `ESCAPED` otherwise
 * (`fixtures/hostile/lib/judge.mjs`). Each bomb is bounded by itself, at 4 GB, for the day when no limit holds.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

const folder = join(import.meta.dirname, 'fixtures/hostile');
const prisn = join(import.meta.dirname, '../bin/prisn');
const home = mkdtempSync(join(tmpdir(), 'prisn-hostile-'));
const markerName = 'PRISN_TEST_MARKER';

/** The start and the kill together may take this long beyond a limit before the test fails; the worst is reported. */
const slackMs = 3000;
const keptOutputBytes = 1_000_000;

interface Ending {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** From the start of the CLI to its end. */
  readonly elapsedMs: number;
  /** The CLI's pid, which is its session too. */
  readonly session: number;
}

const scripts = readdirSync(folder).filter((name) => /\.m?js$/.test(name));
const overruns: { script: string; overrunMs: number }[] = [];

after(() => {
  rmSync(home, { recursive: true, force: true });
  const worst = overruns.toSorted((a, b) => b.overrunMs - a.overrunMs).slice(0, 3);
  console.log(
    `${scripts.length} hostile scripts; ${overruns.length} reached their time limit, at worst ended after it by`,
    ...worst,
  );
});

describe('a hostile script in an isolate', { concurrency: 2 }, () => {
  for (const script of scripts) {
    const { attacks, expected } = headerOf(script);
    it(`${script} attacks ${attacks}: ${expected.join(' or ')}`, async () => {
      const limitMs = expected.includes('memory') && !expected.includes('timeout') ? 10_000 : 1000;
      const marker = `${process.pid}-${script}`;
      const ending = await endingOf(script, limitMs, marker);
      const { exitCode, stdout, stderr, elapsedMs } = ending;
      const left = await leftovers(marker, ending.session);

      assert.doesNotMatch(stdout, /ESCAPED/);
      const told = `exit code ${exitCode} after ${elapsedMs} ms\nstdout: ${stdout.slice(-300)}\nstderr: ${stderr.slice(-1000)}`;
      assert.ok(
        expected.some((one) => endedAs(one, ending)),
        `${expected.join(' or ')} expected, but ${told}`,
      );
      assert.ok(elapsedMs < limitMs + slackMs, `ended late: ${told}`);
      assert.deepEqual(left, [], 'processes were left behind');
      if (exitCode === 124) overruns.push({ script, overrunMs: elapsedMs - limitMs });
    });
  }
});

function headerOf(script: string): { attacks: string; expected: string[] } {
  const [attacks = '', expect = ''] = readFileSync(join(folder, script), 'utf8').split('\n', 2);
  assert.match(attacks, /^\/\/ attacks: ./, `${script}: its first line must say what it attacks`);
  assert.match(expect, /^\/\/ expect: ./, `${script}: its second line must say how it ends`);
  return { attacks: attacks.slice('// attacks: '.length), expected: expect.slice('// expect: '.length).split(' | ') };
}

function endedAs(expected: string, { exitCode, stdout }: Ending): boolean {
  if (expected === 'timeout') return exitCode === 124;
  if (expected === 'memory') return exitCode === 137;
  if (expected === 'crashed') return exitCode > 128 && exitCode < 160 && exitCode !== 137;
  const [, code, lastLine] = /^exit (\d+)(?: stdout=(.*))?$/.exec(expected) ?? [];
  if (code === undefined) throw new TypeError(`no such ending: ${expected}`);
  return exitCode === Number(code) && (lastLine === undefined || stdout.trimEnd().split('\n').at(-1) === lastLine);
}

async function endingOf(script: string, limitMs: number, marker: string): Promise<Ending> {
  const limits = ['--timeout', `${limitMs / 1000}s`, '--memory', '256mb'];
  const startedAt = performance.now();
  const child = spawn(prisn, ['run', '--runtime', 'js', ...limits, join(folder, script)], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
      HOME: home,
      PRISN_HOME: home,
      PRISN_DAEMON: 'off',
      [markerName]: marker,
    },
  });
  const session = child.pid ?? 0;
  const giveUp = setTimeout(() => process.kill(-session, 'SIGKILL'), limitMs + 2 * slackMs);
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] = (output[stream] + text).slice(-keptOutputBytes);
    });
  }
  const elapsed = new Promise<number>((resolve) => child.on('exit', () => resolve(Math.round(performance.now() - startedAt))));
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
  clearTimeout(giveUp);
  return { exitCode, ...output, elapsedMs: await elapsed, session };
}

/** Processes of a run that half a second did not end: by the marker in their environment, or by their session. */
async function leftovers(marker: string, session: number): Promise<string[]> {
  for (const deadline = performance.now() + 500; ; await delay(20)) {
    const left = processesOf(marker, session);
    if (left.length === 0 || performance.now() > deadline) return left;
  }
}

function processesOf(marker: string, session: number): string[] {
  if (!existsSync('/proc/self/environ')) return [];
  const belongs = (pid: string) => {
    const stat = readProc(pid, 'stat');
    const [state, , , sessionOfProcess] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || state === 'X') return false;
    return Number(sessionOfProcess) === session || readProc(pid, 'environ').split('\0').includes(`${markerName}=${marker}`);
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && belongs(name))
    .map((pid) => `${pid} ${readProc(pid, 'cmdline').replaceAll('\0', ' ')}`);
}

/** Empty for a process that is gone or another user's. */
function readProc(pid: string, name: string): string {
  try {
    return readFileSync(join('/proc', pid, name), 'utf8');
  } catch {
    return '';
  }
}
