/** How a deployment is doing, from its executions. */
import type { Deployment } from '../model/deployment.ts';
import type { Execution } from '../model/execution.ts';

export type Phase = 'Pending' | 'Starting' | 'Running' | 'Failed' | 'CrashLoopBackOff' | 'Stopped' | 'Scheduled';

export interface DeploymentStatus {
  readonly phase: Phase;
  readonly ready_replicas: number;
  readonly desired_replicas: number;
  readonly restarts: number;
  readonly message?: string;
  readonly next_run?: string;
  readonly last_run?: string;
  readonly last_updated: string;
}

/**
 * The phase of a job:
 *
 * - `Running`: an execution runs
 * - `Pending`: none runs, and the newest waits for its turn
 * - `Failed`: the newest has ended and failed
 * - `Stopped`: the newest has ended well, or there was none yet; a trigger starts it
 *
 * @param latest its last executions, newest first
 * @param running how many of its executions run now
 */
export function jobStatus(deployment: Deployment, latest: readonly Execution[], running: number): DeploymentStatus {
  const [newest] = latest;
  const lastRun = latest.find(({ started_at }) => started_at !== undefined)?.started_at;
  const changes = [deployment.updated_at, newest?.created_at, newest?.started_at, newest?.completed_at];
  return {
    ...phaseOf(newest, running),
    ready_replicas: 0,
    desired_replicas: 0,
    restarts: 0,
    ...(lastRun !== undefined && { last_run: lastRun }),
    last_updated: changes.reduce<string>((last, at) => (at !== undefined && at > last ? at : last), deployment.created_at),
  };
}

function phaseOf(newest: Execution | undefined, running: number): Pick<DeploymentStatus, 'phase' | 'message'> {
  if (running > 0) return { phase: 'Running', message: running === 1 ? '1 execution runs' : `${running} executions run` };
  if (newest === undefined) return { phase: 'Stopped', message: 'not run yet' };
  if (newest.status === 'Running') return { phase: 'Running', message: `execution ${newest.id} runs` };
  if (newest.status === 'Pending') return { phase: 'Pending', message: `execution ${newest.id} waits` };
  if (newest.status === 'Completed') return { phase: 'Stopped', message: `last execution ${newest.id} completed` };
  return { phase: 'Failed', message: `last execution ${newest.id} failed: ${causeOf(newest)}` };
}

function causeOf({ reason, exit_code, error }: Execution): string {
  if (reason === 'exit') return `exit ${exit_code}`;
  return error === undefined ? String(reason) : `${reason}: ${error}`;
}
