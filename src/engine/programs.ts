/** Finds out once for each revision of a deployment what will run it. */
import type { BundleStore } from '../bundles/store.ts';
import type { ExecutionSpec } from '../model/execution.ts';
import { known } from './known.ts';
import type { ProgramFiles, ProgramText, Resolved, Workloads } from './ports.ts';
import { programOf, type Submission } from './submission.ts';

const maxKept = 10_000;

/**
 * A program where it is stored, which nothing may run that could write there.
 * @param owner tells apart what has the same code
 * @throws PrisnError `not_found` for a bundle that is not there
 */
export function filesOf(
  program: ExecutionSpec['program'],
  bundles: Pick<BundleStore, 'open'>,
  owner = '',
): ProgramFiles | ProgramText {
  if ('source' in program) return program;
  const { bundle, entrypoint, runtime } = program;
  // With its code, since a restore takes numbers of revisions back.
  const revision = [owner, bundle, entrypoint, runtime].join(' ');
  return known({ folder: bundles.open(bundle), entrypoint, runtime, revision });
}

export class Programs {
  readonly #workloads: Pick<Workloads, 'resolve'>;
  readonly #bundles: Pick<BundleStore, 'open'>;
  /** By deployment; the newest revision that was asked for. */
  readonly #kept = new Map<string, { readonly revision: number; readonly resolved: Resolved }>();

  constructor(workloads: Pick<Workloads, 'resolve'>, bundles: Pick<BundleStore, 'open'>) {
    this.#workloads = workloads;
    this.#bundles = bundles;
  }

  /** @throws PrisnError `cannot_run`, `no_runtime`, `not_found` */
  async resolve(submission: Pick<Submission, 'deployment' | 'program'>): Promise<Resolved> {
    const { deployment } = submission;
    const kept = deployment && this.#kept.get(deployment.id);
    if (kept && kept.revision === deployment.revision) return kept.resolved;
    const resolved = await this.#workloads.resolve(filesOf(programOf(submission), this.#bundles));
    if (deployment) {
      if (this.#kept.size >= maxKept) this.#kept.clear();
      this.#kept.set(deployment.id, { revision: deployment.revision, resolved });
    }
    return resolved;
  }

  forget(deployment: string): void {
    this.#kept.delete(deployment);
  }
}
