/** The way to a daemon of this machine whose record was read. */
import type { Address } from '../client/address.ts';
import { Client, type Elsewhere } from '../client/client.ts';
import type { DaemonRecord } from '../client/record.ts';

/** A client of a daemon that is known to run. */
export function localClient(record: DaemonRecord, elsewhere?: Elsewhere): Client {
  return new Client(socketOf(record), 'see what prisn server status and its log say', elsewhere);
}

export function socketOf({ socket }: DaemonRecord): Address {
  return { kind: 'socket', path: socket };
}
