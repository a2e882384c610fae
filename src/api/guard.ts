/**
 * Decides by its head alone whether a request may have any effect. Everything that reaches the API may run code, and a
 * browser sends requests for every page that it shows, so on TCP:
 *
 * - `Host` is one of ours, exactly and once: a name that an attacker makes point to 127.0.0.1 (DNS rebinding) is not.
 * - `Origin`, where there is one, is that host's own: no other page may ask, nor one without an origin (`null`), as those
 *   are that functions serve beside the API.
 * - `Sec-Fetch-Site`, where there is one, says the same in the browser's own words, for requests without `Origin`.
 *
 * Names in `public_host` are how the world reaches functions: these may be asked by anybody and from every page, and
 * nothing else is there for them. The socket is its owner's, which the file system sees to; no browser reaches it.
 *
 * The path is checked for everybody, so that router, guard and file system can never understand it differently.
 */
import { PrisnError } from '../base/error.ts';
import { refusal } from './errors.ts';

export type Door =
  | { readonly kind: 'socket' }
  | {
      readonly kind: 'tcp';
      /** What `Host` may say, in lower case, with the port. */
      readonly hosts: readonly string[];
      /** Names, in lower case, without a port. */
      readonly publicHosts: readonly string[];
    };

export interface Head {
  /** As it was sent. */
  readonly target: string;
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: readonly string[];
}

/** Node drops what is beyond its own limit in silence, so it is set above this one. */
export const maxHeaders = 100;

/** The door of a TCP listener. @param address numeric */
export function tcpDoor(address: string, port: number, publicHosts: readonly string[]): Door {
  const names = new Set(['localhost', '127.0.0.1', '[::1]', address.includes(':') ? `[${address}]` : address]);
  // Clients leave the default port out.
  const hosts = [...names].flatMap((name) => (port === 80 ? [`${name}:80`, name] : [`${name}:${port}`]));
  return { kind: 'tcp', hosts, publicHosts };
}

/** @throws PrisnError for a request that must have no effect */
export function guard(head: Head, door: Door): void {
  if (head.rawHeaders.length > 2 * maxHeaders) throw refusal(431, 'usage', `more than ${maxHeaders} header fields`);
  const segments = segmentsOf(head.target);
  if (door.kind === 'tcp') guardTcp(head, door, isFunctionPath(segments));
}

function guardTcp({ rawHeaders }: Head, door: Extract<Door, { kind: 'tcp' }>, isFunction: boolean): void {
  const upgrade = valuesOf(rawHeaders, 'upgrade');
  // HTTP/2 is an offer that may be left alone, and some clients always make it.
  if (upgrade.some((value) => value.toLowerCase() !== 'h2c'))
    throw new PrisnError('forbidden', 'no other protocol is spoken here; leave Upgrade out');
  const hosts = valuesOf(rawHeaders, 'host').map((value) => value.toLowerCase());
  const host = hosts.length === 1 ? hosts[0] : undefined;
  if (host !== undefined && isPublicHost(host, door.publicHosts)) {
    if (isFunction) return;
    throw new PrisnError('forbidden', `${host} reaches functions only, below /fn/ and /ns/`);
  }
  if (host === undefined || !door.hosts.includes(host)) throw foreignHost(hosts, door.hosts);
  const advice = isFunction
    ? '; pages of functions are served without restriction under a name of public_host, such as fn.localhost'
    : '';
  const origins = valuesOf(rawHeaders, 'origin');
  if (origins.some((origin) => origin.toLowerCase() !== `http://${host}`) || origins.length > 1)
    throw new PrisnError('forbidden', `pages of another origin may not ask; Origin has to be http://${host} or absent${advice}`);
  const sites = valuesOf(rawHeaders, 'sec-fetch-site');
  if (sites.some((site) => site !== 'same-origin' && site !== 'none'))
    throw new PrisnError('forbidden', `pages of another site may not ask; Sec-Fetch-Site has to be same-origin or none${advice}`);
}

/** @param publicHosts names, in lower case, without a port */
export function isPublicHost(host: string | undefined, publicHosts: readonly string[]): boolean {
  return host !== undefined && publicHosts.includes(host.toLowerCase().replace(/:\d+$/, ''));
}

function foreignHost(hosts: readonly string[], allowed: readonly string[]): PrisnError {
  const what =
    hosts.length === 0
      ? 'the request has no Host'
      : hosts.length > 1
        ? 'the request has more than one Host'
        : 'this Host is not served';
  return new PrisnError(
    'forbidden',
    `${what}; allowed are ${allowed.join(', ')}; the setting public_host adds names under which functions are reached`,
  );
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i]?.length === name.length && rawHeaders[i]?.toLowerCase() === name) values.push(rawHeaders[i + 1] ?? '');
  return values;
}

/** Whether the path is one of `/fn/NAME…` and `/ns/NAMESPACE/fn/NAME…`. */
function isFunctionPath(segments: readonly string[]): boolean {
  return functionPartOf(segments) > 0 && segments.length >= functionPartOf(segments);
}

/** How many segments stand before the path that a function sees as its own; 0 for what is no function's. */
function functionPartOf(segments: readonly string[]): number {
  if (segments[0] === 'fn') return 2;
  return segments[0] === 'ns' && segments[2] === 'fn' ? 4 : 0;
}

const plainPath = /^\/(?:[A-Za-z0-9_~!$&'()*+,;=:@-]+(?:\.[A-Za-z0-9_~!$&'()*+,;=:@-]+)*(?:\/|$))*$/;

/** @returns the decoded segments of the path @throws PrisnError `usage` for a target that is none, or can be read in two ways */
function segmentsOf(target: string): readonly string[] {
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  if (!path.startsWith('/') || path.startsWith('//'))
    throw new PrisnError('usage', 'the request target has to be a path that begins with one /');
  if (plainPath.test(path)) return path.slice(1).split('/');
  const segments = path.slice(1).split('/').map(decode);
  const own = functionPartOf(segments);
  for (const [i, segment] of segments.entries()) {
    // Beyond its name the path is the function's own business, an encoded slash too.
    const parts = own > 0 && i >= own ? segment.split('/') : [segment];
    if (parts.some((part) => part === '.' || part === '..' || /[\0-\x1f\x7f/\\#]/.test(part)))
      throw new PrisnError('usage', 'the path contains . or .. as a segment, or an encoded /, \\, # or control character');
  }
  return segments;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new PrisnError('usage', 'the path is not correctly percent-encoded');
  }
}
