/** Those who want to know of each execution of a deployment at the moment it is accepted. */

/** What one who reads slowly may have before it: then it loses the oldest. */
const mostWaiting = 100_000;

interface Follower {
  readonly ids: string[];
  isOver: boolean;
  wake: () => void;
}

export class Followers {
  readonly #byDeployment = new Map<string, Set<Follower>>();

  accepted(deployment: string, id: string): void {
    for (const follower of this.#byDeployment.get(deployment) ?? []) {
      if (follower.ids.push(id) > mostWaiting) follower.ids.shift();
      follower.wake();
    }
  }

  /** No more of this deployment comes. */
  end(deployment: string): void {
    for (const follower of this.#byDeployment.get(deployment) ?? []) {
      follower.isOver = true;
      follower.wake();
    }
  }

  endAll(): void {
    for (const deployment of this.#byDeployment.keys()) this.end(deployment);
  }

  /**
   * @param newest asked for once, when nothing that comes afterwards can be missed
   * @returns ids: the newest there is, then each that is accepted, until the signal or the end of the deployment
   */
  async *follow(deployment: string, newest: () => Promise<string | undefined>, signal: AbortSignal): AsyncGenerator<string> {
    const follower: Follower = { ids: [], isOver: false, wake: () => {} };
    const theirs = this.#byDeployment.get(deployment) ?? new Set();
    this.#byDeployment.set(deployment, theirs.add(follower));
    const onAbort = (): void => follower.wake();
    signal.addEventListener('abort', onAbort);
    try {
      const first = await newest();
      if (first !== undefined && !follower.ids.includes(first)) yield first;
      while (!signal.aborted) {
        const id = follower.ids.shift();
        // It was stored when the newest was asked for, and told of after that.
        if (id !== undefined && id !== first) yield id;
        if (id !== undefined) continue;
        if (follower.isOver) return;
        await new Promise<void>((resolve) => (follower.wake = resolve));
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      theirs.delete(follower);
      if (theirs.size === 0) this.#byDeployment.delete(deployment);
    }
  }
}
