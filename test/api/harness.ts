/** An API over fakes of what it stands on, behind a real socket and a real port. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Authenticate } from '../../src/api/auth.ts';
import type { ApiOptions, ApiParts } from '../../src/api/parts.ts';
import { createApi, type Api } from '../../src/api/server.ts';
import type { Deployment } from '../../src/model/deployment.ts';
import type { Execution } from '../../src/model/execution.ts';

const time = '2030-01-31T08:00:00.000Z';

export const anExecution: Execution = {
  id: 'exec-01kb3v9m3q8j0r6s1t2v3w4x5y',
  namespace: 'default',
  name: 'hello',
  status: 'Completed',
  reason: 'exit',
  exit_code: 0,
  created_at: time,
  attempt: 1,
  node_id: 'local',
  trigger: 'api',
};

export const aDeployment: Deployment = {
  id: 'dep-01kb3v9m3q8j0r6s1t2v3w4x5y',
  name: 'backup',
  namespace: 'default',
  type: 'job',
  runtime: 'python3',
  chosen_runtime: 'python3',
  bundle: `sha256-${'0'.repeat(64)}`,
  entrypoint: 'backup.py',
  args: [],
  env: {},
  secrets: [],
  retries: 0,
  labels: {},
  revision: 1,
  created_at: time,
  updated_at: time,
};

/** Whatever is not faked fails the request, and the log of it. */
function absent(name: string): never {
  throw new TypeError(`${name} is not faked`);
}

export type Fakes = { readonly [Part in keyof ApiParts]?: Partial<ApiParts[Part]> };

export interface Logged {
  readonly level: string;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

export function partsOf(fakes: Fakes, logged: Logged[] = []): ApiParts {
  const part = <Name extends keyof ApiParts>(name: Name): ApiParts[Name] =>
    new Proxy(fakes[name] ?? {}, {
      get: (fake, key) => (key in fake ? Reflect.get(fake, key) : () => absent(`${name}.${String(key)}`)),
    }) as ApiParts[Name];
  const write = (level: string) => (fields: object, message: string) =>
    void logged.push({ level, fields: fields as Record<string, unknown>, message });
  return {
    executor: part('executor'),
    deployments: part('deployments'),
    secrets: part('secrets'),
    functions: part('functions'),
    bundles: part('bundles'),
    runs: part('runs'),
    metrics: part('metrics'),
    verify: (fakes.verify as ApiParts['verify']) ?? (async () => ({ records: 0, problems: [] })),
    backup: part('backup'),
    runtimes: (fakes.runtimes as ApiParts['runtimes']) ?? (() => absent('runtimes')),
    node: (fakes.node as ApiParts['node']) ?? (() => absent('node')),
    readiness: (fakes.readiness as ApiParts['readiness']) ?? (() => ({ ready: true, reasons: [] })),
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error'), isLevelEnabled: () => true },
    version: '1.2.3',
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- what a stranger would parse
  readonly json: any;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

export class Running {
  readonly api: Api;
  readonly port: number;
  readonly logged: Logged[];

  private constructor(api: Api, port: number, logged: Logged[]) {
    this.api = api;
    this.port = port;
    this.logged = logged;
  }

  /** @param owner the test at whose end it is closed */
  static async start(
    owner: { after(end: () => Promise<void>): void },
    fakes: Fakes = {},
    options: Partial<ApiOptions> = {},
    authenticate?: Authenticate,
  ): Promise<Running> {
    const logged: Logged[] = [];
    const limits = { bodyLimit: 2 ** 20, bundleLimit: 2 ** 20, publicHosts: [], ...options };
    const api = await createApi(partsOf(fakes, logged), limits, authenticate);
    owner.after(() => api.close(0));
    const { port } = await api.listenTcp('127.0.0.1', 0);
    return new Running(api, port, logged);
  }

  ask(path: string, { method = 'GET', headers = {}, body, signal }: Ask = {}): Promise<Answer> {
    return askAt({ host: '127.0.0.1', port: this.port }, path, {
      method,
      headers,
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
    });
  }

  /** @returns all that comes back for exactly these bytes, until the server ends the connection or `until` is in it */
  raw(bytes: string, until?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
      let received = '';
      socket.setEncoding('latin1');
      socket.on('data', (chunk: string) => {
        received += chunk;
        if (until !== undefined && received.includes(until)) socket.destroy();
      });
      socket.on('close', () => resolve(received));
      socket.on('error', reject);
    });
  }
}

export function askAt(
  where: { readonly host: string; readonly port: number } | { readonly socketPath: string },
  path: string,
  { method = 'GET', headers = {}, body, signal }: Ask = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...where, path, method, headers, agent: false, ...(signal && { signal }) }, (response) => {
      text(response).then((received) => {
        const isJson = response.headers['content-type']?.startsWith('application/json') && received !== '';
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: received,
          json: isJson ? JSON.parse(received) : undefined,
        });
      }, reject);
    });
    request.once('error', reject);
    request.end(body);
  });
}
