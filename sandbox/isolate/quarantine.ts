/**
 * Where suspects of one domain run: with no other program beside them, so that one that takes its host along is known.
 *
 * They stand in a line for one host. One that runs for longer than `patienceMs` is left alone with it, and the next one
 * gets another: so neither does a long program hold up the line, nor does a crowd start as many processes at once.
 */
import { canceled, type Outcome } from '../../src/model/outcome.ts';
import type { IsolateTask } from '../../src/model/task.ts';
import { interrupted } from './endings.ts';
import type { IsolateHost } from './host-process.ts';
import type { IsolateRunning, IsolateSink } from './pool.ts';

const patienceMs = 1000;

export class Quarantine {
  readonly #newHost: () => IsolateHost;
  readonly #whenEmpty: () => void;
  readonly #line: Suspect[] = [];
  #isServing = false;

  /** @param whenEmpty is told when nobody is in the line any more */
  constructor(newHost: () => IsolateHost, whenEmpty: () => void) {
    this.#newHost = newHost;
    this.#whenEmpty = whenEmpty;
  }

  start(task: IsolateTask, sink: IsolateSink): IsolateRunning {
    const suspect = new Suspect(task, sink);
    this.#line.push(suspect);
    if (!this.#isServing) void this.#serve();
    return suspect;
  }

  /** Those in the line end as `interrupted`. */
  close(): void {
    for (const suspect of this.#line.splice(0)) suspect.settle(interrupted);
  }

  async #serve(): Promise<void> {
    this.#isServing = true;
    let host: IsolateHost | undefined;
    for (let next = this.#line.shift(); next; next = this.#line.shift()) {
      if (next.isSettled) continue;
      host = host?.isServing ? host : this.#newHost();
      next.begin(host);
      if (await isOver(next.exited)) continue;
      host.leave();
      host = undefined;
    }
    host?.leave();
    this.#isServing = false;
    this.#whenEmpty();
  }
}

/** In the line, then in a host. */
class Suspect implements IsolateRunning {
  readonly #task: IsolateTask;
  readonly #sink: IsolateSink;
  readonly #settled = Promise.withResolvers<Outcome>();
  #running: IsolateRunning | undefined;
  isSettled = false;

  constructor(task: IsolateTask, sink: IsolateSink) {
    this.#task = task;
    this.#sink = sink;
  }

  get exited(): Promise<Outcome> {
    return this.#settled.promise;
  }

  begin(host: IsolateHost): void {
    this.#running = host.start(this.#task, this.#sink);
    this.#settled.resolve(this.#running.exited);
  }

  settle(outcome: Outcome): void {
    this.isSettled = true;
    this.#settled.resolve(outcome);
  }

  readonly stop = (): void => {
    if (this.#running) this.#running.stop();
    else this.settle(canceled);
  };

  readonly taken = (bytes: number): void => this.#running?.taken(bytes);
  readonly input = (text: string | undefined): void => this.#running?.input(text);
}

/** Whether it comes within the time that others in the line can wait. */
async function isOver(exited: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), patienceMs);
  const over = await Promise.race([exited.then(() => true), late.promise]);
  clearTimeout(timer);
  return over;
}
