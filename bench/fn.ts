/**
 * How many requests a second does a function of HTTP answer, in a fresh context each and in one that is kept, against workerd
 * with the same handler?
 */
import { type Loop, reportLoops, runLoops } from './closed-loop.ts';
import { BenchDaemon } from './daemon.ts';
import { HttpCaller } from './http-caller.ts';
import { Workerd } from './workerd.ts';

const handler = `export default {
  async fetch(request) {
    const { a, b } = await request.json();
    return Response.json({ sum: a + b });
  },
};`;
const ofInput = 'export default ({ a, b }) => ({ sum: a + b });';
const body = '{"a":1,"b":2}';

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
      const open: HttpCaller[] = [];
      const loop = async (name: string, port: number, path: string): Promise<Loop> => {
        const callers = await Promise.all(Array.from({ length: clients }, () => HttpCaller.open(port, path, body)));
        open.push(...callers);
        const free = [...callers];
        const call = async (): Promise<void> => {
          const caller = free.pop() as HttpCaller;
          await caller.call();
          free.push(caller);
        };
        return { name, call, clients };
      };
      const loops = [
        ...(typeof workerd === 'string' ? [] : [await loop('workerd, fetch', workerd.port, '/')]),
        await loop('fetch, context reused', daemon.port, '/fn/fetch-reused'),
        await loop('function of its input, context reused', daemon.port, '/fn/input-reused'),
        await loop('fetch, fresh context', daemon.port, '/fn/fetch-fresh'),
        await loop('function of its input, fresh context', daemon.port, '/fn/input-fresh'),
      ];
      const figures = await runLoops(loops);
      for (const caller of open) caller.close();
      reportLoops(`Functions by HTTP, ${clients} at once`, loops[0]?.name ?? '', figures);
    }
    if (typeof workerd === 'string') console.log(`workerd is left out: ${workerd}`);
  } finally {
    if (typeof workerd !== 'string') await workerd.stop();
    await daemon.stop();
  }
}
