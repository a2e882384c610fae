/** A result as `-o json` prints it and `--compare` reads it: docs/bench.md has the fields. */
import { readFileSync } from 'node:fs';
import { cpus, hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { errnoOf, messageOf, PrisnError } from '../base/error.ts';
import type { Latencies, LatencySummary } from '../load/latencies.ts';
import type { Measurement, Plan } from '../load/measurement.ts';
import type { Recording, Round } from '../load/recording.ts';
import type { Comparison } from './bench-compare.ts';
import { versionText } from './version-text.ts';

/** Of the form; a change that older readers would misread makes it another. */
const formVersion = 1;

export interface BenchTarget {
  readonly kind: 'run' | 'trigger' | 'fn';
  /** The words of the program, or the name of the deployment. */
  readonly name: string;
  /** How it was reached. */
  readonly by: string;
}

export interface SideResult {
  readonly name: string;
  readonly calls: number;
  readonly failed: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly per_s: number;
  readonly latency_ms: LatencySummary | null;
  readonly phases_ms: Readonly<Record<string, LatencySummary>>;
  /** Of one call. */
  readonly cpu_ms: number | null;
  readonly rounds: readonly Round[];
}

export interface BenchResult {
  readonly prisn_bench: number;
  readonly kind: BenchTarget['kind'];
  readonly by: string;
  readonly load:
    | { readonly loop: 'closed'; readonly concurrency: number }
    | { readonly loop: 'open'; readonly rate_per_s: number; readonly concurrency: number };
  readonly machine: {
    readonly host: string;
    readonly cpu: string;
    readonly cores: number;
    readonly node: string;
    readonly prisn: string;
  };
  readonly started_at: string;
  readonly elapsed_ms: number;
  readonly interrupted: boolean;
  readonly target: SideResult;
  readonly baseline?: SideResult;
  readonly control: SideResult;
  /** Of the processes that do the work. */
  readonly memory: { readonly bytes: number; readonly processes: number; readonly shared: boolean } | null;
  readonly generator: {
    readonly cores: number;
    /** Open loop alone. */
    readonly late_p99_ms?: number;
    readonly unsent?: number;
  };
  readonly comparisons: readonly Comparison[];
}

export interface Names {
  readonly target: BenchTarget;
  readonly baseline?: string | undefined;
  readonly control: string;
}

export function resultOf(names: Names, plan: Plan, measurement: Measurement, startedAt: Date, interrupted: boolean): BenchResult {
  const { target, baseline, control, memory, generatorCores } = measurement;
  const isOpen = 'perSecond' in plan.load;
  return {
    prisn_bench: formVersion,
    kind: names.target.kind,
    by: names.target.by,
    load: loadOf(plan),
    machine: machineHere(),
    started_at: startedAt.toISOString(),
    elapsed_ms: Math.round(measurement.elapsedMs),
    interrupted,
    target: sideOf(names.target.name, target),
    ...(baseline && { baseline: sideOf(names.baseline ?? '', baseline) }),
    control: sideOf(names.control, control),
    memory: memory ? { bytes: memory.bytes, processes: memory.processes, shared: memory.isShared } : null,
    generator: {
      cores: generatorCores,
      ...(isOpen && { late_p99_ms: target.lateness.percentile(99), unsent: target.unsent }),
    },
    comparisons: [],
  };
}

/** Both of a result and of what is going to be measured: `--compare` takes none but equal ones. */
export function loadOf({ load }: Plan): BenchResult['load'] {
  return 'perSecond' in load
    ? { loop: 'open', rate_per_s: load.perSecond, concurrency: load.atMost }
    : { loop: 'closed', concurrency: load.clients };
}

function sideOf(name: string, recording: Recording): SideResult {
  const { calls, failed, failures, busyMs, latencies, phases, cpuMs, rounds } = recording;
  const described = Array.from(phases, ([phase, times]: [string, Latencies]) => [phase, times.summary()]);
  return {
    name,
    calls,
    failed,
    failures: Object.fromEntries(failures),
    per_s: busyMs === 0 ? 0 : (calls / busyMs) * 1000,
    latency_ms: latencies.summary() ?? null,
    phases_ms: Object.fromEntries(described) as Record<string, LatencySummary>,
    cpu_ms: cpuMs === undefined || calls + failed === 0 ? null : cpuMs / (calls + failed),
    rounds,
  };
}

function machineHere(): BenchResult['machine'] {
  const all = cpus();
  return {
    host: hostname(),
    cpu: all[0]?.model ?? '',
    cores: all.length,
    node: process.versions.node,
    prisn: versionText(),
  };
}

/**
 * Reads a result for `--compare`.
 * @param expected what is going to be measured: only its like can be compared
 * @throws PrisnError `usage`
 */
export function readResult(file: string, expected: Pick<BenchResult, 'kind' | 'load'>): BenchResult {
  const before = parseResult(file);
  const refuse = (why: string): never => {
    throw new PrisnError('usage', `--compare: ${file} ${why}`);
  };
  if (before.prisn_bench !== formVersion)
    refuse(`is of version ${before.prisn_bench}, and this prisn reads version ${formVersion}; measure it again`);
  if (before.kind !== expected.kind) refuse(`is of prisn bench ${before.kind}, and this is prisn bench ${expected.kind}`);
  if (!isDeepStrictEqual(before.load, expected.load))
    refuse(`was measured with ${describeLoad(before.load)}, and this is ${describeLoad(expected.load)}; measure both alike`);
  const { host, cpu, cores } = machineHere();
  if (before.machine.host !== host || before.machine.cpu !== cpu || before.machine.cores !== cores)
    refuse(`was measured on another machine (${before.machine.host}, ${before.machine.cores} × ${before.machine.cpu})`);
  return before;
}

export function describeLoad(load: BenchResult['load']): string {
  if (load.loop === 'closed') return `${load.concurrency} at once`;
  return `${load.rate_per_s} a second, ${load.concurrency} at once at the most`;
}

function parseResult(file: string): BenchResult {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const why = errnoOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${messageOf(error)}`;
    throw new PrisnError('usage', `--compare: '${file}' ${why}`);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isResult(value)) return value;
  } catch {}
  throw new PrisnError('usage', `--compare: '${file}' is no result of prisn bench; --save or -o json makes one`);
}

/** As far as a comparison reads it. */
function isResult(value: unknown): value is BenchResult {
  const { prisn_bench, kind, load, machine, target, control } = (value ?? {}) as Partial<BenchResult>;
  if (typeof prisn_bench !== 'number') return false;
  // Of another version, which is told by its number.
  if (prisn_bench !== formVersion) return true;
  const sides = [target, control].every((side) => Array.isArray(side?.rounds));
  return typeof kind === 'string' && typeof load === 'object' && typeof machine === 'object' && sides;
}
