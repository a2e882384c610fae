/**
 * `URL` (https://url.spec.whatwg.org/#url-class). The host's own URL parses and changes it; a URL here is the list of
 * its components, and every change asks the host anew.
 *
 * The query stands in one place: `href`. A URL and its `searchParams` tell each other of changes, by the two functions
 * that `url-search-params.ts` hands out.
 */
import { host } from '../host.ts';
import {
  defineInterface,
  type Inspect,
  type InspectOptions,
  inspectSymbol,
  nodeError,
  requireArguments,
  usvString,
} from './interface.ts';
import { linkedParams, replaceParams, type URLSearchParams } from './url-search-params.ts';

/** The order in which the host lists the components (`web-calls.ts`). */
type Components = readonly [
  href: string,
  origin: string,
  protocol: string,
  username: string,
  password: string,
  host: string,
  hostname: string,
  port: string,
  pathname: string,
  search: string,
  hash: string,
];

const parsed = Symbol('components instead of an address');

/** The last one that was parsed: a program often takes the URL apart that a request was just made with. */
let last: { readonly url: string; readonly json: string | undefined } | undefined;

function parse(url: unknown, base: unknown): Components | undefined {
  const text = usvString(url);
  if (base !== undefined) return componentsOf(host.parseUrl(text, usvString(base)));
  if (last?.url !== text) last = { url: text, json: host.parseUrl(text, undefined) };
  return componentsOf(last.json);
}

function componentsOf(json: string | undefined): Components | undefined {
  return json === undefined ? undefined : (JSON.parse(json) as Components);
}

function invalidUrl(input: string, base?: unknown): Error {
  const error = Object.assign(new TypeError('Invalid URL'), { code: 'ERR_INVALID_URL', input });
  return base === undefined ? error : Object.assign(error, { base: usvString(base) });
}

export class URL {
  #parts: Components;
  #params: URLSearchParams | undefined;

  constructor(url: unknown, base: unknown = undefined) {
    requireArguments(arguments.length, 'url');
    const parts = base === parsed ? (url as Components) : parse(url, base);
    if (parts === undefined) throw invalidUrl(usvString(url), base);
    this.#parts = parts;
  }

  static parse(url: unknown, base: unknown = undefined): URL | null {
    requireArguments(arguments.length, 'url');
    const parts = parse(url, base);
    return parts === undefined ? null : new URL(parts, parsed);
  }

  static canParse(url: unknown, base: unknown = undefined): boolean {
    requireArguments(arguments.length, 'url');
    return parse(url, base) !== undefined;
  }

  get href(): string {
    return this.#parts[0];
  }

  set href(value: unknown) {
    const input = usvString(value);
    if (!this.#change('href', input)) throw Object.assign(nodeError(TypeError, 'ERR_INVALID_URL', 'Invalid URL'), { input });
    if (this.#params) replaceParams(this.#params, this.search);
  }

  get origin(): string {
    return this.#parts[1];
  }

  get protocol(): string {
    return this.#parts[2];
  }

  set protocol(value: unknown) {
    this.#change('protocol', usvString(value));
  }

  get username(): string {
    return this.#parts[3];
  }

  set username(value: unknown) {
    this.#change('username', usvString(value));
  }

  get password(): string {
    return this.#parts[4];
  }

  set password(value: unknown) {
    this.#change('password', usvString(value));
  }

  get host(): string {
    return this.#parts[5];
  }

  set host(value: unknown) {
    this.#change('host', usvString(value));
  }

  get hostname(): string {
    return this.#parts[6];
  }

  set hostname(value: unknown) {
    this.#change('hostname', usvString(value));
  }

  get port(): string {
    return this.#parts[7];
  }

  set port(value: unknown) {
    this.#change('port', usvString(value));
  }

  get pathname(): string {
    return this.#parts[8];
  }

  set pathname(value: unknown) {
    this.#change('pathname', usvString(value));
  }

  get search(): string {
    return this.#parts[9];
  }

  set search(value: unknown) {
    this.#change('search', usvString(value));
    if (this.#params) replaceParams(this.#params, this.search);
  }

  get searchParams(): URLSearchParams {
    this.#params ??= linkedParams(this.search, (query) => this.#change('search', query));
    return this.#params;
  }

  get hash(): string {
    return this.#parts[10];
  }

  set hash(value: unknown) {
    this.#change('hash', usvString(value));
  }

  toString(): string {
    return this.#parts[0];
  }

  toJSON(): string {
    return this.#parts[0];
  }

  [inspectSymbol](depth: number, options: InspectOptions, inspect: Inspect): unknown {
    if (depth < 0) return this;
    const { href, origin, protocol, username, password, hostname, port, pathname, search, searchParams, hash } = this;
    const site = { href, origin, protocol, username, password, host: this.host, hostname, port };
    const fields = { ...site, pathname, search, searchParams, hash };
    return `${this.constructor.name} ${inspect(fields, options)}`;
  }

  /** @returns whether the value was taken; only `href` refuses one. */
  #change(property: string, value: string): boolean {
    const json = host.setUrl(this.#parts[0], property, value);
    if (json === undefined) return false;
    this.#parts = JSON.parse(json) as Components;
    return true;
  }
}
defineInterface(URL, 'URL');
