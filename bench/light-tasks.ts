/**
 * How long do forty light tasks take, one after the other, each asked for by HTTP, recorded durably and waited for? The
 * question that Windmill's comparison of workflow engines asks (a small Fibonacci number, forty times). Against forty plain
 * starts of the interpreter in the same turn.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { locate } from '../runtimes/locate.ts';
import { python3 } from '../runtimes/python3.ts';
import { BenchDaemon } from './daemon.ts';
import { quantile } from '../src/load/ranks.ts';
import { machine, smoke } from './measure.ts';

const tasks = smoke ? 4 : 40;
const rounds = smoke ? 1 : 9;

const languages = [
  {
    id: 'python3',
    file: 'task.py',
    source: 'def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n\nprint(fib(10))\n',
    aimS: 0.4,
  },
  {
    id: 'javascript',
    file: 'task.js',
    source: 'const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));\nconsole.log(fib(10));\n',
    aimS: 0.2,
  },
] as const;

/** Seconds for forty in Python as their vendors publish them, measured elsewhere: for orientation, not a comparison. */
const published = { Hatchet: 1.2, Windmill: 2.1 };

export async function lightTasks(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'prisn-bench-'));
  const daemon = await BenchDaemon.start();
  try {
    const python = locate(python3, { env: process.env, cwd: folder, cacheDir: folder }).file;
    const interpreters = { python3: python, javascript: process.execPath };
    console.log(`\n${tasks} light tasks one after the other, by POST /api/v1/executions with wait`);
    console.log(machine());
    console.log(
      `${''.padEnd(14)}${['prisn s', 'least', 'bare s', 'ratio', 'quartiles', 'aim s'].map((head) => head.padStart(12)).join('')}`,
    );
    for (const { id, file, source, aimS } of languages) {
      const path = join(folder, file);
      writeFileSync(path, source);
      await daemon.ask('POST', '/api/v1/deployments', { name: id, source, runtime: id });
      const trigger = daemon.trigger(id);
      const prisn: number[] = [];
      const bare: number[] = [];
      for (let round = -1; round < rounds; round++) {
        const [seconds, bareSeconds] = [await secondsOf(trigger), await secondsOf(() => start(interpreters[id], path))];
        if (round < 0) continue;
        prisn.push(seconds);
        bare.push(bareSeconds);
      }
      const ratios = prisn.map((seconds, round) => seconds / (bare[round] ?? Number.NaN));
      const middle = quantile(prisn, 0.5);
      const cells = [
        middle.toFixed(3),
        Math.min(...prisn).toFixed(3),
        quantile(bare, 0.5).toFixed(3),
        quantile(ratios, 0.5).toFixed(3),
        `${quantile(ratios, 0.25).toFixed(3)}–${quantile(ratios, 0.75).toFixed(3)}`,
        `${aimS}${middle <= aimS ? '' : ' missed'}`,
      ];
      console.log(`${id.padEnd(14)}${cells.map((cell) => cell.padStart(12)).join('')}`);
    }
    const others = Object.entries(published).map(([name, seconds]) => `${name} ${seconds} s`);
    console.log(
      `medians of ${rounds} rounds; bare: as many starts of the interpreter; published of others, on other machines: ${others.join(', ')}`,
    );
  } finally {
    await daemon.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function secondsOf(task: () => unknown): Promise<number> {
  const startedAt = performance.now();
  for (let done = 0; done < tasks; done++) await task();
  return (performance.now() - startedAt) / 1000;
}

function start(interpreter: string, path: string): void {
  const { status, error } = spawnSync(interpreter, [path], { stdio: 'ignore' });
  if (error || status !== 0) throw new Error(`${interpreter} ${path} failed: ${error?.message ?? status}`);
}
