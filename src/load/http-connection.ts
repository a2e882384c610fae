/** A connection that asks one thing after the other, is kept, and is opened anew when it is gone. Its requests are bytes made once. */
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { errnoOf, messageOf } from '../base/error.ts';
import { type Reply, ReplyReader } from './http-reply.ts';

/** Where requests go. */
export type Origin = NetConnectOpts & { readonly isTls?: boolean; readonly servername?: string };

/** `ms` from the moment it was sent; the time to connect counts where that had to be done. */
export type Exchange = { readonly reply: Reply; readonly ms: number } | { readonly failure: string; readonly ms: number };

export class HttpConnection {
  readonly #origin: Origin;
  readonly #timeoutMs: number;
  #socket: Socket | undefined;
  #reader = new ReplyReader();
  #waiting: ((end: Reply | string) => void) | undefined;

  /** @param timeoutMs from a request to its whole answer */
  constructor(origin: Origin, timeoutMs: number) {
    this.#origin = origin;
    this.#timeoutMs = timeoutMs;
  }

  /** @param request head and body; the one before has ended */
  async exchange(request: Buffer): Promise<Exchange> {
    const giveUp = setTimeout(() => this.#fail(`no answer within ${this.#timeoutMs / 1000} s`), this.#timeoutMs);
    const sentAt = performance.now();
    const end = await new Promise<Reply | string>((resolve) => {
      this.#waiting = resolve;
      this.#socket ??= this.#open();
      this.#socket.write(request);
    });
    const ms = performance.now() - sentAt;
    clearTimeout(giveUp);
    return typeof end === 'string' ? { failure: end, ms } : { reply: end, ms };
  }

  /** A request that has no answer yet fails. */
  close(): void {
    this.#fail('closed');
  }

  #open(): Socket {
    const socket = this.#origin.isTls
      ? process.getBuiltinModule('node:tls').connect({ ...this.#origin, ALPNProtocols: ['http/1.1'] })
      : connect(this.#origin);
    this.#reader = new ReplyReader();
    socket.setNoDelay(true);
    const isCurrent = (): boolean => socket === this.#socket;
    socket.on('data', (bytes: Buffer) => {
      if (isCurrent()) this.#read(bytes);
    });
    socket.on('error', (error) => isCurrent() && this.#fail(errnoOf(error) ?? messageOf(error)));
    socket.on('close', () => {
      if (!isCurrent()) return;
      const reply = this.#reader.end();
      if (reply) this.#end(reply);
      else this.#fail('the connection was closed');
    });
    return socket;
  }

  #read(bytes: Buffer): void {
    try {
      const reply = this.#reader.read(bytes);
      if (reply) this.#end(reply);
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  #end(reply: Reply): void {
    if (!reply.isKept) this.#drop();
    this.#settle(reply);
  }

  #fail(why: string): void {
    this.#drop();
    this.#settle(why);
  }

  #settle(end: Reply | string): void {
    const settle = this.#waiting;
    this.#waiting = undefined;
    settle?.(end);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }
}
