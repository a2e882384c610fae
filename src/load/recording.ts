/** What is kept of the calls to one thing: all of them in histograms, and a line for each round. */
import type { Answered } from './call.ts';
import { Latencies } from './latencies.ts';
import { quantile } from './ranks.ts';

/** Keys are those of `-o json`. */
export interface Round {
  /** When it began, from the start of the measurement. */
  readonly at_ms: number;
  /** That succeeded; latencies are of these alone. */
  readonly calls: number;
  readonly failed: number;
  readonly per_s: number;
  /** Null where no call succeeded. */
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  /** Of the processes that do the work, a call; null where it is not known. */
  readonly cpu_ms: number | null;
}

/** A round of which calls come in. */
interface OpenRound {
  readonly times: number[];
  failed: number;
}

export class Recording {
  readonly latencies = new Latencies();
  readonly phases = new Map<string, Latencies>();
  readonly rounds: Round[] = [];
  /** How many calls failed, by kind. */
  readonly failures = new Map<string, number>();
  /** Open loop: how late calls were sent for no fault of the target. */
  readonly lateness = new Latencies();
  unsent = 0;
  failed = 0;
  /** Of all rounds. */
  busyMs = 0;
  cpuMs: number | undefined;
  #open: OpenRound[] = [];

  get calls(): number {
    return this.latencies.count;
  }

  /** Begins rounds that go on at once. */
  begin(count: number): void {
    this.#open = Array.from({ length: count }, () => ({ times: [], failed: 0 }));
  }

  /** @param index of the round, of those that go on */
  hear({ ms, failure, phases = {} }: Answered, index = 0): void {
    const round = this.#open[Math.min(index, this.#open.length - 1)];
    if (failure !== undefined) {
      this.failures.set(failure, (this.failures.get(failure) ?? 0) + 1);
      this.failed++;
      if (round) round.failed++;
      return;
    }
    this.latencies.record(ms);
    round?.times.push(ms);
    this.addPhases(phases);
  }

  /** Of a call, where its time went; ms by name. */
  addPhases(phases: Readonly<Record<string, number>>): void {
    for (const [name, ms] of Object.entries(phases)) this.#phase(name).record(ms);
  }

  /** @param tookMs what each of the rounds took. @param cpuMs of all of them together, where it is known */
  end(atMs: number, tookMs: number, cpuMs: number | undefined): void {
    this.busyMs += tookMs * this.#open.length;
    if (cpuMs !== undefined) this.cpuMs = (this.cpuMs ?? 0) + cpuMs;
    const answered = this.#open.reduce((sum, { times, failed }) => sum + times.length + failed, 0);
    for (const [index, { times, failed }] of this.#open.entries()) {
      // Of an interruption, before the first call had ended.
      if (times.length + failed === 0) continue;
      const at = (q: number): number | null => (times.length === 0 ? null : quantile(times, q));
      this.rounds.push({
        at_ms: Math.round(atMs + index * tookMs),
        calls: times.length,
        failed,
        per_s: (times.length / tookMs) * 1000,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        cpu_ms: cpuMs === undefined ? null : cpuMs / answered,
      });
    }
    this.#open = [];
  }

  #phase(name: string): Latencies {
    const known = this.phases.get(name);
    if (known) return known;
    const phase = new Latencies();
    this.phases.set(name, phase);
    return phase;
  }
}
