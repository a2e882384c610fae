import { PrisnError } from '../base/error.ts';
import type { Limits } from './task.ts';

/** Threads count as processes, and without those of its engine node hangs before its first line. */
export const leastPidsOfNode = 16;

/**
 * What no machine could hold for a program that runs there.
 * @throws PrisnError `usage`
 */
export function checkLimits(
  { kind, runtime }: { readonly kind: 'isolate' | 'process'; readonly runtime: string },
  { cpu, pids }: Pick<Limits, 'cpu' | 'pids'>,
): void {
  if (kind === 'isolate' && (cpu !== undefined || pids !== undefined))
    throw new PrisnError('usage', 'cpu and pids cannot be limited for one isolate of many; deploy it with runtime node');
  if (runtime === 'node' && pids !== undefined && pids < leastPidsOfNode)
    throw new PrisnError('usage', `pids: node needs at least ${leastPidsOfNode}, since each thread of its engine counts`);
}
