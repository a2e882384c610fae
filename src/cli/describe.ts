/** `prisn describe`: everything about a deployment or an execution, for people. */
import type { Command } from './command.ts';
import type { ShownDeployment, ShownExecution } from '../api/contract/schemas.ts';
import { formatDuration, formatMemory } from '../base/units.ts';
import type { Client } from '../client/client.ts';
import { hasEnded } from '../model/execution.ts';
import { ageOf, durationText } from './age.ts';
import { stateOf } from './execution-end.ts';
import { headOf, rowsOf, tableText, write } from './output.ts';
import { isExecutionId, open, remoteCommand, type RemoteOptions, sameTarget } from './remote.ts';
import { escaped, padded, widthOf } from './text-width.ts';
import { executionView, tookText } from './views.ts';

/** Undefined and empty values are left out. */
type Facts = readonly (readonly [name: string, value: string | undefined])[];

export function describeCommand(program: Command): void {
  const command = program
    .command('describe')
    .summary('show everything about a deployment or an execution')
    .description('show everything about a deployment or an execution: its state and why, its settings, where its time went')
    .argument('<deployment|execution>');
  remoteCommand(command, ['prisn describe backup-job', 'prisn describe exec-01k9…']).action(
    async (word: string, options: RemoteOptions) => {
      const client = await open(options);
      const text = isExecutionId(word)
        ? execution(await client.call('getExecution', { params: { id: word } }), options)
        : await deployment(client, word, options);
      await write(text);
    },
  );
}

async function deployment(client: Client, name: string, options: RemoteOptions): Promise<string> {
  const query = { namespace: options.namespace };
  const shown = await client.call('getDeployment', { params: { name }, query });
  const { items } = await client.call('listDeploymentExecutions', { params: { name }, query: { ...query, limit: 5 } });
  const { env = {}, secrets = [], labels = {}, status } = shown;
  const target = `${shown.name}${sameTarget(options)}`;
  return [
    facts([
      ['Name', shown.name],
      ['Id', shown.id],
      ['Namespace', shown.namespace],
      ['Type', shown.type],
      ['Phase', status.phase],
      ['Message', status.message],
      ['Replicas', shown.type === 'service' ? `${status.ready_replicas} of ${status.desired_replicas} ready` : undefined],
      ['Runtime', shown.runtime],
      ['Entrypoint', shown.entrypoint],
      ['Arguments', shown.args?.map((arg) => JSON.stringify(arg)).join(' ')],
      ['Limits', limitsText(shown)],
      ['Revision', shown.revision.toString()],
      ['Source', shown.source_hash],
      ['Created', timeText(shown.created_at)],
      ['Updated', timeText(shown.updated_at)],
    ]),
    section('Folders', [
      ['work', shown.work_dir],
      ['data', shown.data_dir && `${shown.data_dir} (PRISN_DATA)`],
    ]),
    section('Environment', Object.entries(env)),
    section(
      'Secrets',
      secrets.map(({ name: secret, env: variable }) => [variable, `from secret ${secret}`] as const),
    ),
    section('Labels', Object.entries(labels)),
    items.length === 0
      ? ''
      : `\nLast executions\n${indented(tableText([headOf(executionView, false), ...rowsOf(executionView, items, false)]))}`,
    next([
      [`prisn trigger ${target} --wait`, 'run it'],
      [`prisn logs ${target} -f`, 'its output'],
      [`prisn history ${target}`, 'its revisions'],
    ]),
  ].join('');
}

function limitsText({ timeout_ms: timeoutMs, retries, concurrency, reuse, resources = {} }: ShownDeployment): string {
  const { memory_mb: memoryMb, cpu, pids } = resources;
  const limits = [
    timeoutMs !== undefined && `timeout ${formatDuration(timeoutMs)}`,
    retries !== undefined && retries > 0 && `retries ${retries}`,
    concurrency !== undefined && `${concurrency} at once`,
    reuse === true && 'context reused',
    memoryMb !== undefined && `memory ${formatMemory(memoryMb * 2 ** 20)}`,
    cpu !== undefined && `cpu ${cpu}`,
    pids !== undefined && `pids ${pids}`,
  ];
  return limits.filter(Boolean).join(', ');
}

function execution(shown: ShownExecution, options: RemoteOptions): string {
  const target = `${shown.id}${sameTarget(options)}`;
  const ended = hasEnded(shown);
  return [
    facts([
      ['Id', shown.id],
      ['Deployment', shown.deployment && `${shown.deployment}, revision ${shown.revision ?? '?'}`],
      ['Name', shown.name === shown.deployment ? undefined : shown.name],
      ['Namespace', shown.namespace],
      ['Status', stateOf(shown)],
      ['Why', whyWaiting(shown)],
      ['Error', shown.error],
      ['Trigger', shown.trigger],
      ['Attempt', shown.attempt.toString()],
      ['Runtime', shown.runtime],
      ['Walls', shown.tier],
      ['Node', shown.node_id],
      ['Result', shown.result === undefined ? undefined : JSON.stringify(shown.result)],
    ]),
    section('Times', [
      ['created', timeText(shown.created_at)],
      ['started', shown.started_at && timeText(shown.started_at)],
      ['ended', shown.completed_at && timeText(shown.completed_at)],
      ['waited', shown.queued_ms === undefined ? undefined : durationText(shown.queued_ms)],
      ['took', phasesText(shown)],
      ['used', usageText(shown)],
    ]),
    outputTail('Last of stdout', shown.stdout),
    outputTail('Last of stderr', shown.stderr),
    next([
      [`prisn logs ${target}${ended ? '' : ' -f'}`, 'all of its output'],
      ...(ended
        ? []
        : ([
            [`prisn wait ${target}`, 'until it ends'],
            [`prisn cancel ${target}`, 'end it now'],
          ] as const)),
      ...(shown.deployment === undefined
        ? []
        : ([[`prisn describe ${shown.deployment}${sameTarget(options)}`, 'what it is a run of']] as const)),
    ]),
  ].join('');
}

function whyWaiting({ status, queue_position: position, attempt }: ShownExecution): string | undefined {
  if (status !== 'Pending') return undefined;
  const queue =
    position === undefined
      ? undefined
      : `it waits for its turn; ${position === 1 ? 'it is the next' : `${position - 1} will start before it`}`;
  return attempt > 1 ? [`attempt ${attempt} after a failure`, queue].filter(Boolean).join('; ') : queue;
}

function phasesText(shown: ShownExecution): string {
  const phases = { prepare: shown.prepare_ms, start: shown.start_ms, run: shown.run_ms };
  const parts = Object.entries(phases).flatMap(([name, ms]) => (ms === undefined ? [] : [`${name} ${durationText(ms)}`]));
  return [tookText(shown), parts.join(', ')].filter(Boolean).join(': ');
}

function usageText({ cpu_ms: cpuMs, max_rss_bytes: bytes }: ShownExecution): string {
  const used = [
    cpuMs !== undefined && `cpu ${durationText(cpuMs)}`,
    bytes !== undefined && `at most ${formatMemory(bytes)} of memory`,
  ];
  return used.filter(Boolean).join(', ');
}

const tailLines = 10;

function outputTail(title: string, output: string | undefined): string {
  if (!output) return '';
  const lines = output.replace(/\n$/, '').split('\n').slice(-tailLines);
  return `\n${title}\n${lines.map((line) => `  ${escaped(line)}\n`).join('')}`;
}

function timeText(time: string): string {
  return `${time} (${ageOf(time)} ago)`;
}

function section(title: string, values: Facts): string {
  const text = facts(values, '');
  return text === '' ? '' : `\n${title}\n${indented(text)}`;
}

function next(commands: readonly (readonly [command: string, what: string])[]): string {
  return section('Next', commands);
}

/** Names and values below each other; a value of several lines is escaped. */
function facts(values: Facts, colon = ':'): string {
  const shown = values.flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[`${escaped(name)}${colon}`, escaped(value)] as const],
  );
  const width = Math.max(0, ...shown.map(([name]) => widthOf(name)));
  return shown.map(([name, value]) => `${padded(name, width)}  ${value}\n`).join('');
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
