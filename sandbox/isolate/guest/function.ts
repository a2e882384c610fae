/**
 * A program that answers an HTTP request, by what its default export is:
 *
 *   an object with `fetch`                    `fetch(request, env, ctx)`, as on Workers; it returns a Response
 *   a function of `request` or `req`          `function (request, env, ctx)`, the same
 *   any other function                        `function (input, ctx)`: what was sent, parsed; what it returns is sent as JSON
 *
 * The response is told to the host piece by piece, where it comes in pieces. The run goes on after it, as any program does,
 * until nothing is left that could enter it: so `ctx.waitUntil` has nothing to do but to take what it is given. A program
 * that serves one call after the other has its call end with that.
 */
import { callable, hasFetch } from './callable.ts';
import { host, type Request as Received } from './host.ts';
import { startInfo } from './program.ts';
import { isResponse } from './web/is-response.ts';

/** Taken before the program can replace them. */
const { parse, stringify } = JSON;

type Handler = (...args: unknown[]) => unknown;

const exchange = () => require('./exchange.ts') as typeof import('./exchange.ts');

export async function answer(main: unknown, received: Received): Promise<void> {
  if (hasFetch(main)) {
    const value: unknown = await Reflect.apply(main.fetch, main, requestArguments(received));
    if (isResponse(value)) return exchange().sendResponse(value, received.method);
    throw new TypeError(`fetch of the default export must return a Response, and returned ${nameOf(value)}`);
  }
  const handler = callable(main);
  if (!handler) return host.noHandler('request');
  if (takesRequest(handler)) return sendValue(await handler(...requestArguments(received)), received.method);
  return answerInput(handler, received);
}

/** What the call under way has asked to wait for. */
let background: Promise<unknown>[] = [];

/** The same, and resolves when nothing of the call is waited for any more. */
export async function answerInTime(main: unknown, received: Received): Promise<void> {
  background = [];
  await answer(main, received);
  for (let work = background.shift(); work; work = background.shift()) await work;
}

function requestArguments(received: Received): readonly [object, object, object] {
  return [exchange().requestFrom(received), { ...startInfo().env }, { waitUntil }];
}

/** A rejection that nobody handles ends the run as anywhere. */
function waitUntil(work: unknown): void {
  const promise = Promise.resolve(work);
  if (startInfo().serves) background.push(promise);
}

const space = String.raw`(?:\s|/\*[^]*?\*/|//[^\n]*\n)*`;
const firstParameter = new RegExp(
  String.raw`^(?:async\b)?${space}(?:function${space}\*?${space}[^\s(*/]*${space})?\(?${space}req(?:uest)?${space}[,)=]`,
);

/** What is known of a handler that has been called. */
const known = new WeakMap<Handler, boolean>();

/** By the name of its first parameter. */
function takesRequest(main: Handler): boolean {
  let takes = known.get(main);
  if (takes === undefined) {
    takes = firstParameter.test(Function.prototype.toString.call(main));
    known.set(main, takes);
  }
  return takes;
}

async function answerInput(main: Handler, received: Received): Promise<void> {
  const parsed = inputOf(received);
  if ('wrong' in parsed) {
    const message = `the body is not JSON, as its Content-Type says (${parsed.wrong})`;
    return exchange().sendJson(stringify({ error: 'Bad Request', code: 'usage', message }), 400, received.method);
  }
  const { argv, env } = startInfo();
  return sendValue(await main(parsed.input, { args: argv.slice(2), env: { ...env }, waitUntil }), received.method);
}

/** The body: JSON where it is some, else its text. Without one, the parameters of the URL. */
function inputOf({ headers, body, url }: Received): { readonly input: unknown } | { readonly wrong: string } {
  if (body.length === 0) {
    const query = /\?([^#]*)/.exec(url)?.[1] ?? '';
    return { input: query === '' ? undefined : exchange().parametersOf(query) };
  }
  const text = typeof body === 'string' ? body : exchange().decodeUtf8(body, true);
  try {
    return { input: parse(text) };
  } catch (error) {
    const type = headers.find(([name]) => name === 'content-type')?.[1] ?? '';
    return /^[^;]*[/+]json\s*(?:;|$)/i.test(type) ? { wrong: (error as Error).message } : { input: text };
  }
}

/** Characters of JSON that are handed over at once. */
const shortJson = 256 * 2 ** 10;

async function sendValue(value: unknown, method: string): Promise<void> {
  if (isResponse(value)) return exchange().sendResponse(value, method);
  if (value === undefined) return host.respond(204, '[]', '');
  const json = stringify(value) as string | undefined;
  if (json === undefined) throw new TypeError(`the default export returned ${nameOf(value)}, which JSON cannot hold`);
  if (method === 'HEAD' || json.length > shortJson) return exchange().sendJson(json, 200, method);
  host.respond(200, undefined, json);
}

function nameOf(value: unknown): string {
  return value === null ? 'null' : typeof value === 'object' ? 'another object' : typeof value;
}
