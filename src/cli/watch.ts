/**
 * `get -w`: the list is asked for again and again, 50 ms after each answer, over one kept connection; so a change is seen
 * within 100 ms, and a slow server is asked less often. On a terminal the table is drawn over the last one; elsewhere the
 * rows that changed are added, and one that is as before is not shown twice.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { isTerminal } from '../base/terminal.ts';
import { type Format, headOf, isTable, rowsOf, structured, tableText, type View, write } from './output.ts';
import { table } from './table.ts';
import { clipped } from './text-width.ts';

const intervalMs = 50;

/** A list that can be watched. */
export interface Watched<Item> extends View<Item> {
  /** What tells it from all others, where its name does not. */
  identityOf?(item: Item): string;
  /** How an item that is there no more is shown; without it such an item is passed over. */
  gone?(item: Item): Item;
}

export interface WatchOptions {
  readonly output: Format;
  readonly headers: boolean;
}

/**
 * Shows changes until the process is ended.
 * @param fetch the present list
 * @throws what `fetch` throws
 */
export async function watch<Item>(
  view: Watched<Item>,
  fetch: () => Promise<readonly Item[]>,
  options: WatchOptions,
): Promise<never> {
  const screen: { show(items: readonly Item[]): Promise<void> } =
    isTable(options.output) && isTerminal(1) ? new Redrawn(view, options) : new Added(view, options);
  for (;;) {
    await screen.show(await fetch());
    await pause(intervalMs);
  }
}

/** A table on a terminal, in its place. */
class Redrawn<Item> {
  readonly #view: View<Item>;
  readonly #wide: boolean;
  readonly #headers: boolean;
  #last = '';
  #height = 0;

  constructor(view: View<Item>, { output, headers }: WatchOptions) {
    this.#view = view;
    this.#wide = output === 'wide';
    this.#headers = headers;
  }

  async show(items: readonly Item[]): Promise<void> {
    // A terminal may not know its size, and says 0.
    const [columns, rows] = [process.stdout.columns || 80, process.stdout.rows || 24];
    const head = this.#headers ? [headOf(this.#view, this.#wide)] : [];
    const all = tableText([...head, ...rowsOf(this.#view, items, this.#wide)])
      .trimEnd()
      .split('\n');
    // One line stays for the cursor, so that nothing scrolls; one that wraps would be two.
    const lines = all.length < rows ? all : [...all.slice(0, rows - 2), `… ${all.length - rows + 2} more`];
    const text = lines.map((line) => `${clipped(line, columns)}\x1b[K\n`).join('');
    if (text === this.#last) return;
    const up = this.#height > 0 ? `\x1b[${this.#height}A` : '';
    this.#last = text;
    this.#height = lines.length;
    await write(`${up}${text}\x1b[J`);
  }
}

/** Rows on a pipe, each when it changes. */
class Added<Item> {
  readonly #view: Watched<Item>;
  readonly #output: Format;
  #headers: boolean;
  #known = new Map<string, { readonly item: Item; readonly told: string }>();
  #isFirst = true;

  constructor(view: Watched<Item>, { output, headers }: WatchOptions) {
    this.#view = view;
    this.#output = output;
    this.#headers = headers && isTable(output);
  }

  async show(items: readonly Item[]): Promise<void> {
    const known = new Map(items.map((item) => [this.#identityOf(item), { item, told: this.#told(item) }]));
    const changed = items.filter((item) => {
      const identity = this.#identityOf(item);
      return this.#known.get(identity)?.told !== known.get(identity)?.told;
    });
    const { gone } = this.#view;
    const left = gone ? [...this.#known].filter(([identity]) => !known.has(identity)).map(([, { item }]) => gone(item)) : [];
    this.#known = known;
    // Lists have the newest first; what is added below the list goes on in the order of time.
    const news = this.#isFirst ? changed : [...left, ...changed.toReversed()];
    this.#isFirst = false;
    if (news.length > 0) await write(await this.#text(items, news));
  }

  #identityOf(item: Item): string {
    return this.#view.identityOf?.(item) ?? this.#view.nameOf(item);
  }

  /** What of an item a reader would see change. */
  #told(item: Item): string {
    if (this.#output === 'name') return '';
    if (!isTable(this.#output)) return JSON.stringify(item);
    return JSON.stringify(this.#columns().map((column) => (column.ages ? '' : column.cell(item, 0))));
  }

  #columns(): View<Item>['columns'] {
    return this.#view.columns.filter(({ wide }) => this.#output === 'wide' || wide !== true);
  }

  async #text(items: readonly Item[], news: readonly Item[]): Promise<string> {
    if (this.#output === 'json') return news.map((item) => `${JSON.stringify(item)}\n`).join('');
    if (this.#output === 'yaml')
      return (await Promise.all(news.map(async (item) => `---\n${await structured(item, 'yaml')}`))).join('');
    if (this.#output === 'name') return news.map((item) => `${this.#view.nameOf(item)}\n`).join('');
    const wide = this.#output === 'wide';
    const head = headOf(this.#view, wide);
    // All rows make the columns, so that rows of different moments stand below each other.
    const lines = table([head, ...rowsOf(this.#view, news, wide), ...rowsOf(this.#view, items, wide)]).split('\n');
    const shown = lines.slice(this.#headers ? 0 : 1, news.length + 1);
    this.#headers = false;
    return `${shown.join('\n')}\n`;
  }
}
