/**
 * A measurement: warm-up, and then rounds in which all that is measured takes turns.
 *
 * ```
 * warm-up │ target control │ target control │ …
 * warm-up │ target baseline control │ baseline target control │ …      with a baseline: who is first changes
 * warm-up │ control │ target, all rounds in one │ control              open loop without one: its queue must not drain
 * ```
 * The control is a load that has nothing to do with prisn and is the same in every measurement: by it two of them can be compared
 * (`verdict.ts`), and it says what the generator itself does here. In a closed loop of several clients a round lasts some twenty calls
 * of each, since a round begins with all of them at once and ends with few.
 */
import type { Call } from './call.ts';
import { closedLoop } from './closed-loop.ts';
import { openLoop } from './open-loop.ts';
import type { TreeMemory } from './process-tree.ts';
import { Recording } from './recording.ts';

export interface Subject {
  readonly call: Call;
  /** CPU that its processes have had up to now. */
  readonly cpuMs?: () => number;
  readonly memory?: () => TreeMemory | undefined;
}

export interface Plan {
  readonly load: { readonly clients: number } | { readonly perSecond: number; readonly atMost: number };
  readonly warmUpMs: number;
  /** Of each: so long, or so many calls. */
  readonly length: { readonly durationMs: number } | { readonly calls: number };
  readonly leastRounds: number;
}

export interface Parties {
  readonly target: Subject;
  readonly baseline?: Subject | undefined;
  readonly control: Subject;
}

const mostRounds = 20;
/** Of a closed loop, with several clients. */
const callsARound = 20;
/** Of a round's time. */
const controlShare = 0.15;
/** Rounds of the control before and after one long round. */
const controlRounds = 5;

interface Leg {
  /** Where it ends by its calls: about what they take. */
  readonly durationMs: number;
  readonly calls?: number;
  readonly rounds: number;
}

export class Measurement {
  readonly target = new Recording();
  readonly baseline: Recording | undefined;
  readonly control = new Recording();
  isWarm = false;
  /** Of the whole plan, as far as it is known. */
  totalMs = 0;
  /** The most that was seen between rounds. */
  memory: TreeMemory | undefined;
  /** CPU of this process while it called the target, in cores. */
  generatorCores = 0;
  readonly #parties: Parties;
  readonly #plan: Plan;
  readonly #signal: AbortSignal;
  #startedAt = performance.now();
  #endedAt: number | undefined;
  #generator = { cpuMs: 0, wallMs: 0 };

  /** @param signal ends it with what was measured so far; calls that are under way have to be ended by whoever aborts */
  constructor(parties: Parties, plan: Plan, signal: AbortSignal) {
    this.#parties = parties;
    this.#plan = plan;
    this.#signal = signal;
    this.baseline = parties.baseline && new Recording();
  }

  /** Of its present part, and in the end of what came after the warm-up. */
  get elapsedMs(): number {
    return (this.#endedAt ?? performance.now()) - this.#startedAt;
  }

  /** Whether any call has come to its end since the warm-up. */
  get hasBegun(): boolean {
    return [this.target, this.baseline].some((recording) => recording !== undefined && recording.rounds.length > 0);
  }

  async run(): Promise<void> {
    const { target, baseline, control } = this.#parties;
    const callMs = await this.#warmUp();
    if (this.#signal.aborted) return;
    const legs = this.#legs(callMs);
    this.#startedAt = performance.now();
    this.isWarm = true;
    const all: [Subject, Recording][] = [[target, this.target]];
    if (baseline && this.baseline) all.push([baseline, this.baseline]);
    const controlMs = (legs[0]?.durationMs ?? 0) * controlShare;
    const isLong = legs.length === 1;
    this.totalMs = legs.reduce((sum, { durationMs }) => sum + durationMs * all.length, 0) * (1 + controlShare);
    if (isLong) await this.#runControl(control, controlMs, controlRounds);
    for (const leg of legs) {
      for (const [subject, recording] of all) await this.#runLeg(subject, recording, leg);
      all.reverse();
      if (!isLong) await this.#runControl(control, controlMs, 1);
    }
    if (isLong) await this.#runControl(control, controlMs, controlRounds);
    this.#endedAt = performance.now();
  }

  /** @returns what a call of the target takes */
  async #warmUp(): Promise<number> {
    const { target, baseline, control } = this.#parties;
    const { warmUpMs } = this.#plan;
    this.totalMs = warmUpMs * (baseline ? 2 : 1);
    const seen = new Recording();
    const leg = { durationMs: Math.max(1, warmUpMs), rounds: 1 };
    if (baseline) await this.#runLeg(baseline, new Recording(), leg);
    await this.#runLeg(target, seen, leg);
    await this.#runControl(control, warmUpMs * controlShare, 1, new Recording());
    this.memory = undefined;
    return seen.latencies.summary()?.mean ?? 0;
  }

  #legs(callMs: number): Leg[] {
    const { load, length, leastRounds } = this.#plan;
    if ('perSecond' in load) {
      const durationMs = 'durationMs' in length ? length.durationMs : (length.calls / load.perSecond) * 1000;
      const rounds = between(1, mostRounds, Math.floor((durationMs / 1000) * load.perSecond));
      if (!this.baseline) return [{ durationMs, rounds }];
      return Array.from({ length: rounds }, () => ({ durationMs: durationMs / rounds, rounds: 1 }));
    }
    if ('calls' in length) return countedLegs(length.calls, load.clients, callMs);
    const { durationMs } = length;
    const roundMs = callMs * (load.clients > 1 ? callsARound : 1);
    const count = between(leastRounds, mostRounds, Math.floor(durationMs / Math.max(roundMs, 1)));
    return Array.from({ length: count }, () => ({ durationMs: durationMs / count, rounds: 1 }));
  }

  async #runLeg(subject: Subject, recording: Recording, { durationMs, calls, rounds }: Leg): Promise<void> {
    if (this.#signal.aborted) return;
    const { load } = this.#plan;
    const atMs = this.elapsedMs;
    const [generator, cpuBefore] = [process.cpuUsage(), subject.cpuMs?.()];
    recording.begin(rounds);
    let tookMs: number;
    if ('perSecond' in load) {
      tookMs = durationMs / rounds;
      const hear = (call: { dueMs: number; lateMs: number; ms: number }): void => {
        recording.lateness.record(call.lateMs);
        recording.hear(call, Math.floor(call.dueMs / tookMs));
      };
      recording.unsent += await openLoop({ ...load, durationMs }, subject.call, hear, this.#signal);
    } else {
      const loop = { ...load, ...(calls === undefined ? { durationMs } : { durationMs: Number.POSITIVE_INFINITY, calls }) };
      tookMs = await closedLoop(loop, subject.call, (answered) => recording.hear(answered), this.#signal);
    }
    recording.end(atMs, tookMs, difference(cpuBefore, subject.cpuMs?.()));
    if (subject === this.#parties.target) this.#watch(subject, generator, this.elapsedMs - atMs);
  }

  async #runControl(control: Subject, durationMs: number, rounds: number, recording = this.control): Promise<void> {
    const { load } = this.#plan;
    const clients = 'clients' in load ? load.clients : 1;
    for (let round = 0; round < rounds && !this.#signal.aborted; round++) {
      const [atMs, cpuBefore] = [this.elapsedMs, control.cpuMs?.()];
      recording.begin(1);
      const loop = { clients, durationMs: durationMs / rounds };
      const tookMs = await closedLoop(loop, control.call, (answered) => recording.hear(answered), this.#signal);
      recording.end(atMs, tookMs, difference(cpuBefore, control.cpuMs?.()));
    }
  }

  #watch({ memory }: Subject, before: NodeJS.CpuUsage, wallMs: number): void {
    const { user, system } = process.cpuUsage(before);
    this.#generator = { cpuMs: this.#generator.cpuMs + (user + system) / 1000, wallMs: this.#generator.wallMs + wallMs };
    this.generatorCores = this.#generator.cpuMs / this.#generator.wallMs;
    const now = memory?.();
    if (now && now.bytes > (this.memory?.bytes ?? 0)) this.memory = now;
  }
}

/** So many calls in rounds as even as can be. */
function countedLegs(calls: number, clients: number, callMs: number): Leg[] {
  const count = between(1, mostRounds, Math.floor(calls / (clients > 1 ? clients * callsARound : 1)));
  return Array.from({ length: count }, (_, i) => {
    const share = Math.floor((calls * (i + 1)) / count) - Math.floor((calls * i) / count);
    return { durationMs: (share * callMs) / clients, calls: share, rounds: 1 };
  });
}

function difference(before: number | undefined, after: number | undefined): number | undefined {
  return before === undefined || after === undefined ? undefined : after - before;
}

function between(least: number, most: number, number: number): number {
  return Math.max(least, Math.min(most, number));
}
