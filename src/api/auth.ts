/** Who asks, and whether they may. */
import { PrisnError } from '../base/error.ts';
import { mayAct, type Caller, type Role } from '../model/access.ts';
import type { Door } from './guard.ts';

export type Authenticate = (door: Door['kind']) => Caller;

const callers = {
  socket: { id: 'owner', role: 'admin' },
  tcp: { id: 'loopback', role: 'admin' },
} as const satisfies Record<Door['kind'], Caller>;

/** The file system keeps everybody but the owner from the socket; TCP is open to the machine's own users. */
export const byDoor: Authenticate = (door) => callers[door];

/** @throws PrisnError `forbidden` */
export function authorize(caller: Caller, needed: Role, summary: string): void {
  if (mayAct(caller.role, needed)) return;
  throw new PrisnError('forbidden', `${summary}: needs the role ${needed}, and ${caller.id} is ${caller.role}`);
}
