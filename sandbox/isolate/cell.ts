/**
 * An isolate, and the fresh contexts that programs have in it: one at a time, one after the other.
 *
 * A program sees nothing of those before it, since all that it can reach belongs to its context: the globals with their
 * prototypes, and the two callbacks to its host, which go nowhere once its room is left. What is the isolate's is the heap
 * with its limit, the queue of microtasks (empty after each entry, and a program has ended in order only after one that
 * went well, as has the list of rejections that nobody handled), and the registry behind `Symbol.for`, whose symbols are
 * values without properties and cannot be listed. What V8 may call back later (a FinalizationRegistry, `Atomics.waitAsync`)
 * or keeps for long (memory of WebAssembly) marks the room as spoiled, and the isolate ends with its program.
 */
import ivm from 'isolated-vm';
import { Recent } from '../../src/base/recent.ts';
import { type GuestFunction, entryOf } from './engine.ts';
import { hostFunctions, type Host } from './guest/host.ts';
import type { StartTold } from './start.ts';
import { compile, type Prelude } from './prelude.ts';

const maxCompiled = 16;

export class Cell {
  readonly isolate: ivm.Isolate;
  /** Its value in a context is `boot` of the prelude. */
  readonly #opening: ivm.Script;
  readonly #parts: Prelude['parts'];
  readonly heapBytes: number;
  /** How many rooms it has had. */
  rooms = 0;
  /** Programs of which V8 still has compiled code, unless it was short of memory since. */
  readonly #compiled = new Recent<string, true>(maxCompiled);

  /** @param heapBytes limit of the heap */
  constructor({ opening, parts, snapshot }: Prelude, heapBytes: number) {
    this.heapBytes = heapBytes;
    const memoryLimit = Math.max(8, Math.floor(heapBytes / 2 ** 20));
    this.isolate = new ivm.Isolate({ memoryLimit, ...(snapshot && { snapshot }) });
    this.#opening = compile(this.isolate, opening);
    this.#parts = parts;
  }

  /** Blocks, as `Room.enter` does: it is the platform's own code, takes half a millisecond, and other threads cost more. */
  open(): Room {
    this.rooms++;
    const context = this.isolate.createContextSync();
    return new Room(this, context, entryOf(this.#opening.runSync(context, { reference: true })));
  }

  /** A module of the prelude, for a program that waits for it on this very thread. */
  part(id: string, context: ivm.Context): unknown {
    const script = this.#parts?.get(id)?.();
    if (!script) throw new TypeError('the platform has no such part');
    const found = compile(this.isolate, script, id).runSync(context, { reference: true });
    return found.derefInto({ release: true });
  }

  /** @param revision of the program that is compiled in it next */
  note(revision: string): void {
    this.#compiled.set(revision, true);
  }

  knows(revision: string): boolean {
    return this.#compiled.has(revision);
  }

  /** What is in use in it, or has not been collected yet, bytes. Takes up to 30 µs, as V8 counts its contexts on the way. */
  get memory(): { readonly heap: number; readonly buffers: number } {
    const { used_heap_size, externally_allocated_size } = this.isolate.getHeapStatisticsSync();
    return { heap: used_heap_size, buffers: externally_allocated_size };
  }

  close(): void {
    if (!this.isolate.isDisposed) this.isolate.dispose();
  }
}

/** What the host does when the guest calls a function of its own. */
type Answer = (name: keyof Host, args: readonly unknown[]) => unknown;

/** A context with the platform in it, which no program has seen yet. */
export class Room {
  readonly cell: Cell;
  readonly context: ivm.Context;
  readonly #boot: GuestFunction;
  #guest: GuestFunction | undefined;
  #answer: Answer | undefined;
  #cpuBefore = 0n;
  /** The isolate may still call what belongs to the program. */
  isSpoiled = false;

  constructor(cell: Cell, context: ivm.Context, boot: GuestFunction) {
    this.cell = cell;
    this.context = context;
    this.#boot = boot;
  }

  /**
   * Connects it with the host of a program.
   * @param answer does what the guest asks for
   * @param blocking entries of the guest block this thread, so nothing can be told to it without waiting; others need a
   *   prelude that has all in a snapshot
   * @returns what calls the guest's entries by name
   */
  enter(answer: Answer, told: StartTold, blocking: boolean, gate?: SharedArrayBuffer): GuestFunction {
    this.#answer = answer;
    this.#cpuBefore = this.cell.isolate.cpuTime;
    const call = (index: unknown, ...args: unknown[]): unknown => this.#call(index, args);
    const ask = new ivm.Callback(call);
    const tell = blocking ? ask : new ivm.Callback(call, { ignored: true });
    const given = [
      ask,
      tell,
      told.json,
      told.isModule,
      told.body && copied(told.body),
      gate && copied(gate),
    ] as ivm.Transferable[];
    this.#guest = entryOf(this.#boot.applySync(undefined, given, { result: { reference: true } }));
    this.#boot.release();
    return this.#guest;
  }

  /** For how long the program in it has had a thread. */
  get cpuMs(): number {
    return Number(this.cell.isolate.cpuTime - this.#cpuBefore) / 1e6;
  }

  /** What still runs in it, if anything, reaches nobody any more. */
  leave(): void {
    this.#answer = undefined;
    if (this.cell.isolate.isDisposed) return;
    (this.#guest ?? this.#boot).release();
    this.context.release();
  }

  #call(index: unknown, args: unknown[]): unknown {
    const name = hostFunctions[Number(index)];
    if (name === undefined) throw new TypeError('the host has no such function');
    if (name === 'part') return this.cell.part(String(args[0]), this.context);
    return this.#answer?.(name, args);
  }
}

function copied(value: object): unknown {
  return new ivm.ExternalCopy(value).copyInto({ release: true });
}

/** Where a session has its room from. */
export interface Rooms {
  /**
   * @param heapBytes the limit that the program asks for
   * @param revision names the program, where it may come again
   */
  take(heapBytes: number | undefined, revision?: string): Room;
  /** @param inOrder whether nothing of its program can go on by itself */
  giveBack(room: Room, inOrder: boolean): void;
}

/** An isolate for each program. */
export function freshRooms(prelude: Prelude, defaultHeapBytes: number): Rooms {
  return {
    take: (heapBytes = defaultHeapBytes) => new Cell(prelude, heapBytes).open(),
    giveBack: ({ cell }) => cell.close(),
  };
}
