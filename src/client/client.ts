/**
 * Calls of the API, typed by its contract.
 *
 * An operation is looked up in `routes.ts`, which says method and path; what goes in and comes out is known by the types of
 * `schemas.ts` alone, and checked by the server. Requests go over a unix socket or TCP (`transport.ts`); nothing else is loaded, since every command of the CLI starts with this file. An answer that says that the operation
 * failed becomes a `PrisnError` with the server's code; no answer becomes `unreachable`.
 *
 * An answer has to begin within 30 s, but for calls that wait for an execution, which may take an hour, and uploads. These, and
 * logs that are followed, go on for as long as the server answers other questions (`liveness.ts`); whoever has a deadline hands
 * in a signal.
 */
import type { Readable } from 'node:stream';
import { routes, type OperationName } from '../api/contract/routes.ts';
import type { Input, Output } from '../api/contract/schemas.ts';
import { PrisnError } from '../base/error.ts';
import { type Address, formatAddress } from './address.ts';
import { brokenAnswer, errorOf, isNobodyThere, unreachable } from './errors.ts';
import { type Watch, watchServer } from './liveness.ts';
import type { Answer } from './local-request.ts';
import { type Request, Transport } from './transport.ts';

/** Fields that may be absent may be given as undefined too: they are not sent. */
type Lenient<Fields> = { [Key in keyof Fields]: {} extends Pick<Fields, Key> ? Fields[Key] | undefined : Fields[Key] };

type Part<Key extends string, Fields> = Fields extends undefined
  ? {}
  : {} extends Fields
    ? { readonly [K in Key]?: Lenient<Fields> | undefined }
    : { readonly [K in Key]: Lenient<Fields> };

/** What an operation takes, with what any may have: more headers, and bytes in the place of a JSON body. */
export type CallInput<Name extends OperationName> = Part<'params', Input<Name>['params']> &
  Part<'query', Input<Name>['query']> &
  Part<'body', Input<Name>['body']> & {
    readonly headers?: Readonly<Record<string, string>>;
    /** A gzipped tar. */
    readonly upload?: Readable | Uint8Array;
    /** Members of the body by their JSON text, which goes up as it is: a number here would lose digits. */
    readonly texts?: Readonly<Record<string, string>>;
  };

type CallArguments<Name extends OperationName> =
  {} extends CallInput<Name> ? [input?: CallInput<Name>, signal?: AbortSignal] : [input: CallInput<Name>, signal?: AbortSignal];

export interface Reply<Body> {
  readonly status: number;
  readonly body: Body;
}

type Scalars = Readonly<Record<string, string | number | boolean | undefined>>;

/** An input whose types are forgotten, to be sent. */
interface AnyInput {
  readonly params?: Scalars | undefined;
  readonly query?: Scalars | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly upload?: Readable | Uint8Array;
  readonly texts?: Readonly<Record<string, string>>;
}

/** Where to turn to when nobody listens at an address any more. @throws the error that is to be told instead */
export type Elsewhere = (error: unknown) => Promise<Address>;

/** Until an answer begins, where the call itself does not wait for something. */
const answerMs = 30_000;

export class Client {
  #address: Address;
  #transport: Transport;
  readonly #advice: string;
  #elsewhere: Elsewhere | undefined;

  /**
   * @param advice what to do when nothing answers there
   * @param elsewhere is asked once
   */
  constructor(
    address: Address,
    advice = 'see that it runs there, and that --server or PRISN_SERVER names it',
    elsewhere?: Elsewhere,
  ) {
    this.#address = address;
    this.#transport = new Transport(address);
    this.#advice = advice;
    this.#elsewhere = elsewhere;
  }

  get address(): Address {
    return this.#address;
  }

  /**
   * Calls an operation.
   * @returns what it answers; undefined where that is nothing
   * @throws PrisnError with the server's code; `unreachable`, also at the end of an `AbortSignal.timeout`; another signal's reason when it is aborted
   */
  async call<Name extends OperationName>(name: Name, ...args: CallArguments<Name>): Promise<Output<Name>> {
    return (await this.exchange(name, ...args)).body;
  }

  /** As `call`, for those who want to know the HTTP status as well: 201 where 200 would mean that it was there already. */
  async exchange<Name extends OperationName>(name: Name, ...args: CallArguments<Name>): Promise<Reply<Output<Name>>> {
    const [input = {}, given] = args as [AnyInput?, AbortSignal?];
    const watch = this.#watch(input, given);
    const signal = watch?.signal ?? given;
    try {
      const reply = await this.#request(name, input, signal);
      const text = await this.#textOf(reply, signal);
      const body = text === '' ? undefined : this.#parse(text);
      return { status: reply.statusCode ?? 0, body: body as Output<Name> };
    } finally {
      watch?.end();
    }
  }

  /**
   * Calls an operation that answers with bytes: logs, a backup. `headers.accept` says in which form.
   * @throws as `call`, also while it is read
   */
  async *stream<Name extends OperationName>(name: Name, ...args: CallArguments<Name>): AsyncGenerator<Buffer> {
    const [input = {}, given] = args as [AnyInput?, AbortSignal?];
    const watch = this.#watch(input, given);
    const signal = watch?.signal ?? given;
    let reply: Answer | undefined;
    try {
      reply = await this.#request(name, input, signal);
      for await (const chunk of reply) yield chunk as Buffer;
    } catch (error) {
      throw this.#failure(error, signal);
    } finally {
      watch?.end();
      reply?.destroy();
    }
  }

  /** What stands at the root beside the API: `/ready` and its like. Never throws for a status. */
  async page(path: string, signal?: AbortSignal): Promise<{ status: number; text: string }> {
    const reply = await this.#send({ method: 'GET', path, headers: {}, answerMs }, undefined, signal);
    return { status: reply.statusCode ?? 0, text: await this.#textOf(reply, signal) };
  }

  /** Ends the kept connections. */
  close(): void {
    this.#transport.close();
  }

  #watch(input: AnyInput, signal: AbortSignal | undefined): Watch | undefined {
    return answersLate(input) || input.query?.['follow'] === true ? watchServer(() => this.page('/ready'), signal) : undefined;
  }

  async #request(name: OperationName, input: AnyInput, signal?: AbortSignal): Promise<Answer> {
    const { method, path } = routes[name];
    const body = input.upload ?? (input.body === undefined ? undefined : Buffer.from(bodyText(input.body, input.texts)));
    const headers = {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': input.upload ? 'application/gzip' : 'application/json' }),
      ...input.headers,
    };
    const target = fillPath(path, input.params ?? {}) + queryText(input.query ?? {});
    const reply = await this.#send({ method, path: target, headers, ...(!answersLate(input) && { answerMs }) }, body, signal);
    const status = reply.statusCode ?? 0;
    if (status >= 200 && status < 300) return reply;
    throw errorOf(
      status,
      reply.headers['retry-after'] as string | undefined,
      await this.#textOf(reply, signal),
      formatAddress(this.address),
    );
  }

  async #send(request: Request, body: Readable | Uint8Array | undefined, signal: AbortSignal | undefined): Promise<Answer> {
    try {
      return await this.#transport.send(request, body, signal);
    } catch (error) {
      const elsewhere = this.#elsewhere;
      // A stream is used up by then.
      const isUnsent = isNobodyThere(error) && (body === undefined || body instanceof Uint8Array);
      if (!elsewhere || !isUnsent) throw this.#failure(error, signal);
      this.#elsewhere = undefined;
      this.close();
      this.#address = await elsewhere(this.#failure(error, signal));
      this.#transport = new Transport(this.#address);
      return this.#send(request, body, signal);
    }
  }

  async #textOf(reply: Answer, signal: AbortSignal | undefined): Promise<string> {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of reply) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString();
    } catch (error) {
      throw this.#failure(error, signal);
    }
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw brokenAnswer(formatAddress(this.address), error);
    }
  }

  #failure(error: unknown, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted && !isTimeout(signal.reason)) return signal.reason;
    return unreachable(
      signal?.aborted ? new Error('it does not answer in time') : error,
      formatAddress(this.address),
      this.#advice,
    );
  }
}

/** The answer comes when something else has come to its end. */
function answersLate({ query, upload }: AnyInput): boolean {
  return query?.['wait'] !== undefined || upload !== undefined;
}

function bodyText(body: unknown, texts: Readonly<Record<string, string>> = {}): string {
  const whole = JSON.stringify(body);
  const members = Object.entries(texts).map(([name, text]) => `${JSON.stringify(name)}:${text}`);
  if (members.length === 0) return whole;
  return `${whole === '{}' ? '{' : `${whole.slice(0, -1)},`}${members.join(',')}}`;
}

/** What `AbortSignal.timeout` gives as its reason. */
function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError';
}

function fillPath(path: string, params: Scalars): string {
  return path.replace(/:(\w+)/g, (_, name: string) => {
    const value = String(params[name] ?? '');
    // A URL would lose a segment of dots, and an empty one would name the list.
    if (/^\.{0,2}$/.test(value)) throw new PrisnError('usage', `'${value}' is not a name`);
    return encodeURIComponent(value);
  });
}

function queryText(query: Scalars): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
