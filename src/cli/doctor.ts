/** `prisn doctor`: what runs here, what can be limited and isolated here, and how to get the rest. */
import type { Command } from './command.ts';
import { describeRuntime } from '../../runtimes/describe.ts';
import { allRuntimes } from '../../runtimes/index.ts';
import { probeIsolates } from '../../sandbox/isolate/probe.ts';
import { type LimitSupport, probeLimits } from '../../sandbox/process/limits.ts';
import { probeTier } from '../../sandbox/process/tier.ts';
import { cacheDir, homeDir } from './home.ts';
import { versionText } from './version-text.ts';

export interface Finding {
  readonly ok: boolean;
  readonly what: string;
  readonly detail: string;
}

type Section = readonly [title: string, findings: readonly Finding[]];

export function doctorCommand(program: Command, exit: (code: number) => void): void {
  program
    .command('doctor')
    .summary('show what can be run, limited and isolated here')
    .description('show what can be run, limited and isolated here, and how to get the rest')
    .option('--store', 'read and check everything that is stored')
    .action(async ({ store = false }: { store?: boolean }) => {
      const { checkServer, checkStore } = await import('./doctor-server.ts');
      const own: Section = ['prisn', [platform(), isolates()]];
      const server: Section = ['server', [await checkServer(process.env), ...(store ? await checkStore(process.env) : [])]];
      for (const section of [
        own,
        ['runtimes', await interpreters()],
        ['limits', limits(probeLimits())],
        ['jobs', walls()],
        server,
      ] as const)
        show(section);
      // An interpreter that is not installed is no fault; without isolates prisn cannot do its main job.
      exit([own, server].every(([, findings]) => findings.every(({ ok }) => ok)) ? 0 : 1);
    });
}

function show([title, findings]: Section): void {
  process.stdout.write(`${title}\n`);
  for (const { ok, what, detail } of findings) process.stdout.write(`  ${ok ? 'ok  ' : 'no  '} ${what.padEnd(12)} ${detail}\n`);
}

/** What stands around a job of the server. */
function walls(): Finding[] {
  const { name, pidNamespace, parentDeathSignal, noNewPrivileges, detail } = probeTier();
  const parts = [
    pidNamespace && 'a pid namespace',
    parentDeathSignal && 'ends with the server',
    noNewPrivileges && 'no new privileges',
  ];
  const has = ['a clean environment', ...parts.filter((part) => part !== false)].join(', ');
  return [{ ok: true, what: name, detail: has }, ...detail.map((line) => ({ ok: false, what: name, detail: line }))];
}

function platform(): Finding {
  const detail = `${versionText()} on ${process.platform} ${process.arch}, Node ${process.versions.node} (${process.execPath})`;
  return { ok: Number.parseInt(process.versions.node, 10) >= 24, what: 'version', detail };
}

function isolates(): Finding {
  const problem = probeIsolates();
  return { ok: problem === undefined, what: 'isolates', detail: problem ?? `V8 ${process.versions.v8}, isolated-vm` };
}

async function interpreters(): Promise<Finding[]> {
  const context = { env: process.env, cwd: process.cwd(), cacheDir: cacheDir(process.env) };
  const { runtimes, problems } = await allRuntimes(homeDir(process.env));
  const described = await Promise.all(
    runtimes.filter(({ kind }) => kind === 'process').map((runtime) => describeRuntime(runtime, context)),
  );
  const found = described
    .filter(({ file, status }) => file !== undefined || status !== 'ok')
    .map(({ id, status, version, file, hint }) => ({
      ok: status === 'ok',
      what: id,
      detail: status === 'ok' ? `${version ?? ''} ${file ?? ''}`.trim() : (hint ?? status),
    }));
  return [...found, ...problems.map((detail) => ({ ok: false, what: 'your own', detail }))];
}

function limits({ memory, cpu, pids, detail }: LimitSupport): Finding[] {
  const why = (limit: string): string =>
    detail.find((line) => line.startsWith(`${limit}:`))?.slice(limit.length + 2) ?? 'cannot be limited here';
  const memoryDetail = {
    cgroup: 'exact, by a cgroup',
    watchdog: `watched, a hog may pass the limit for a moment; ${why('memory')}`,
    none: why('memory'),
  };
  return [
    { ok: true, what: '--timeout', detail: 'ends the whole process tree' },
    { ok: memory !== 'none', what: '--memory', detail: memoryDetail[memory] },
    { ok: cpu, what: '--cpu', detail: cpu ? 'by a cgroup' : why('cpu') },
    { ok: pids, what: '--pids', detail: pids ? 'by a cgroup' : why('pids') },
  ];
}
