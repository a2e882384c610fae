/**
 * How many requests a second does a function of HTTP answer, in a fresh context each and in one that is kept, against workerd
 * with the same handler?
 */
import { HttpLoad, judgeStatus } from '../src/load/http-load.ts';
import { type Loop, reportLoops, runLoops } from './closed-loop.ts';
import { BenchDaemon } from './daemon.ts';
import { Workerd } from './workerd.ts';

const handler = `export default {
  async fetch(request) {
    const { a, b } = await request.json();
    return Response.json({ sum: a + b });
  },
};`;
const ofInput = 'export default ({ a, b }) => ({ sum: a + b });';
const body = '{"a":1,"b":2}';
const timeoutMs = 30_000;

const functions = {
  'fetch-fresh': { source: handler, reuse: false },
  'fetch-reused': { source: handler, reuse: true },
  'input-fresh': { source: ofInput, reuse: false },
  'input-reused': { source: ofInput, reuse: true },
};

export async function fn(): Promise<void> {
  const daemon = await BenchDaemon.start();
  const workerd = await Workerd.start(handler);
  try {
    for (const [name, deployment] of Object.entries(functions))
      await daemon.ask('POST', '/api/v1/deployments', { name, runtime: 'javascript', ...deployment });
    for (const clients of [1, 32]) {
      const open: HttpLoad[] = [];
      const loop = (name: string, port: number, path: string): Loop => {
        const load = new HttpLoad({ host: '127.0.0.1', port }, timeoutMs);
        open.push(load);
        const headers = { 'content-type': 'application/json' };
        const ask = load.call({ method: 'POST', path, host: `127.0.0.1:${port}`, headers, body }, judgeStatus);
        const call = async (client: number): Promise<void> => {
          const { failure } = await ask(client);
          if (failure !== undefined) throw new Error(`${name}: ${failure}`);
        };
        return { name, call, clients };
      };
      const loops = [
        ...(typeof workerd === 'string' ? [] : [loop('workerd, fetch', workerd.port, '/')]),
        loop('fetch, context reused', daemon.port, '/fn/fetch-reused'),
        loop('function of its input, context reused', daemon.port, '/fn/input-reused'),
        loop('fetch, fresh context', daemon.port, '/fn/fetch-fresh'),
        loop('function of its input, fresh context', daemon.port, '/fn/input-fresh'),
      ];
      const figures = await runLoops(loops);
      for (const load of open) load.close();
      reportLoops(`Functions by HTTP, ${clients} at once`, loops[0]?.name ?? '', figures);
    }
    if (typeof workerd === 'string') console.log(`workerd is left out: ${workerd}`);
  } finally {
    if (typeof workerd !== 'string') await workerd.stop();
    await daemon.stop();
  }
}
