const blockLength = 256;

/** Numbers that come ascending and go in any order, in blocks, so that those up to one of them are counted in few steps. */
export class Orders {
  readonly #blocks = new Map<number, Set<number>>();

  add(order: number): void {
    const number = Math.floor(order / blockLength);
    const block = this.#blocks.get(number);
    if (block) block.add(order);
    else this.#blocks.set(number, new Set([order]));
  }

  delete(order: number): void {
    const number = Math.floor(order / blockLength);
    const block = this.#blocks.get(number);
    block?.delete(order);
    if (block?.size === 0) this.#blocks.delete(number);
  }

  countUpTo(order: number): number {
    const number = Math.floor(order / blockLength);
    let count = 0;
    for (const [each, block] of this.#blocks) {
      if (each >= number) break;
      count += block.size;
    }
    for (const each of this.#blocks.get(number) ?? []) if (each <= order) count++;
    return count;
  }
}
