/** Listening at the setting `addr`. */
import type { Api } from '../api/server.ts';
import { PrisnError } from '../base/error.ts';
import type { Log } from '../engine/log.ts';
import { formatListenAddress, type ListenAddress } from '../model/listen-address.ts';
import { portHolder } from './port-holder.ts';

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
  addr: ListenAddress,
  { mayLack, log }: { readonly mayLack: boolean; readonly log: Log },
): Promise<Place> {
  try {
    return { address: formatListenAddress(await api.listenTcp(addr.host, addr.port)) };
  } catch (error) {
    if (!(error instanceof PrisnError && error.code === 'conflict')) throw error;
    const taken = `${formatListenAddress(addr)} is taken by ${portHolder(addr.port) ?? 'another program'}`;
    // `conflict` would mean that another server is in the way, which its starter would wait for.
    if (!mayLack)
      throw new PrisnError('unavailable', `${taken}; end it, or choose another address with --addr`, { cause: error });
    const note = `${taken}: HTTP is served on the socket alone`;
    log.warn({}, note);
    return { address: null, note };
  }
}
