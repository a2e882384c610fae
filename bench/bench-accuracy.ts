/**
 * Does `prisn bench` measure what other tools measure? Against wrk over HTTP and hyperfine for runs, in turns, as whole commands. Both
 * are fetched into a cache folder when this runs.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { quantile } from '../src/load/ranks.ts';
import { ControlServer } from '../src/load/control.ts';
import { HttpLoad, judgeStatus } from '../src/load/http-load.ts';
import { Measurement } from '../src/load/measurement.ts';
import { unpackDebian } from '../test/debian.ts';
import { BenchDaemon } from './daemon.ts';
import { smoke } from './measure.ts';

const prisn = join(process.cwd(), 'bin/prisn');
const script = (name: string): string => join(process.cwd(), 'bench/scripts', name);
const rounds = smoke ? 1 : 9;
const seconds = 1;

/** What one tool says about one target. */
interface Figures {
  /** ms */
  readonly p50: number;
  /** Where both tell it. */
  readonly perSecond?: number;
  /** Of a run, ms, where both tell it: what else the machine does moves it least. */
  readonly cpu?: number;
}

interface Contest {
  readonly target: string;
  readonly other: string;
  readonly ours: () => Figures | Promise<Figures>;
  readonly theirs: () => Figures;
}

export async function benchAccuracy(): Promise<void> {
  const tools = fetchTools();
  if (typeof tools === 'string') return console.log(`left out: ${tools}`);
  const folder = mkdtempSync(join(tmpdir(), 'prisn-bench-'));
  const server = await ControlServer.start();
  const daemon = await BenchDaemon.start();
  try {
    await daemon.ask('POST', '/api/v1/deployments', { name: 'js', runtime: 'javascript', source: 'export default () => 1;' });
    const { address } = JSON.parse(readFileSync(join(daemon.home, 'daemon.json'), 'utf8')) as { address: string };
    const contests: Contest[] = [1, 16].flatMap((clients) => [
      {
        target: `a plain server, ${clients} at once`,
        other: 'wrk',
        ours: () => measureServer(server.port, clients),
        theirs: () => tools.wrk(`http://127.0.0.1:${server.port}/`, clients),
      },
      {
        target: `prisn bench fn, ${clients} at once`,
        other: 'wrk',
        ours: () => bench(daemon.home, ['fn', '-c', String(clients), '--duration', `${seconds}s`, '--warm-up', '200ms', 'js']),
        theirs: () => tools.wrk(`http://${address}/fn/js`, clients),
      },
    ]);
    for (const name of ['hello.js', 'hello.py', 'hello.bash'])
      contests.push({
        target: `prisn bench run ${name}`,
        other: 'hyperfine',
        ours: () => bench(folder, ['run', '--requests', '20', '--warm-up', '0', script(name)]),
        theirs: () => tools.hyperfine(folder, `${prisn} run ${script(name)}`, 20),
      });
    await compare(contests);
  } finally {
    await Promise.all([server.close(), daemon.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All contests a round, who begins changes, so that what else the machine does meets both tools alike. */
async function compare(contests: readonly Contest[]): Promise<void> {
  const taken = contests.map(() => [] as { ours: Figures; theirs: Figures }[]);
  for (let round = 0; round < rounds; round++)
    for (const [index, { ours, theirs }] of contests.entries()) {
      const first = round % 2 === 0 ? await ours() : undefined;
      const other = theirs();
      taken[index]?.push({ ours: first ?? (await ours()), theirs: other });
    }
  console.log('\nprisn bench against other tools, the same target in turns: medians, and the ratio of each pair of turns');
  console.log(`${''.padEnd(48)}${['ours', 'theirs', 'ratio', 'quartiles'].map((head) => head.padStart(12)).join('')}`);
  for (const [index, { target, other }] of contests.entries()) {
    const pairs = taken[index] ?? [];
    row(`${target}: p50 ms, ${other}`, pairs, ({ p50 }) => p50);
    for (const [what, figure] of [
      ['a second', 'perSecond'],
      ['CPU ms', 'cpu'],
    ] as const)
      if (pairs[0]?.theirs[figure] !== undefined) row(`${target}: ${what}`, pairs, (figures) => figures[figure] ?? Number.NaN);
  }
  console.log(`ratio: median of ${rounds} pairs of turns; quartiles: of the ratios`);
}

function row(name: string, pairs: readonly { ours: Figures; theirs: Figures }[], of: (figures: Figures) => number): void {
  const middle = (side: 'ours' | 'theirs'): number =>
    quantile(
      pairs.map((pair) => of(pair[side])),
      0.5,
    );
  const ratios = pairs.map(({ ours, theirs }) => of(ours) / of(theirs));
  const [low, ratio, high] = [0.25, 0.5, 0.75].map((q) => quantile(ratios, q)) as [number, number, number];
  const cells = [
    middle('ours').toFixed(3),
    middle('theirs').toFixed(3),
    ratio.toFixed(3),
    `${low.toFixed(2)}-${high.toFixed(2)}`,
  ];
  console.log(`${name.padEnd(48)}${cells.map((cell) => cell.padStart(12)).join('')}`);
}

/** Our generator, without the command around it. */
async function measureServer(port: number, clients: number): Promise<Figures> {
  const load = new HttpLoad({ host: '127.0.0.1', port }, 10_000);
  const request = { method: 'GET', path: '/', host: `127.0.0.1:${port}`, headers: {}, body: undefined };
  const target = { call: load.call(request, judgeStatus) };
  const plan = { load: { clients }, warmUpMs: 200, length: { durationMs: seconds * 1000 }, leastRounds: 5 };
  const measurement = new Measurement({ target, control: target }, plan, new AbortController().signal);
  await measurement.run();
  load.close();
  const { latencies, calls, busyMs } = measurement.target;
  return { p50: latencies.percentile(50), perSecond: (calls / busyMs) * 1000 };
}

function bench(home: string, words: readonly string[]): Figures {
  const text = execFileSync(prisn, ['bench', ...words.slice(0, 1), '-o', 'json', ...words.slice(1)], {
    env: { ...process.env, PRISN_HOME: home },
    encoding: 'utf8',
  });
  const { target } = JSON.parse(text) as { target: { per_s: number; cpu_ms: number; latency_ms: { p50: number } } };
  return { p50: target.latency_ms.p50, perSecond: target.per_s, cpu: target.cpu_ms };
}

interface Tools {
  readonly wrk: (url: string, clients: number) => Figures;
  readonly hyperfine: (home: string, command: string, runs: number) => Figures;
}

/** @returns why they cannot be had, in words */
function fetchTools(): Tools | string {
  if (smoke) return 'a smoke run fetches nothing';
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'prisn-bench', 'tools');
  mkdirSync(cache, { recursive: true });
  const [wrk, hyperfine] = ['wrk', 'hyperfine'].map((name) => join(cache, 'usr/bin', name)) as [string, string];
  if (!existsSync(wrk) || !existsSync(hyperfine)) {
    const why = unpackDebian(['wrk', 'hyperfine', 'libluajit-5.1-2'], cache);
    if (why !== undefined) return why;
  }
  return { wrk: (url, clients) => runWrk(wrk, cache, url, clients), hyperfine: (...args) => runHyperfine(hyperfine, ...args) };
}

/** `50%  1.23ms` and `Requests/sec: 812.34` of `wrk --latency`. */
function runWrk(file: string, cache: string, url: string, clients: number): Figures {
  const libraries = `${join(cache, 'usr/lib/x86_64-linux-gnu')}:${join(cache, 'usr/lib/aarch64-linux-gnu')}`;
  const args = ['--latency', '-t1', `-c${clients}`, `-d${seconds}s`, url];
  const text = execFileSync(file, args, { env: { ...process.env, LD_LIBRARY_PATH: libraries }, encoding: 'utf8' });
  const [, p50 = '', unit = ''] = /^\s*50%\s+([\d.]+)(us|ms|s)$/m.exec(text) ?? [];
  const [, perSecond = ''] = /^Requests\/sec:\s+([\d.]+)$/m.exec(text) ?? [];
  return { p50: Number(p50) * ({ us: 0.001, ms: 1, s: 1000 }[unit] ?? Number.NaN), perSecond: Number(perSecond) };
}

function runHyperfine(file: string, home: string, command: string, runs: number): Figures {
  const result = join(home, 'hyperfine.json');
  const args = ['-N', '--runs', String(runs), '--style', 'none', '--export-json', result, command];
  execFileSync(file, args, { env: { ...process.env, PRISN_HOME: home }, stdio: 'ignore' });
  const { results } = JSON.parse(readFileSync(result, 'utf8')) as { results: { median: number; user: number; system: number }[] };
  const { median = Number.NaN, user = Number.NaN, system = Number.NaN } = results[0] ?? {};
  return { p50: median * 1000, cpu: (user + system) * 1000 };
}
