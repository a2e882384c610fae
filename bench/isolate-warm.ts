/**
 * How many one-off programs a second does an isolate host run, for one client and for 32, and what does each cost, against
 * a bare loop of fresh contexts?
 */
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import ivm from 'isolated-vm';
import { IsolatePool } from '../sandbox/isolate/pool.ts';
import type { IsolateTask } from '../src/model/task.ts';
import { quantile } from '../src/load/ranks.ts';
import { smoke } from './measure.ts';

const script = taskOf('/hello.js', 'script', "console.log('hello')");
const module = taskOf('/hello.mjs', 'module', 'export default (input) => ({ input })', { input: '1', returns: 'outcome' });
const sink = { stdout: () => {}, stderr: () => {} };

/** Rounds, in each of which every row has its turn: what else the machine does meets all alike. */
const rounds = smoke ? 2 : 8;
const programsPerRound = smoke ? 20 : 500;

interface Row {
  readonly name: string;
  readonly clients: number;
  readonly run: () => Promise<unknown>;
  readonly latencies: number[];
  wallMs: number;
  /** Of the hosts, and of this process. */
  hostMs: number;
  parentMs: number;
}

export async function isolateWarm(): Promise<void> {
  const pool = new IsolatePool({ threads: 2, maxHostBytes: 2 ** 30 });
  const isolate = new ivm.Isolate({ memoryLimit: 128 });
  const by = (task: IsolateTask) => () => pool.start(task, sink).exited;
  const rows = [
    row('a bare loop of fresh contexts', 1, () => bare(isolate)),
    row('a script by the host', 1, by(script)),
    row('a script by the host', 32, by(script)),
    row('a module with a result', 1, by(module)),
    row('a module with a result', 32, by(module)),
    row('a limit of its own, so an isolate', 32, by({ ...script, limits: { ...script.limits, memoryBytes: 2 ** 26 } })),
  ];
  try {
    for (let round = -1; round < rounds; round++) for (const each of rows) await measure(each, round >= 0);
    show(rows);
  } finally {
    await pool.close();
  }
}

function row(name: string, clients: number, run: () => Promise<unknown>): Row {
  return { name, clients, run, latencies: [], wallMs: 0, hostMs: 0, parentMs: 0 };
}

async function measure(each: Row, counts: boolean): Promise<void> {
  let left = programsPerRound;
  const latencies: number[] = [];
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const started = performance.now();
      await each.run();
      latencies.push(performance.now() - started);
    }
  };
  const before = { wall: performance.now(), host: hostCpuMs(), own: process.cpuUsage() };
  await Promise.all(Array.from({ length: each.clients }, client));
  if (!counts) return;
  const own = process.cpuUsage(before.own);
  each.latencies.push(...latencies);
  each.wallMs += performance.now() - before.wall;
  each.hostMs += hostCpuMs() - before.host;
  each.parentMs += (own.user + own.system) / 1000;
}

/** What the children of this process have used, those that are gone as well, proc(5): in ticks of 10 ms. */
function hostCpuMs(): number {
  const alive = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'latin1').trim().split(' ').filter(Boolean);
  const ticks = alive.reduce((sum, pid) => sum + fieldOf(pid, 'utime') + fieldOf(pid, 'stime'), 0);
  return (ticks + fieldOf('self', 'cutime') + fieldOf('self', 'cstime')) * 10;
}

/** Where they stand in `/proc/PID/stat` behind the name, which may hold anything. */
const fields = { utime: 11, stime: 12, cutime: 13, cstime: 14 };

function fieldOf(pid: string, name: keyof typeof fields): number {
  return Number(
    readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')[fields[name]],
  );
}

function show(rows: readonly Row[]): void {
  console.log(`\nFresh contexts in warm isolates; node ${process.versions.node}, load ${loadavg()[0]?.toFixed(1)}`);
  console.log(line('ms', ['clients', 'a second', 'p50', 'p99', 'cpu host', 'cpu here', 'cpu ratio']));
  const costOf = ({ hostMs, parentMs, latencies }: Row): number => (hostMs + parentMs) / latencies.length;
  const base = costOf(rows[0] as Row);
  for (const each of rows) {
    const { name, clients, latencies, wallMs, hostMs, parentMs } = each;
    const runs = latencies.length;
    const cells = [clients, (runs / wallMs) * 1000].map((value) => value.toFixed(0));
    const times = [quantile(latencies, 0.5), quantile(latencies, 0.99), hostMs / runs, parentMs / runs, costOf(each) / base];
    console.log(line(name, [...cells, ...times.map((value) => value.toFixed(2))]));
  }
}

function line(name: string, cells: readonly string[]): string {
  return `${name.padEnd(34)}${cells.map((cell) => cell.padStart(10)).join('')}`;
}

async function bare(isolate: ivm.Isolate): Promise<void> {
  const context = await isolate.createContext();
  const compiled = await isolate.compileScript('1');
  await compiled.run(context);
  compiled.release();
  context.release();
}

function taskOf(entry: string, format: 'script' | 'module', code: string, more: Partial<IsolateTask> = {}): IsolateTask {
  const program = { entry, modules: { [entry]: { format, code, imports: {} } } };
  return { program, args: [], env: {}, cwd: '/', limits: { timeoutMs: 10_000 }, ...more };
}
