/** How a program in a pool ends where it is not the program that says so. */
import { exitCodes } from '../../src/base/exit-codes.ts';
import { formatMemory } from '../../src/base/units.ts';
import type { Outcome } from '../../src/model/outcome.ts';

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

/** It alone filled its host, which has so many bytes for all that run in it. */
export function outOfHostMemory(bytes: number): Outcome {
  const message = `the program needed more than the ${formatMemory(bytes)} of memory that its isolate host has, and was ended; give hosts more by the setting isolate_memory`;
  return { reason: 'memory', exitCode: exitCodes.memory, message };
}

export function crashed(message: string): Outcome {
  return { reason: 'crashed', exitCode: exitCodes.failed, message };
}
