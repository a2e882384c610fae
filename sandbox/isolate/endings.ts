/** How a program in a pool ends where it is not the program that says so. */
import { exitCodes } from '../../src/base/exit-codes.ts';
import { formatDuration, formatMemory } from '../../src/base/units.ts';
import type { Outcome } from '../../src/model/outcome.ts';

export const canceled: Outcome = { reason: 'canceled', exitCode: exitCodes.failed, message: 'the program was canceled' };

export const interrupted: Outcome = {
  reason: 'interrupted',
  exitCode: exitCodes.failed,
  message: 'prisn stopped before the program ended',
};

export const refusedLimits: Outcome = {
  reason: 'invalid',
  exitCode: exitCodes.failed,
  errorCode: 'unsupported',
  message: 'cpu and pids cannot be limited for one isolate of many; run it with --runtime node to limit them',
};

export function timedOut(ms: number): Outcome {
  return { reason: 'timeout', exitCode: exitCodes.timeout, message: `the program did not end within ${formatDuration(ms)}` };
}

export function outOfMemory(hostBytes: number): Outcome {
  const message = `the program used more than the ${formatMemory(hostBytes)} of its isolate host`;
  return { reason: 'memory', exitCode: exitCodes.memory, message };
}

export function crashed(message: string): Outcome {
  return { reason: 'crashed', exitCode: exitCodes.failed, message };
}
