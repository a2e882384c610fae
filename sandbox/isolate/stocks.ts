/**
 * The two stocks of a thread, by what is evaluated already in a context: what every program uses, or the interfaces of
 * fetch too.
 *
 * To evaluate those takes 0.4 ms of each program that uses them, to have them in a context 0.15 ms of each that does not
 * (`bench/README.md`, isolate-warm). Either kind serves any program, so a glance at the text decides. The second is made
 * when enough programs have asked for it: its snapshot takes this thread 40 ms.
 */
import type { IsolateTask, Program } from '../../src/model/task.ts';
import type { Room, Rooms } from './cell.ts';
import type { Prelude } from './prelude.ts';
import { Stock } from './stock.ts';

/** Programs that name the interfaces before contexts with them are made. */
const worthwhile = 8;

/** An input named `request` makes a handler of requests (`guest/function.ts`). */
const words = /\b(?:fetch|Request|Response|Headers|FormData|Blob|req|request)\b/;

export class Stocks implements Rooms {
  readonly #plain: Stock;
  readonly #webPrelude: () => Promise<Prelude>;
  #prelude: Promise<Prelude> | undefined;
  #web: Stock | undefined;
  #asked = 0;
  #madeBefore = 0;
  readonly #known = new WeakMap<Program, boolean>();

  /** @param webPrelude makes the one with the interfaces of fetch */
  constructor(plain: Prelude, webPrelude: () => Promise<Prelude>) {
    this.#plain = new Stock(plain);
    this.#webPrelude = webPrelude;
  }

  for({ program }: IsolateTask): Stock {
    if (!this.#namesWeb(program)) return this.#plain;
    if (!this.#web && ++this.#asked >= worthwhile) void this.#makeWeb();
    return this.#web ?? this.#plain;
  }

  /** For a program that is kept: it evaluates what it needs once. */
  take(heapBytes?: number, revision?: string): Room {
    return this.#plain.take(heapBytes, revision);
  }

  giveBack(room: Room, inOrder: boolean): void {
    this.#plain.giveBack(room, inOrder);
  }

  /** How many isolates there have been. */
  get made(): number {
    return this.#madeBefore + this.#plain.made + (this.#web?.made ?? 0);
  }

  /** Lets go of what waits, but for one context. */
  trim(): void {
    this.#plain.trim();
    this.#madeBefore += this.#web?.made ?? 0;
    this.#web?.close();
    this.#web = undefined;
  }

  async #makeWeb(): Promise<void> {
    this.#prelude ??= this.#webPrelude();
    const prelude = await this.#prelude;
    this.#web ??= new Stock(prelude);
  }

  #namesWeb(program: Program): boolean {
    let names = this.#known.get(program);
    if (names === undefined) {
      names = Object.values(program.modules).some(({ code }) => words.test(code));
      this.#known.set(program, names);
    }
    return names;
  }
}
