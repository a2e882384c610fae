/** Where a server is, as users write it: `localhost:7331`, `https://host/path/`, `unix:/run/prisn.sock`. */
import { PrisnError } from '../base/error.ts';

export type Address =
  | { readonly kind: 'socket'; readonly path: string }
  | {
      readonly kind: 'http';
      readonly protocol: 'http:' | 'https:';
      readonly hostname: string;
      readonly port: number;
      /** What stands before every path of the API, without a slash at its end. */
      readonly prefix: string;
    };

const defaultPort = 7331;

/**
 * @param text a URL, or a host with or without a port, or `unix:` and a path
 * @param where the flag or variable, for the message
 * @throws PrisnError `usage`
 */
export function parseAddress(text: string, where: string): Address {
  const path = /^unix:(?:\/\/)?(?<path>\/.+)$/.exec(text)?.groups?.['path'];
  if (path !== undefined) return { kind: 'socket', path };
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const url = URL.parse(hasScheme ? text : `http://${text}`);
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (!url || !isHttp || url.hostname === '' || url.username !== '' || url.search !== '' || url.hash !== '')
    throw new PrisnError(
      'usage',
      `${where}: '${text}' is no address of a server; write host:port, http://host:port, https://host or unix:/path`,
    );
  const { protocol } = url;
  return {
    kind: 'http',
    protocol: protocol === 'https:' ? 'https:' : 'http:',
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(writtenPort(text) ?? (hasScheme ? (protocol === 'https:' ? 443 : 80) : defaultPort)),
    prefix: url.pathname.replace(/\/+$/, ''),
  };
}

/** A URL forgets one that is its scheme's own. */
function writtenPort(text: string): string | undefined {
  return /^(?:\w+:\/\/)?[^/]*:(?<port>\d+)(?:\/|$)/.exec(text)?.groups?.['port'];
}

/** As it stands in messages, and as `parseAddress` reads it. */
export function formatAddress(address: Address): string {
  if (address.kind === 'socket') return `unix:${address.path}`;
  const { protocol, hostname, port, prefix } = address;
  return `${protocol}//${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}${prefix}`;
}
