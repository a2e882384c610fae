/** The end of what a daemon that died left running, by what its record says. */
import { isRunning } from '../../src/base/process-id.ts';
import type { ProcessRecord } from '../../src/model/execution.ts';
import { hasProc } from '../proc.ts';
import { cgroupsOf, removeCgroups } from './cgroup.ts';
import { Tree } from './tree.ts';

/**
 * Ends every process of a run that nobody watches any more.
 * @param runId members carry it in their environment, or are in its cgroup
 * @param root counts, with what descends from it, only where that very process still lives: a pid may be a stranger's now
 * @returns how many processes were found
 */
export async function endLeftover(runId: string, root: ProcessRecord | undefined): Promise<number> {
  const isOurs = root !== undefined && isRunning(root);
  if (!hasProc && !isOurs) return 0;
  const cgroups = cgroupsOf(runId);
  const tree = new Tree({ runId, root: isOurs ? root : nobody, leads: isOurs, cgroups });
  const found = hasProc ? tree.scan().length : 1;
  if (found > 0) await tree.kill();
  removeCgroups(cgroups);
  return found;
}

/** No process has this pid. */
const nobody = { pid: 0, start: '' };
