/** Compares the documentation with what there is: its tables with the code, both ways, and its examples with what they print. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { runtimes } from '../runtimes/index.ts';
import { routes, type OperationName, type Route } from '../src/api/contract/routes.ts';
import { schemas, type Schemas } from '../src/api/contract/schemas.ts';
import { errorCodes } from '../src/base/error.ts';
import { exitCodes } from '../src/base/exit-codes.ts';
import { Metrics } from '../src/metrics/metrics.ts';
import { reasons } from '../src/model/outcome.ts';
import { installHint } from '../src/model/runtime.ts';
import { runtimeKeys } from '../src/model/runtime-schema.ts';
import { flagOf, formatSetting, settingNames, settings, variableOf, type SettingName } from '../src/model/settings.ts';
import { examplesOf, isAsShown, Reader, readDocument, tableBelow } from './documents.ts';
import { needs } from './machine.ts';
import { root } from './prisn.ts';
import { Scratch } from './scratch.ts';
import { Server } from './server.ts';

const documents = [
  'README.md',
  'docs/jobs.md',
  'docs/functions.md',
  'docs/api.md',
  'docs/server.md',
  'docs/isolates.md',
  'docs/bench.md',
  'docs/python.md',
  'docs/languages.md',
  'docs/dependencies.md',
];

const tools = needs('awk', 'bash', 'curl', 'openssl', 'python3', 'tar');

describe('the examples of the documentation print what stands there', { ...tools, concurrency: true }, () => {
  for (const path of documents) {
    const examples = examplesOf(readDocument(path));
    if (examples.length === 0) continue;
    test(path, async (context) => {
      const folder = new Scratch(context);
      const reader = new Reader(folder, await Server.start(context));
      for (const { line, script, output } of examples) {
        const printed = await reader.run(script);
        assert.ok(isAsShown(printed, output), `${path}:${line} prints\n${printed}\nand shows\n${output}`);
      }
    });
  }
});

describe('the tables of the documentation are those of the code', () => {
  const [jobs, api, server, readme] = ['docs/jobs.md', 'docs/api.md', 'docs/server.md', 'README.md'].map(readDocument) as [
    string,
    string,
    string,
    string,
  ];
  const languages = readDocument('docs/languages.md');

  test('settings', () => {
    const expected = settingNames.map((name) => [name, flagOf(name), variableOf(name), defaultOf(name), settings[name].help]);
    assert.deepEqual(tableBelow(server, 'Settings').rows, expected);
  });

  test('metrics', async () => {
    const none = () => 0;
    const gauges = {
      pending: none,
      running: none,
      foregroundRuns: none,
      isolates: () => ({ hosts: 0, threads: 0, restarts: 0 }),
      forks: () => ({ servers: 0, forked: 0, declined: 0, lost: 0 }),
    };
    const text = await new Metrics(gauges).text();
    const all = Array.from(text.matchAll(/^# HELP (prisn_\S+) (.*)\n# TYPE \S+ (\S+)$/gm), ([, name, help, type]) => [
      name,
      type,
      help,
    ]);
    const shown = tableBelow(server, 'Health and metrics').rows.map(([name, type, , help]) => [name, type, help]);
    assert.deepEqual(shown, all);
  });

  test('errors', () => {
    const shown = tableBelow(api, 'Errors').rows.map(([code = '', status, , exit]) => [
      code,
      { status: Number(status), exit: Number(exit) },
    ]);
    assert.deepEqual(Object.fromEntries(shown), errorCodes);
  });

  test('languages', () => {
    const expected = runtimes.map((runtime) => [
      runtime.name,
      [runtime.id, ...runtime.aliases].join(' '),
      runtime.extensions.join(' '),
      ...(runtime.kind === 'isolate'
        ? ['', '', '']
        : [runtime.shebangs.join(' '), runtime.command.join(' '), installHint(runtime, ['debian']) ?? '']),
    ]);
    assert.deepEqual(tableBelow(languages, 'The table').rows, expected);
  });

  test('keys of a runtime', () => {
    assert.deepEqual(namesIn(languages, 'A runtime of your own'), runtimeKeys);
  });

  test('reasons', () => {
    assert.deepEqual(namesIn(jobs, 'Status and reasons'), [...reasons]);
  });

  for (const [path, text] of [
    ['docs/jobs.md', jobs],
    ['README.md', readme],
  ] as const)
    test(`exit codes of ${path}`, () => {
      const cells = tableBelow(text, 'Exit codes').rows.map(([code = '']) => code);
      const shown = cells.flatMap((code) => (/^\d+(, \d+)*$/.test(code) ? code.split(', ').map(Number) : [])).filter(Boolean);
      assert.deepEqual(new Set(shown), new Set<number>(Object.values(exitCodes)));
    });

  test('operations with what goes into them', () => {
    const fields: Readonly<Record<string, string[]>> = {
      '*deployment*': namesIn(api, 'Deployment fields'),
      '*execution*': namesIn(api, 'Execution fields'),
    };
    const shown = tableBelow(api, 'Operations').rows.map(([name, path, query = '', body = '']) => ({
      name,
      path,
      query: wordsOf(query).toSorted(),
      body:
        name !== undefined && isBytes(name)
          ? []
          : wordsOf(body)
              .flatMap((word) => fields[word] ?? [word])
              .toSorted(),
    }));
    assert.deepEqual(shown, (Object.keys(routes) as OperationName[]).map(operationOf));
  });

  test('the record of an execution', () => {
    assert.deepEqual(namesIn(api, 'An execution').toSorted(), keysOf(schemas.getExecution.reply[200]));
  });
});

test('the links of the documentation lead somewhere', () => {
  for (const path of documents)
    for (const [, target = '', anchor] of readDocument(path).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
      const file = target === '' ? path : join(dirname(path), target);
      assert.ok(existsSync(join(root, file)), `${path}: ${target} is not there`);
      if (anchor !== undefined) assert.ok(anchorsOf(readDocument(file)).includes(anchor), `${path}: ${file} has no #${anchor}`);
    }
});

/** As the documents write it, whatever machine this is. */
function defaultOf(name: SettingName): string {
  const on = (cores: number) => settings[name].default({ home: '~/.prisn', cores });
  const [one, two] = [on(1), on(2)];
  if (typeof one !== 'number' || one === two) return formatSetting(name, one);
  return one === 1 ? 'cores' : `${one} × cores`;
}

/** What stands in the first column; a cell may have several. */
function namesIn(text: string, heading: string): string[] {
  return tableBelow(text, heading).rows.flatMap(([names = '']) => wordsOf(names));
}

function wordsOf(cell: string): string[] {
  return cell.split(' ').filter(Boolean);
}

function operationOf(name: OperationName): object {
  const { method, path }: Route = routes[name];
  const { query, body }: Schemas = schemas[name];
  return { name, path: `${method} ${path.replace('/api/v1', '')}`, query: keysOf(query), body: keysOf(body) };
}

function isBytes(name: string): boolean {
  return Object.entries<Route>(routes).some(([other, { bytes }]) => other === name && bytes === true);
}

function keysOf(schema: object | undefined): string[] {
  const { properties = {} } = (schema ?? {}) as { readonly properties?: object };
  return Object.keys(properties).toSorted();
}

/** As GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  return Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- ]/gu, '')
      .replaceAll(' ', '-'),
  );
}
