/**
 * What memory does a server hold that does nothing? The share (PSS) of the daemon and all below it: fresh, five seconds after
 * work in JavaScript and Python, and after five quiet minutes; and what the next runs then take, the first and one like it.
 * Nothing is shortened but by `--smoke`, which waits for seconds and shows that the benchmark runs.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { commandOf, pssOf, treeOf } from '../test/processes.ts';
import { BenchDaemon } from './daemon.ts';
import { machine, smoke } from './measure.ts';

const settleMs = smoke ? 500 : 5000;
const quietMs = smoke ? 1000 : 5 * 60_000;
const works = smoke ? 4 : 200;

const jobs = {
  js: { source: "console.log(JSON.stringify({ at: new Date(), words: 'a b c'.split(' ') }));", runtime: 'javascript' },
  python: { source: 'import json, logging, urllib.request\nprint(json.dumps({"a": [1, 2, 3]}))\n', runtime: 'python3' },
};

export async function idle(): Promise<void> {
  const daemon = await BenchDaemon.start();
  try {
    console.log(`\nMemory of the whole tree, PSS in MB; ${machine()}`);
    await pause(settleMs);
    show('fresh', daemon.pid, 200);
    for (const [name, job] of Object.entries(jobs)) {
      await daemon.ask('POST', '/api/v1/deployments', { name, ...job });
      const trigger = daemon.trigger(name);
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let done = 0; done < works / 8; done++) await trigger();
        }),
      );
    }
    await pause(settleMs);
    show(`after ${works} executions of each`, daemon.pid, 200);
    await pause(quietMs - settleMs);
    show(`after ${quietMs / 1000} quiet seconds`, daemon.pid, 100);
    for (const name of Object.keys(jobs)) {
      const trigger = daemon.trigger(name);
      const [first, next] = [await msOf(trigger), await msOf(trigger)];
      console.log(`${`the next run, ${name}`.padEnd(32)}${first.toFixed(0).padStart(6)} ms, and one more ${next.toFixed(0)} ms`);
    }
  } finally {
    await daemon.stop();
  }
}

async function msOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function show(when: string, root: number, aimMb: number): void {
  const parts = treeOf(root)
    .map((pid) => ({ mb: pssOf(pid) / 2 ** 20, what: shortName(commandOf(pid), pid === root) }))
    .filter(({ mb }) => mb > 0);
  const total = parts.reduce((sum, { mb }) => sum + mb, 0);
  const isMet = total <= aimMb;
  console.log(`${when.padEnd(32)}${total.toFixed(0).padStart(6)}   aim ${aimMb}${isMet ? '' : ': missed'}`);
  for (const { mb, what } of parts) console.log(`  ${what.padEnd(30)}${mb.toFixed(0).padStart(6)}`);
}

/** The file that is run says what a process is. */
function shortName(command: string, isRoot: boolean): string {
  if (isRoot) return 'the daemon';
  const words = command.split(' ').map((word) => word.split('/').at(-1) ?? word);
  return words.find((word) => /\.(?:[cm]?js|ts|py)$/.test(word)) ?? words[0] ?? '';
}
