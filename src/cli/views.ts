/** How executions, deployments and the rest are shown in tables: one list of columns a kind. */
import type { Output } from '../api/contract/schemas.ts';
import type { ShownDeployment, ShownExecution, ShownSecret } from '../api/contract/schemas.ts';
import { ageOf, durationText, untilText } from './age.ts';
import type { Column, View } from './output.ts';

type ShownRuntime = Output<'listRuntimes'>['items'][number];
type ShownNode = Output<'listNodes'>['items'][number];

const age: Column<{ readonly created_at: string }> = {
  head: 'AGE',
  ages: true,
  cell: ({ created_at }, now) => ageOf(created_at, now),
};
const namespace: Column<{ readonly namespace: string }> = { head: 'NAMESPACE', wide: true, cell: (item) => item.namespace };

export const executionView: View<ShownExecution> = {
  nameOf: ({ id }) => id,
  columns: [
    { head: 'ID', cell: ({ id }) => id },
    { head: 'NAME', cell: ({ deployment, name }) => deployment ?? name },
    { head: 'STATUS', cell: ({ status }) => status },
    { head: 'WHY', cell: whyText },
    { head: 'EXIT', cell: ({ exit_code }) => exit_code?.toString() ?? '' },
    { head: 'TOOK', ages: true, cell: tookText },
    age,
    { head: 'TRIGGER', wide: true, cell: ({ trigger }) => trigger },
    { head: 'REVISION', wide: true, cell: ({ revision }) => revision?.toString() ?? '' },
    { head: 'ATTEMPT', wide: true, cell: ({ attempt }) => attempt.toString() },
    { head: 'RUNTIME', wide: true, cell: ({ runtime = '' }) => runtime },
    { head: 'QUEUED', wide: true, cell: ({ queued_ms }) => (queued_ms === undefined ? '' : durationText(queued_ms)) },
    namespace,
    { head: 'NODE', wide: true, cell: ({ node_id }) => node_id },
  ],
};

/** Why it waits or failed, in a word or two. */
function whyText({ status, reason, queue_position: position }: ShownExecution): string {
  if (status === 'Pending') return position === undefined ? '' : `queue: ${position}`;
  return status === 'Failed' ? (reason ?? '') : '';
}

/** Since it left the queue. */
export function tookText(shown: ShownExecution, now = Date.now()): string {
  const { status, started_at: started, prepare_ms: prepare = 0, start_ms: start = 0, run_ms: run } = shown;
  if (started === undefined || status === 'Pending') return '';
  if (status === 'Running') return durationText(Math.max(0, now - Date.parse(started)));
  if (run !== undefined) return durationText(prepare + start + run);
  // It ended before its code ran, or with its server.
  const { duration_ms: duration, queued_ms: queued = 0 } = shown;
  return duration === undefined ? '' : durationText(Math.max(0, duration - queued));
}

export const deploymentView: View<ShownDeployment> = {
  nameOf: ({ name }) => name,
  columns: [
    { head: 'NAME', cell: ({ name }) => name },
    { head: 'TYPE', cell: ({ type }) => type },
    { head: 'RUNTIME', cell: ({ runtime }) => runtime },
    { head: 'PHASE', cell: ({ status }) => status.phase },
    { head: 'REVISION', cell: ({ revision }) => revision.toString() },
    { head: 'ENTRYPOINT', cell: ({ entrypoint }) => entrypoint },
    { head: 'UPDATED', ages: true, cell: ({ updated_at }, now) => ageOf(updated_at, now) },
    age,
    { head: 'SOURCE', wide: true, cell: ({ source_hash }) => shortHash(source_hash) },
    { head: 'ID', wide: true, cell: ({ id }) => id },
    namespace,
    { head: 'LABELS', wide: true, cell: labelText },
  ],
};

export const appView: View<ShownDeployment> = {
  nameOf: ({ name }) => name,
  columns: [
    { head: 'NAME', cell: ({ name }) => name },
    { head: 'TYPE', cell: ({ type }) => type },
    { head: 'PHASE', cell: ({ status }) => status.phase },
    { head: 'READY', cell: readyText },
    { head: 'LAST RUN', ages: true, cell: ({ status }, now) => (status.last_run ? ageOf(status.last_run, now) : '') },
    { head: 'NEXT RUN', ages: true, cell: ({ status }, now) => (status.next_run ? untilText(status.next_run, now) : '') },
    age,
    { head: 'RESTARTS', wide: true, cell: ({ status }) => status.restarts.toString() },
    { head: 'PORT', wide: true, cell: ({ port }) => port?.toString() ?? '' },
    { head: 'REVISION', wide: true, cell: ({ revision }) => revision.toString() },
    { head: 'RUNTIME', wide: true, cell: ({ runtime }) => runtime },
    namespace,
    { head: 'MESSAGE', wide: true, cell: ({ status }) => status.message ?? '' },
  ],
};

function readyText({ type, status }: ShownDeployment): string {
  return type === 'service' ? `${status.ready_replicas}/${status.desired_replicas}` : '';
}

function labelText({ labels = {} }: ShownDeployment): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

export const secretView: View<ShownSecret> = {
  nameOf: ({ name }) => name,
  columns: [
    { head: 'NAME', cell: ({ name }) => name },
    { head: 'KEYS', cell: ({ keys }) => keys.join(',') },
    { head: 'VERSION', cell: ({ version }) => version.toString() },
    { head: 'UPDATED', ages: true, cell: ({ updated_at }, now) => ageOf(updated_at, now) },
    age,
    namespace,
  ],
};

export const runtimeView: View<ShownRuntime> = {
  nameOf: ({ id }) => id,
  columns: [
    { head: 'RUNTIME', cell: ({ id }) => id },
    { head: 'STATUS', cell: ({ status }) => status },
    { head: 'VERSION', cell: ({ version = '' }) => version },
    { head: 'EXTENSIONS', cell: ({ extensions }) => extensions.join(' ') },
    { head: 'KIND', wide: true, cell: ({ kind }) => kind },
    { head: 'PATH', wide: true, cell: ({ path = '' }) => path },
    { head: 'HINT', wide: true, cell: ({ hint = '' }) => hint },
  ],
};

export const nodeView: View<ShownNode> = {
  nameOf: ({ id }) => id,
  columns: [
    { head: 'ID', cell: ({ id }) => id },
    { head: 'HOST', cell: ({ hostname }) => hostname },
    { head: 'CORES', cell: ({ cores }) => cores.toString() },
    { head: 'RUNNING', cell: ({ running }) => running.toString() },
    { head: 'PENDING', cell: ({ pending }) => pending.toString() },
    { head: 'VERSION', cell: ({ version }) => version },
    { head: 'UP', ages: true, cell: ({ started_at }, now) => ageOf(started_at, now) },
  ],
};

/** Enough of a content hash to tell it from others. */
export function shortHash(hash: string): string {
  return hash.replace(/^(sha256-[0-9a-f]{12})[0-9a-f]+$/, '$1');
}
