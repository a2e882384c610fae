/** What does a fresh isolate with prisn's globals cost over a bare one, when a program uses none of them? */
import ivm from 'isolated-vm';
import { freshRooms } from '../sandbox/isolate/cell.ts';
import { loadPrelude } from '../sandbox/isolate/prelude.ts';
import { Session } from '../sandbox/isolate/session.ts';
import type { IsolateTask } from '../src/model/task.ts';
import { report, timeCalls } from './measure.ts';

const silent = { write: () => {}, readInput: () => undefined, colors: { stdout: false, stderr: false } };

export async function isolateCold(): Promise<void> {
  const rooms = freshRooms(await loadPrelude(), 64 * 2 ** 20);
  const run = (code: string) => {
    const program = { entry: '/x.js', modules: { '/x.js': { format: 'script' as const, code, imports: {} } } };
    const task: IsolateTask = { program, args: [], env: {}, cwd: '/', limits: {} };
    return new Session(task, silent, { rooms, blocking: true }).start();
  };
  const rows = await timeCalls(
    {
      'a bare isolate': bare,
      'prisn: an empty program': () => run(''),
      'prisn: console.log of a string': () => run("console.log('hello')"),
      'prisn: console.log of an object': () => run('console.log({ a: 1 })'),
      'prisn: new URL': () => run("new URL('http://example.org/')"),
    },
    100,
  );
  report({ question: 'Fresh isolate, context, program, end', baseline: 'a bare isolate', rows });
}

function bare(): void {
  const isolate = new ivm.Isolate({ memoryLimit: 64 });
  isolate.compileScriptSync('1').runSync(isolate.createContextSync());
  isolate.dispose();
}
