/** An index of Python packages on loopback (PEP 503), with wheels that are made here: no package of the world is needed. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Scratch } from '../scratch.ts';

export interface Wheel {
  readonly name: string;
  readonly version: string;
  /** By the path in the wheel. */
  readonly files?: Readonly<Record<string, string>>;
  /** Requirements. */
  readonly needs?: readonly string[];
  readonly extras?: Readonly<Record<string, readonly string[]>>;
  readonly requiresPython?: string;
}

/** The module that a wheel has where nothing else is said: it says its version. */
function moduleOf({ name, version }: Wheel): Record<string, string> {
  return { [`${name}.py`]: `version = '${version}'\n` };
}

/** @returns absolute path of the wheel's file */
export function makeWheel(folder: Scratch, wheel: Wheel): string {
  const { name, version, files = moduleOf(wheel), needs = [], extras = {}, requiresPython } = wheel;
  const info = `${name}-${version}.dist-info`;
  const metadata = [
    'Metadata-Version: 2.1',
    `Name: ${name}`,
    `Version: ${version}`,
    ...(requiresPython === undefined ? [] : [`Requires-Python: ${requiresPython}`]),
    ...needs.map((need) => `Requires-Dist: ${need}`),
    ...Object.entries(extras).flatMap(([extra, wanted]) => [
      `Provides-Extra: ${extra}`,
      ...wanted.map((need) => `Requires-Dist: ${need}; extra == "${extra}"`),
    ]),
  ];
  const all: Record<string, string> = {
    ...files,
    [`${info}/METADATA`]: `${metadata.join('\n')}\n`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
  };
  all[`${info}/RECORD`] = `${[...Object.keys(all), `${info}/RECORD`].map((path) => `${path},,`).join('\n')}\n`;
  const path = join(folder.folder('wheels'), `${name}-${version}-py3-none-any.whl`);
  const zip =
    'import sys, json, zipfile\nwith zipfile.ZipFile(sys.argv[1], "w") as z:\n  for n, t in json.load(sys.stdin).items(): z.writestr(zipfile.ZipInfo(n), t)';
  const made = spawnSync('python3', ['-c', zip, path], { input: JSON.stringify(all), encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr);
  return path;
}

export class PythonIndex {
  readonly #wheels = new Map<string, Map<string, Buffer>>();
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  /** `user:password`, where it asks for them. */
  credentials: string | undefined;
  /** How long a wheel is held back, so that something can happen meanwhile; until it is resolved. */
  held: Promise<void> | undefined;
  readonly #server = createServer(
    (request, response) => void this.#answer(request.url ?? '/', request.headers.authorization, response),
  );
  readonly #sockets = new Set<object>();
  readonly #folder: Scratch;

  private constructor(folder: Scratch) {
    this.#folder = folder;
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(
    owner: { after(clean: () => Promise<void> | void): void },
    folder: Scratch,
    wheels: readonly Wheel[] = [],
  ): Promise<PythonIndex> {
    const index = new PythonIndex(folder);
    for (const wheel of wheels) index.add(wheel);
    await new Promise<void>((resolve) => index.#server.listen(0, '127.0.0.1', resolve));
    owner.after(
      () =>
        new Promise<void>((resolve) => {
          index.#server.close(() => resolve());
          index.#server.closeAllConnections();
        }),
    );
    return index;
  }

  /** @returns the hash as pip writes it */
  add(wheel: Wheel): string {
    const path = makeWheel(this.#folder, wheel);
    const data = readFileSync(path);
    const files = this.#wheels.get(wheel.name) ?? new Map<string, Buffer>();
    files.set(path.split('/').at(-1) as string, data);
    this.#wheels.set(wheel.name, files);
    return `sha256:${createHash('sha256').update(data).digest('hex')}`;
  }

  /** How many clients are connected. */
  get connections(): number {
    return this.#sockets.size;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    const user = this.credentials === undefined ? '' : `${this.credentials}@`;
    return `http://${user}127.0.0.1:${this.port}/simple/`;
  }

  /** What pip is told: this index and nothing of the machine's own. */
  get env(): Record<string, string> {
    return { PIP_CONFIG_FILE: '/dev/null', PIP_INDEX_URL: this.url, PIP_RETRIES: '0', PIP_NO_CACHE_DIR: '1' };
  }

  /** How often wheels were fetched. */
  get fetched(): number {
    return this.asked.filter((path) => path.endsWith('.whl')).length;
  }

  async #answer(path: string, authorization: string | undefined, response: import('node:http').ServerResponse): Promise<void> {
    this.asked.push(path);
    const wanted = this.credentials && `Basic ${Buffer.from(this.credentials).toString('base64')}`;
    if (wanted && authorization !== wanted) return void response.writeHead(401, { 'www-authenticate': 'Basic' }).end();
    const [, kind, name = '', file = ''] = path.split('/');
    const files = this.#wheels.get(name);
    if (kind === 'simple' && files) {
      const links = [...files].map(([file, data]) => {
        const sum = createHash('sha256').update(data).digest('hex');
        return `<a href="/files/${name}/${file}#sha256=${sum}">${file}</a>`;
      });
      return void response.writeHead(200, { 'content-type': 'text/html' }).end(`<html><body>${links.join('\n')}</body></html>`);
    }
    await this.held;
    const data = files?.get(file);
    if (kind === 'files' && data) response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(data);
    else response.writeHead(404).end();
  }
}
