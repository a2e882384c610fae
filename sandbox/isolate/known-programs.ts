/**
 * What a thread of an isolate host has, seen from the pool: programs that come again and again, and those that it keeps in
 * contexts of theirs. Each is sent to it once, and then goes by a number.
 *
 * Two tasks are calls of one program that is kept where all is the same but the execution, the request and the input: so a
 * context is seen by nobody else, and neither a changed secret nor a new revision finds an old one.
 */
import { Recent } from '../../src/base/recent.ts';
import type { FunctionRequest, IsolateTask, Program } from '../../src/model/task.ts';
import { type CallOrder, executionVariable, type Order, type SentOrder, type ToWorker } from './protocol.ts';
import { bodyOf } from './start.ts';

/** Of each kind, in a thread. */
const maxKnown = 64;

export class KnownPrograms {
  readonly #tell: (message: ToWorker) => void;
  /** Numbers, by revision. */
  readonly #programs: Recent<string, number>;
  /** Numbers, by identity. */
  readonly #kept: Recent<string, number>;
  #last = 0;

  constructor(tell: (message: ToWorker) => void) {
    this.#tell = tell;
    this.#programs = new Recent(maxKnown, { letGo: (id) => tell({ id, type: 'forgetProgram' }) });
    this.#kept = new Recent(maxKnown, { letGo: (id) => tell({ id, type: 'drop' }) });
  }

  get keepsAny(): boolean {
    return this.#kept.size > 0;
  }

  keeps(identity: string): boolean {
    return this.#kept.has(identity);
  }

  /** The order as it is to be sent. */
  sent({ task, ...rest }: Order): SentOrder {
    const { revision, program } = task;
    return { ...rest, task: { ...task, program: revision === undefined ? program : this.#numberOf(revision, program) } };
  }

  /**
   * Has the thread keep the program, if it does not yet.
   * @param identity of `identityOf`
   * @returns what calls of it name it by
   */
  kept(identity: string, { task, ...rest }: Order): number {
    let number = this.#kept.get(identity);
    if (number !== undefined) return number;
    number = ++this.#last;
    const { request: _request, input: _input, stdin: _stdin, ...kept } = task;
    this.#tell({ id: number, type: 'keep', order: this.sent({ ...rest, task: kept }) });
    this.#kept.set(identity, number);
    return number;
  }

  #numberOf(revision: string, program: Program): number {
    let number = this.#programs.get(revision);
    if (number !== undefined) return number;
    number = ++this.#last;
    this.#tell({ id: number, type: 'program', program });
    this.#programs.set(revision, number);
    return number;
  }
}

/** The same for tasks that are calls of one program; undefined for one that is not kept. */
export function identityOf({
  reuse,
  revision,
  calledAs,
  args,
  env,
  cwd,
  returns,
  paced,
  limits,
}: IsolateTask): string | undefined {
  if (!reuse || revision === undefined) return undefined;
  const shared = { ...env, [executionVariable]: undefined };
  return JSON.stringify([revision, calledAs, args, cwd, shared, returns, paced, limits.memoryBytes]);
}

/** What of a task is the call's own. */
export function callOf({ env, request, input, stdin }: IsolateTask): CallOrder {
  const executionId = env[executionVariable];
  if (!request) return { executionId, input, stdin };
  return { executionId, head: headOf(request), body: bodyOf(request.body) };
}

function headOf({ method, url, headers }: FunctionRequest): string {
  return JSON.stringify([method, url, headers]);
}
