/** How many one-off programs a second does an isolate host run, alone and with 32 at once, against a bare loop of isolates? */
import ivm from 'isolated-vm';
import { IsolatePool } from '../sandbox/isolate/pool.ts';
import type { IsolateTask } from '../src/model/task.ts';
import { report, smoke, timeCalls } from './measure.ts';

const entry = '/hello.js';
const task: IsolateTask = {
  program: { entry, modules: { [entry]: { format: 'script', code: "console.log('hello')", imports: {} } } },
  args: [],
  env: {},
  cwd: '/',
  limits: { timeoutMs: 10_000 },
};
const sink = { stdout: () => {}, stderr: () => {} };

export async function isolateWarm(): Promise<void> {
  const pool = new IsolatePool({ threads: 2, maxHostBytes: 2 ** 30 });
  const one = () => pool.start(task, sink).exited;
  const at = (clients: number) => () => Promise.all(Array.from({ length: clients }, one));
  try {
    const rows = await timeCalls(
      { '1 bare isolate here': bare, '1 by the host': one, '32 by the host, at once': at(32) },
      smoke ? 5 : 100,
    );
    report({
      question: 'A fresh isolate in a warm host (a sample of the last row is 32 programs)',
      baseline: '1 bare isolate here',
      rows,
    });
  } finally {
    await pool.close();
  }
}

async function bare(): Promise<void> {
  const isolate = new ivm.Isolate({ memoryLimit: 64 });
  const context = await isolate.createContext();
  await (await isolate.compileScript('1')).run(context);
  isolate.dispose();
}
