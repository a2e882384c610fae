/** Where HTTP is served beside the socket: an address of the loopback interface, which no other machine reaches. */
import { PrisnError } from '../base/error.ts';

export interface ListenAddress {
  /** Numeric, without brackets. */
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

/**
 * @param text `host:port`, with brackets around IPv6
 * @param where what names it in a message
 * @throws PrisnError `usage` for anything else, and for an address that others reach
 */
export function parseListenAddress(text: string, where: string): ListenAddress {
  const { host = '', port } = /^(?<host>\[[^\]]+\]|[^:]+):(?<port>\d{1,5})$/.exec(text)?.groups ?? {};
  if (port === undefined || Number(port) > 65_535)
    throw new PrisnError(
      'usage',
      `${where}: '${text}' is not of the form host:port, such as 127.0.0.1:7331 or [::1]:7331; off serves the socket alone`,
    );
  return { host: loopbackHost(host, where), port: Number(port) };
}

/** @returns it as a number, without brackets @throws PrisnError `usage` for a host that others reach */
export function loopbackHost(host: string, where: string): string {
  const address = host === 'localhost' ? '127.0.0.1' : host.replace(/^\[(.*)\]$/, '$1');
  const isLoopback = /^127(?:\.\d{1,3}){3}$/.test(address) && address.split('.').every((part) => Number(part) <= 255);
  if (address === '::1' || isLoopback) return address;
  throw new PrisnError(
    'usage',
    `${where}: ${host} can be reached from other machines, and there are no tokens yet that would keep strangers out: whoever ` +
      'reaches the API runs code here; take 127.0.0.1 or [::1], and a tunnel from elsewhere: ssh -L 7331:127.0.0.1:7331 HOST',
  );
}

/** As it stands in messages and URLs, and as it is parsed. */
export function formatListenAddress({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
