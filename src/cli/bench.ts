/** `prisn bench run | trigger | fn`: how fast something is, and whether that has changed. */
import type { Command } from './command.ts';
import { parseDuration } from '../base/units.ts';
import { checkInput, variables } from './assignments.ts';
import { benchHttp, executionRequest, functionRequest } from './bench-http.ts';
import { type BenchDefaults, type BenchOptions, withBenchOptions } from './bench-options.ts';
import { benchRun } from './bench-run.ts';
import { runBench } from './bench-session.ts';
import { remoteCommand, type RemoteOptions, repeatable } from './remote.ts';

type Exit = (code: number) => void;

export function benchCommand(program: Command, exit: Exit): void {
  program.enablePositionalOptions();
  const bench = program
    .command('bench')
    .description('measure runs, jobs and functions, and compare')
    .enablePositionalOptions()
    .note(examples);
  runCommand(bench, exit);
  triggerCommand(bench, exit);
  fnCommand(bench, exit);
}

const examples = `
Examples:
  prisn bench run report.py --all --baseline 'python3 report.py --all'
  prisn bench trigger backup --concurrency 8 --save before.json
  prisn bench trigger backup --concurrency 8 --compare before.json
  prisn bench fn greet '?name=Ada' --rate 200 --duration 30s`;

const runDefaults: BenchDefaults = {
  calls: 'runs',
  baseline: ['<command>', 'another command in one word'],
  warmUp: '1s',
  duration: '5s',
  leastRounds: 10,
};

const httpDefaults: BenchDefaults = {
  calls: 'requests',
  baseline: ['<deployment>', 'another deployment'],
  warmUp: '2s',
  duration: '10s',
  leastRounds: 5,
};

function runCommand(bench: Command, exit: Exit): void {
  withBenchOptions(
    bench
      .command('run')
      .usage('[options] <file> [args…]')
      .summary('run a file from the start of prisn to its end')
      .description(
        'start to end of prisn run <file>; what stands after the file is the program’s, and after -- options of prisn run',
      )
      .argument('<file...>')
      .passThroughOptions(),
    runDefaults,
  )
    .note(
      `\nExamples:\n  prisn bench run hello.js\n  prisn bench run --baseline 'python3 x.py' x.py\n  prisn bench run -- --memory 256mb crawl.js --all`,
    )
    .action(async (words: string[], options: BenchOptions, command: Command) => {
      const own = command.options.flatMap(({ long }) => long ?? []);
      exit(await runBench('run', options, runDefaults, async () => benchRun(words, options.baseline, own)));
    });
}

interface HttpOptions extends BenchOptions, RemoteOptions {
  readonly timeout: string;
}

interface TriggerOptions extends HttpOptions {
  readonly env?: readonly string[];
  readonly input?: string;
  readonly arg?: readonly string[];
}

function triggerCommand(bench: Command, exit: Exit): void {
  const command = bench
    .command('trigger')
    .description('trigger a deployment by HTTP and wait for its end')
    .argument('<deployment>', 'name or id of a job')
    .option('-e, --env <KEY=VALUE>', 'add a variable for its runs (repeatable)', repeatable)
    .option('--input <json>', 'call its default export with this value')
    .option('--arg <value>', 'an argument, after the deployed ones (repeatable)', repeatable);
  remoteCommand(withHttpOptions(command), [
    'prisn bench trigger backup',
    'prisn bench trigger backup --rate 20 --duration 1m',
    'prisn bench trigger backup --baseline backup-with-more-memory',
  ]).action(async (deployment: string, options: TriggerOptions) => {
    const { namespace, arg: args, env = [], input } = options;
    const request = executionRequest({ namespace, args, env: variables(env) }, checkInput(input));
    exit(await runHttp('trigger', deployment, request, options));
  });
}

interface FnOptions extends HttpOptions {
  readonly data?: string;
  readonly header?: readonly string[];
}

function fnCommand(bench: Command, exit: Exit): void {
  const command = bench
    .command('fn')
    .description('call a function by HTTP')
    .argument('<name>', 'name or id of a job')
    .argument('[path]', 'below the function, with its query')
    .option('--data <text>', 'send this with POST')
    .option('--header <Name: value>', 'send a header (repeatable)', repeatable);
  remoteCommand(withHttpOptions(command), [
    "prisn bench fn greet '?name=Ada'",
    `prisn bench fn words --data '{"text": "a b a"}' --concurrency 32`,
  ]).action(async (name: string, path: string | undefined, options: FnOptions) => {
    const request = functionRequest(options.namespace, path ?? '', options.data, options.header ?? []);
    exit(await runHttp('fn', name, request, options));
  });
}

function withHttpOptions(command: Command): Command {
  return withBenchOptions(command, httpDefaults).option(
    '--timeout <duration>',
    'an answer that takes longer is an error',
    undefined,
    '1m',
  );
}

function runHttp(
  kind: 'trigger' | 'fn',
  deployment: string,
  request: Parameters<typeof benchHttp>[0]['request'],
  options: HttpOptions,
): Promise<number> {
  const { baseline, timeout } = options;
  const timeoutMs = parseDuration(timeout, '--timeout');
  return runBench(kind, options, httpDefaults, () =>
    benchHttp({ kind, deployment, baseline, remote: options, timeoutMs, request }),
  );
}
