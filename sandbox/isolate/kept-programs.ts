/** The programs that a thread keeps, and their calls. */
import { exitCodes } from '../../src/base/exit-codes.ts';
import type { Outcome } from '../../src/model/outcome.ts';
import type { Rooms } from './cell.ts';
import { inputFrom, type ReadInput } from './host-calls.ts';
import type { KeptCall } from './kept-context.ts';
import { KeptProgram } from './kept-program.ts';
import type { Answer, CallOrder, Order, Report } from './protocol.ts';

/** Contexts of all programs together; each has an isolate, of 2 MB at least. Those that serve are not counted out. */
const maxContexts = 32;
/** One that serves nothing for so long is let go. */
const maxIdleMs = 5 * 60_000;
const lookMs = 30_000;

interface Held {
  readonly program: KeptProgram;
  readonly call: KeptCall;
}

export class KeptPrograms {
  readonly #rooms: Rooms & { readonly made: number };
  readonly #tell: (id: number, reports: readonly Report[]) => void;
  readonly #programs = new Map<number, KeptProgram>();
  readonly #calls = new Map<number, Held>();
  #looking: NodeJS.Timeout | undefined;

  constructor(rooms: Rooms & { readonly made: number }, tell: (id: number, reports: readonly Report[]) => void) {
    this.#rooms = rooms;
    this.#tell = tell;
  }

  /** Calls that have not ended. */
  get running(): number {
    return this.#calls.size;
  }

  keep(id: number, order: Order): void {
    const program = new KeptProgram(order, this.#rooms, {
      tell: this.#tell,
      ended: (call, outcome, ranAtMs) => this.#ended(call, outcome, ranAtMs),
      resized: () => this.#limit(),
    });
    this.#programs.set(id, program);
  }

  drop(id: number): void {
    this.#programs.get(id)?.drop();
    this.#programs.delete(id);
  }

  call(id: number, kept: number, order: CallOrder): void {
    const program = this.#programs.get(kept);
    if (!program) throw new TypeError(`no program is kept under ${kept}`);
    const { input, refusal }: ReadInput = order.input === undefined ? inputFrom(order.stdin) : { input: order.input };
    const call: KeptCall = { id, order: { ...order, input } };
    this.#calls.set(id, { program, call });
    if (refusal === undefined) program.add(call);
    else this.#ended(call, { reason: 'invalid', exitCode: exitCodes.usage, message: refusal }, undefined);
  }

  /** @returns whether it is a call of these */
  hear(id: number, answer: Answer): boolean {
    const held = this.#calls.get(id);
    held?.call.told?.hear(answer);
    return held !== undefined;
  }

  /** @returns whether it is a call of these */
  end(id: number, outcome: Outcome): boolean {
    const held = this.#calls.get(id);
    held?.program.end(held.call, outcome);
    return held !== undefined;
  }

  #ended({ id, told }: KeptCall, outcome: Outcome, ranAtMs: number | undefined): void {
    if (!this.#calls.delete(id)) return;
    const end: Report = { type: 'ended', outcome, ranAtMs, isolates: this.#rooms.made };
    if (!told) return this.#tell(id, [end]);
    told.outbox.tell(end);
    told.outbox.flush();
  }

  /** Lets go of the contexts that have been idle longest, where there are too many. */
  #limit(): void {
    const programs = [...this.#programs.values()];
    const contexts = programs.reduce((sum, program) => sum + program.contexts, 0);
    if (contexts > 0) this.#looking ??= setInterval(() => this.#look(), lookMs).unref();
    if (contexts <= maxContexts) return;
    programs.reduce((oldest, program) => (program.idleSince < oldest.idleSince ? program : oldest)).shrink();
  }

  #look(): void {
    const before = performance.now() - maxIdleMs;
    let contexts = 0;
    for (const program of this.#programs.values()) {
      while (program.idleSince < before) program.shrink();
      contexts += program.contexts;
    }
    if (contexts > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }
}
