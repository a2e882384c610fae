/**
 * `prisn bench trigger` and `prisn bench fn`: calls over HTTP, as clients make them.
 *
 * The CLI itself speaks to a local server by its socket; here its port is measured, where it has one, since that is what users ask.
 * `--server unix:/path` measures the socket.
 */
import { routes } from '../api/contract/routes.ts';
import type { ShownExecution } from '../api/contract/schemas.ts';
import { PrisnError } from '../base/error.ts';
import { type Address, formatAddress, parseAddress } from '../client/address.ts';
import type { Client } from '../client/client.ts';
import { readRecord } from '../client/record.ts';
import type { Answered } from '../load/call.ts';
import { ControlServer, controlServerName } from '../load/control.ts';
import type { Origin } from '../load/http-connection.ts';
import { HttpLoad, type HttpRequest, type Judge, judgeStatus } from '../load/http-load.ts';
import type { Reply } from '../load/http-reply.ts';
import type { Measurement } from '../load/measurement.ts';
import { treeCpuMs, treeMemory } from '../load/process-tree.ts';
import type { Bench } from './bench-session.ts';
import { homeDir } from './home.ts';
import { checkDeploymentName, open, type RemoteOptions } from './remote.ts';

export interface HttpBench {
  readonly kind: 'trigger' | 'fn';
  readonly deployment: string;
  readonly baseline: string | undefined;
  readonly remote: RemoteOptions;
  /** From a request to its whole answer. */
  readonly timeoutMs: number;
  /** What is sent to a deployment. */
  readonly request: (deployment: string) => Pick<HttpRequest, 'method' | 'path' | 'headers' | 'body'>;
}

/** @throws PrisnError `not_found`, `usage`, and what `connect` does */
export async function benchHttp({ kind, deployment, baseline, remote, timeoutMs, request }: HttpBench): Promise<Bench> {
  for (const name of [deployment, ...(baseline === undefined ? [] : [baseline])]) checkDeploymentName(name, `bench ${kind}`);
  const client = await open(remote);
  const { namespace } = remote;
  for (const name of [deployment, ...(baseline === undefined ? [] : [baseline])])
    await client.call('getDeployment', { params: { name }, query: { namespace } });
  const { address, pid } = reached(client.address, remote);
  const loads: HttpLoad[] = [];
  const sideOf = (name: string) => {
    const answers = new Answers();
    const load = new HttpLoad(originOf(address), timeoutMs);
    loads.push(load);
    const { path, ...rest } = request(name);
    const judge: Judge = kind === 'trigger' ? answers.ofExecution : answers.ofFunction;
    const call = load.call({ ...rest, path: prefixOf(address) + path, host: hostOf(address) }, judge);
    return { name, call, ...usage, complaint: () => answers.complaint };
  };
  const usage = pid === undefined ? {} : { cpuMs: () => treeCpuMs(pid), memory: () => treeMemory(pid) };
  const control = await ControlServer.start();
  const startedAt = new Date();
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    for (const load of loads) load.close();
    client.close();
    await control.close();
  };
  return {
    target: { kind, by: `over ${formatAddress(address)}`, ...sideOf(deployment) },
    baseline: baseline === undefined ? undefined : sideOf(baseline),
    control: { name: controlServerName, call: control.call, cpuMs: control.cpuMs },
    ...(kind === 'fn' && { finish: (measurement) => addPhases(client, deployment, namespace, startedAt, measurement) }),
    close: () => (closing ??= close()),
  };
}

/** The server's port, where the CLI's own way is the socket of the local one; and its process, where that is of this machine. */
function reached(address: Address, { server }: RemoteOptions): { address: Address; pid: number | undefined } {
  const record = readRecord(homeDir(process.env));
  const own = record && [formatAddress({ kind: 'socket', path: record.socket }), `http://${record.address}`];
  if (!own?.includes(formatAddress(address).replace('//localhost:', '//127.0.0.1:'))) return { address, pid: undefined };
  const isGiven = server !== undefined || Boolean(process.env['PRISN_SERVER']);
  const isPort = !isGiven && record?.address;
  return { address: isPort ? parseAddress(isPort, 'the address of the server') : address, pid: record?.pid };
}

function originOf(address: Address): Origin {
  if (address.kind === 'socket') return { path: address.path };
  const { hostname: host, port, protocol } = address;
  return protocol === 'https:' ? { host, port, isTls: true, servername: host } : { host, port };
}

function hostOf(address: Address): string {
  return address.kind === 'socket' ? 'localhost' : new URL(formatAddress(address)).host;
}

function prefixOf(address: Address): string {
  return address.kind === 'socket' ? '' : address.prefix;
}

/** What answers mean; keeps the words of the first one that tells of a failure. */
class Answers {
  #complaint: string | undefined;

  get complaint(): string {
    return this.#complaint ?? '';
  }

  /** Of `createExecution` with `wait`. */
  readonly ofExecution: Judge = (reply, ms) => {
    if (reply.status >= 400) return this.#refused(reply);
    const execution = parse(reply) as Partial<ShownExecution>;
    if (execution.status === 'Completed') return { phases: phasesOf(execution, ms) };
    if (execution.status !== 'Failed') return { failure: 'not ended when it was answered' };
    this.#complaint ??= execution.error ?? execution.stderr?.trim();
    const code = execution.exit_code === undefined ? '' : ` ${execution.exit_code}`;
    return { failure: `Failed: ${execution.reason ?? 'for no reason'}${execution.reason === 'exit' ? code : ''}` };
  };

  readonly ofFunction: Judge = (reply) => (reply.status >= 400 ? this.#refused(reply) : judgeStatus(reply));

  #refused(reply: Reply): Omit<Answered, 'ms'> {
    const { code, message } = parse(reply);
    if (typeof message === 'string') this.#complaint ??= message;
    return { failure: `HTTP status ${reply.status}${typeof code === 'string' ? ` (${code})` : ''}` };
  }
}

function parse({ body }: Reply): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** @param ms what the caller waited */
function phasesOf(execution: Partial<ShownExecution>, ms?: number): Record<string, number> {
  const { queued_ms = 0, prepare_ms = 0, start_ms = 0, run_ms = 0 } = execution;
  const phases = { queued: queued_ms, prepare: prepare_ms, start: start_ms, run: run_ms };
  if (ms === undefined) return phases;
  return { ...phases, 'HTTP and record': Math.max(0, ms - queued_ms - prepare_ms - start_ms - run_ms) };
}

/** A function's answer does not tell: the records of its last calls do. */
async function addPhases(
  client: Client,
  name: string,
  namespace: string | undefined,
  since: Date,
  { target }: Measurement,
): Promise<void> {
  const query = { namespace, since: since.toISOString(), limit: 1000 };
  const { items } = await client.call('listDeploymentExecutions', { params: { name }, query });
  const calls = items.filter(({ trigger, status }) => trigger === 'function' && status === 'Completed');
  for (const execution of calls) target.addPhases(phasesOf(execution));
}

/** What `prisn bench trigger` sends. */
export function executionRequest(
  fields: { namespace?: string | undefined; args?: readonly string[] | undefined; env: Readonly<Record<string, string>> },
  input: string | undefined,
): HttpBench['request'] {
  return (deployment) => {
    const body = JSON.stringify({ deployment_id: deployment, wait: true, ...fields });
    const { method, path } = routes.createExecution;
    return {
      method,
      path,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      // As it is: a number here would lose digits.
      body: input === undefined ? body : `${body.slice(0, -1)},"input":${input}}`,
    };
  };
}

/**
 * What `prisn bench fn` sends.
 * @param path below the function, with its query
 * @throws PrisnError `usage`
 */
export function functionRequest(
  namespace: string | undefined,
  path: string,
  data: string | undefined,
  headers: readonly string[],
): HttpBench['request'] {
  const fields = Object.fromEntries(headers.map(headerOf));
  const below = path === '' || /^[/?]/.test(path) ? path : `/${path}`;
  if (/[\s\u0000-\u001f\u007f-\uffff]/.test(below))
    throw new PrisnError('usage', `'${path}' has what no URL has; write it encoded, such as %20 for a blank`);
  const root = namespace === undefined ? '/fn/' : `/ns/${encodeURIComponent(namespace)}/fn/`;
  return (name) => ({
    method: data === undefined ? 'GET' : 'POST',
    path: `${root}${encodeURIComponent(name)}${below}`,
    headers: fields,
    body: data,
  });
}

/** RFC 9110, 5.5 and 5.6.2. */
function headerOf(text: string): [string, string] {
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([\t\x20-\x7e]*)$/.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [name.toLowerCase(), value];
  throw new PrisnError('usage', `--header: '${text}' is no header; write it as 'Name: value'`);
}
