/**
 * A default export that answers an HTTP request, called in node as in an isolate (`sandbox/isolate/guest/function.ts`):
 * the body of the request is standard input, and the answer is written to standard output with the header block of CGI
 * (RFC 3875, 6).
 *
 * A program without one prints its answer itself. So what is printed is held until it is known which of both this is;
 * beside an answer it goes to standard error, where it is in the log and in nobody's way.
 */

export interface RequestHead {
  readonly method: string;
  /** Absolute. */
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What has been printed so far, until it is given to one of two places; of itself it is the answer. */
export interface Printed {
  readonly isEmpty: boolean;
  isAnswer(): void;
  /** @returns what writes to standard output from now on; resolves when there is room for more */
  isLog(): (chunk: Uint8Array) => Promise<void>;
}

type Handler = (...args: unknown[]) => unknown;

/** Taken before the program can replace them. */
const { parse, stringify } = JSON;
const { Request, Response } = globalThis;
const functionText = Function.prototype.toString.call.bind(Function.prototype.toString) as (value: unknown) => string;

const space = String.raw`(?:\s|/\*[^]*?\*/|//[^\n]*\n)*`;
const firstParameter = new RegExp(
  String.raw`^(?:async\b)?${space}(?:function${space}\*?${space}[^\s(*/]*${space})?\(?${space}req(?:uest)?${space}[,)=]`,
);

export function holdPrinted(): Printed {
  const { stdout, stderr } = process;
  const original = stdout.write.bind(stdout);
  const held: Buffer[] = [];
  const giveTo = (write: typeof original): void => {
    process.off('exit', isAnswer);
    stdout.write = write;
    for (const chunk of held.splice(0)) write(chunk);
  };
  const isAnswer = (): void => giveTo(original);
  stdout.write = (chunk: Uint8Array | string, encoding?: unknown, callback?: unknown): boolean => {
    held.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding as BufferEncoding) : Buffer.from(chunk));
    const done = typeof encoding === 'function' ? encoding : callback;
    if (typeof done === 'function') process.nextTick(done);
    return true;
  };
  process.once('exit', isAnswer);
  return {
    get isEmpty() {
      return held.length === 0;
    },
    isAnswer,
    isLog: () => {
      giveTo(stderr.write.bind(stderr));
      return async (chunk) => {
        if (!original(chunk)) await new Promise((resolve) => void stdout.once('drain', resolve));
      };
    },
  };
}

/** @param main the default export */
export async function answer(main: unknown, head: RequestHead, printed: Printed): Promise<void> {
  const isObject = (typeof main === 'object' && main !== null) || typeof main === 'function';
  const fetch = isObject ? (main as { fetch?: unknown }).fetch : undefined;
  if (typeof fetch === 'function') {
    const write = printed.isLog();
    const value = await called(fetch as Handler, main, requestArguments(head, await readBody()));
    if (!(value instanceof Response))
      throw new TypeError(`fetch of the default export must return a Response, and returned ${nameOf(value)}`);
    return send(value, head, write);
  }
  if (typeof main !== 'function' || /^class\b/.test(functionText(main))) return printed.isAnswer();
  if (!firstParameter.test(functionText(main))) return answerFromInput(main as Handler, head, printed);
  const write = printed.isLog();
  const value = await called(main as Handler, undefined, requestArguments(head, await readBody()));
  return send(asResponse(value), head, write);
}

/** One that returns nothing may have printed its answer. */
async function answerFromInput(main: Handler, head: RequestHead, printed: Printed): Promise<void> {
  const parsed = inputOf(head, await readBody());
  if ('wrong' in parsed) {
    const message = `the body is not JSON, as its Content-Type says (${parsed.wrong})`;
    return send(Response.json({ error: 'Bad Request', code: 'usage', message }, { status: 400 }), head, printed.isLog());
  }
  const context = { args: process.argv.slice(2), env: process.env, waitUntil };
  const value = await called(main, undefined, [parsed.input, context]);
  if (value === undefined && !printed.isEmpty) return printed.isAnswer();
  return send(asResponse(value), head, printed.isLog());
}

/** No function of this file is on the stack then, so none is in the traces that the program prints. */
async function called(handler: Handler, self: unknown, args: unknown[]): Promise<unknown> {
  return Promise.resolve().then(Reflect.apply.bind(undefined, handler, self, args));
}

function readBody(): Promise<Buffer> {
  return process.getBuiltinModule('node:stream/consumers').buffer(process.stdin);
}

function requestArguments({ method, url, headers }: RequestHead, body: Buffer): unknown[] {
  const carries = body.length > 0 && method !== 'GET' && method !== 'HEAD';
  const init = { method, headers: headers.map(([name, value]): [string, string] => [name, value]) };
  const request = new Request(url, { ...init, ...(carries && { body: new Uint8Array(body) }) });
  return [request, { ...process.env }, { waitUntil }];
}

/** A rejection that nobody handles ends the run as anywhere. */
function waitUntil(work: unknown): void {
  void Promise.resolve(work);
}

/** The body: JSON where it is some, else its text. Without one, the parameters of the URL, by name. */
function inputOf({ headers, url }: RequestHead, body: Buffer): { readonly input: unknown } | { readonly wrong: string } {
  if (body.length === 0) return { input: parametersOf(new URL(url).searchParams) };
  const text = body.toString().replace(/^\uFEFF/, '');
  try {
    return { input: parse(text) };
  } catch (error) {
    const type = headers.find(([name]) => name === 'content-type')?.[1] ?? '';
    return /^[^;]*[/+]json\s*(?:;|$)/i.test(type) ? { wrong: (error as Error).message } : { input: text };
  }
}

function parametersOf(parameters: URLSearchParams): object | undefined {
  if (parameters.size === 0) return undefined;
  const values = [...parameters.keys()].map((name) => {
    const all = parameters.getAll(name);
    return [name, all.length === 1 ? all[0] : all] as const;
  });
  return Object.fromEntries(values);
}

function asResponse(value: unknown): Response {
  if (value instanceof Response) return value;
  if (value === undefined) return new Response(null, { status: 204 });
  const json = stringify(value) as string | undefined;
  if (json === undefined) throw new TypeError(`the default export returned ${nameOf(value)}, which JSON cannot hold`);
  return new Response(json, { headers: { 'content-type': 'application/json' } });
}

function nameOf(value: unknown): string {
  return value === null ? 'null' : typeof value === 'object' ? 'another object' : typeof value;
}

async function send(response: Response, { method }: RequestHead, write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
  const { status, headers, body, bodyUsed, url } = response;
  if (status === 0) throw new TypeError('the default export returned Response.error()');
  if (bodyUsed) throw new TypeError('the default export returned a Response whose body has been read');
  // What the program fetched is decoded by now, whatever its headers say.
  const isStale = (name: string): boolean => url !== '' && (name === 'content-encoding' || name === 'content-length');
  const fields = [...headers].filter(([name]) => name !== 'status' && !isStale(name)).map(([name, value]) => `${name}: ${value}`);
  await write(Buffer.from(`${[`Status: ${status}`, ...fields].join('\r\n')}\r\n\r\n`, 'latin1'));
  if (body && method !== 'HEAD') for await (const piece of body) await write(piece);
}
