/** The setting `addr`: what it may say, and listening there. */
import type { Api } from '../api/server.ts';
import { PrisnError } from '../base/error.ts';
import type { Log } from '../engine/log.ts';
import { portHolder } from './port-holder.ts';

/**
 * @returns undefined for `off`
 * @throws PrisnError `usage` for anything but `host:port` on the loopback interface
 */
export function parseAddr(text: string): { readonly host: string; readonly port: number } | undefined {
  if (text === 'off') return undefined;
  const { host, port } = /^(?<host>\[[^\]]+\]|[^:]*):(?<port>\d{1,5})$/.exec(text)?.groups ?? {};
  if (!host || port === undefined || Number(port) > 65_535)
    throw new PrisnError(
      'usage',
      `addr: '${text}' is not of the form host:port, such as 127.0.0.1:7331 or [::1]:7331; off serves the socket alone`,
    );
  const bare = host.replace(/^\[|\]$/g, '');
  if (bare !== 'localhost' && bare !== '::1' && !/^127(?:\.\d{1,3}){3}$/.test(bare))
    throw new PrisnError(
      'usage',
      `addr: ${host} can be reached from other machines, and there are no tokens yet that would keep strangers out: whoever ` +
        `reaches the API runs code here; take 127.0.0.1:${port}, and a tunnel from elsewhere: ssh -L ${port}:127.0.0.1:${port} HOST`,
    );
  return { host: bare, port: Number(port) };
}

/** Where HTTP is served beside the socket: `host:port`, or why nowhere. */
export interface Place {
  readonly address: string | null;
  readonly note?: string;
}

/**
 * @param mayLack whether the socket alone will do when the port is taken
 * @throws PrisnError `unavailable` when it is taken, naming the holder
 */
export async function listenAt(
  api: Pick<Api, 'listenTcp'>,
  addr: { readonly host: string; readonly port: number },
  { mayLack, log }: { readonly mayLack: boolean; readonly log: Log },
): Promise<Place> {
  try {
    return { address: format(await api.listenTcp(addr.host, addr.port)) };
  } catch (error) {
    if (!(error instanceof PrisnError && error.code === 'conflict')) throw error;
    const taken = `${format(addr)} is taken by ${portHolder(addr.port) ?? 'another program'}`;
    // `conflict` would mean that another server is in the way, which its starter would wait for.
    if (!mayLack)
      throw new PrisnError('unavailable', `${taken}; end it, or choose another address with --addr`, { cause: error });
    const note = `${taken}: HTTP is served on the socket alone`;
    log.warn({}, note);
    return { address: null, note };
  }
}

function format({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
