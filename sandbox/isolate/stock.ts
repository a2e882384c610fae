/**
 * The isolates of a thread that wait for a program.
 *
 * To make an isolate costs 1.5 ms, a fresh context in one that is there 0.5. And V8 keeps what it has compiled in an isolate
 * (330 kB of source: 22 ms the first time, 0.3 then), so a program gets one that has run it, where there is one. A program that ended in order leaves its
 * isolate for the next one (`cell.ts` has what that may see of it), and while the thread has nothing else to do, the
 * next context is made ready in it. An isolate is let go after a number of programs, as its memory does not all come back,
 * or when a program has left much of it in use.
 *
 * All this is for the heaps that programs have without a limit of their own, each a shelf: those of executions, and those of
 * `prisn run`. With a limit of its own a program has an isolate of its own.
 */
import { foregroundHeapBytes } from '../../src/model/foreground-run.ts';
import { Cell, type Room, type Rooms } from './cell.ts';
import type { Prelude } from './prelude.ts';

/** Heap of an execution that asks for no limit of its own. */
const defaultHeapBytes = 128 * 2 ** 20;
const usualHeaps: ReadonlySet<number> = new Set([defaultHeapBytes, foregroundHeapBytes]);

const programsPerCell = 200;

/**
 * What may be in use, or not collected yet, in an isolate that serves on. V8 collects the heap before it refuses memory;
 * the buffers that it finds to be garbage are counted until some time later, so they are missing to the next program.
 */
const maxHeapLeft = defaultHeapBytes / 4;
const maxBuffersLeft = 4 * 2 ** 20;

/** Contexts that are made ahead: one ready is what a single caller needs, and a burst makes its own. */
const maxReady = 2;
/** Isolates beside those: as many come back as are taken, and each holds 10 to 20 MB that V8 has not collected. */
const maxIdle = 2;

export class Stock implements Rooms {
  readonly #prelude: Prelude;
  /** By the heap of their isolates. */
  readonly #shelves = new Map<number, Shelf>();
  #last: Shelf;
  #unusual = 0;

  constructor(prelude: Prelude) {
    this.#prelude = prelude;
    this.#last = this.#shelfOf(defaultHeapBytes);
  }

  /** How many isolates there have been. */
  get made(): number {
    return [...this.#shelves.values()].reduce((sum, { made }) => sum + made, this.#unusual);
  }

  take(heapBytes = defaultHeapBytes, revision?: string): Room {
    if (usualHeaps.has(heapBytes)) {
      this.#last = this.#shelfOf(heapBytes);
      return this.#last.take(revision);
    }
    this.#unusual++;
    return new Cell(this.#prelude, heapBytes).open();
  }

  giveBack(room: Room, inOrder: boolean): void {
    const shelf = this.#shelves.get(room.cell.heapBytes);
    if (shelf) return shelf.giveBack(room, inOrder);
    room.leave();
    room.cell.close();
  }

  /** Lets go of what waits, but for one context in a new isolate, of the kind that was asked for last. */
  trim(): void {
    for (const shelf of this.#shelves.values()) shelf.trim(shelf === this.#last ? 1 : 0);
  }

  close(): void {
    for (const shelf of this.#shelves.values()) shelf.close();
  }

  #shelfOf(heapBytes: number): Shelf {
    const known = this.#shelves.get(heapBytes);
    if (known) return known;
    const shelf = new Shelf(this.#prelude, heapBytes);
    this.#shelves.set(heapBytes, shelf);
    return shelf;
  }
}

class Shelf {
  readonly #prelude: Prelude;
  readonly #heapBytes: number;
  /** Those that may serve on: busy, ready or idle. */
  readonly #cells = new Set<Cell>();
  readonly #ready: Room[] = [];
  readonly #idle: Cell[] = [];
  #preparing: NodeJS.Immediate | undefined;
  made = 0;

  constructor(prelude: Prelude, heapBytes: number) {
    this.#prelude = prelude;
    this.#heapBytes = heapBytes;
    this.#prepareSoon();
  }

  take(revision: string | undefined): Room {
    const room = (revision !== undefined && this.#knowing(revision)) || (this.#ready.pop() ?? this.#cell().open());
    if (revision !== undefined) room.cell.note(revision);
    return room;
  }

  /** One in an isolate that has run the program before, and compiles it in no time. */
  #knowing(revision: string): Room | undefined {
    const ready = this.#ready.findLastIndex(({ cell }) => cell.knows(revision));
    if (ready >= 0) return this.#ready.splice(ready, 1)[0];
    const idle = this.#idle.findLastIndex((cell) => cell.knows(revision));
    return idle < 0 ? undefined : this.#idle.splice(idle, 1)[0]?.open();
  }

  giveBack(room: Room, inOrder: boolean): void {
    const { cell } = room;
    room.leave();
    if (inOrder && !room.isSpoiled && this.#mayServe(cell)) this.#idle.push(cell);
    else this.#close(cell);
    this.#prepareSoon();
  }

  /** @param most contexts that are to be ready then, in new isolates */
  trim(most: number): void {
    for (const cell of [...this.#idle.splice(0), ...this.#ready.splice(0).map((room) => room.cell)]) this.#close(cell);
    this.#prepareSoon(most);
  }

  close(): void {
    clearImmediate(this.#preparing);
    for (const cell of this.#cells) cell.close();
  }

  #mayServe(cell: Cell): boolean {
    if (cell.isolate.isDisposed) return false;
    if (cell.rooms >= programsPerCell || this.#idle.length >= maxIdle) return false;
    const { heap, buffers } = cell.memory;
    return heap <= maxHeapLeft && buffers <= maxBuffersLeft;
  }

  #cell(): Cell {
    const idle = this.#idle.pop();
    if (idle) return idle;
    this.made++;
    const cell = new Cell(this.#prelude, this.#heapBytes);
    this.#cells.add(cell);
    return cell;
  }

  #close(cell: Cell): void {
    this.#cells.delete(cell);
    cell.close();
  }

  /**
   * In the turn after the next: first comes what this one has to tell, and what was asked meanwhile.
   * @param most contexts that are to be ready then
   */
  #prepareSoon(most = maxReady): void {
    if (this.#ready.length >= most) return;
    this.#preparing ??= setImmediate(() => {
      this.#preparing = setImmediate(() => this.#prepare(most));
    });
  }

  #prepare(most: number): void {
    this.#preparing = undefined;
    if (this.#ready.length >= most) return;
    // Where enough of them are busy, the next that comes back will do.
    if (this.#idle.length === 0 && this.#cells.size >= most) return;
    const cell = this.#cell();
    try {
      this.#ready.push(cell.open());
    } catch {
      // Who needs a context next tries by itself, and hears of it.
      return this.#close(cell);
    }
    this.#prepareSoon(most);
  }
}
