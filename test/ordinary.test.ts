/**
 * Ordinary scripts behave under `prisn run` as under `node`: the same bytes on stdout and stderr, the same exit code.
 *
 * Every script of `fixtures/ordinary` runs twice, in the same folder and with the same environment: under the Node of this
 * test, and under `prisn run`. Scripts at the top must run in an isolate, those in `needs-node` in node and for a stated
 * reason; those in `broken` (syntax and import errors) may go either way. A script with an `.expected` file beside it uses what node refuses (enums, decorators): the file is the
 * stdout that it must have.
 *
 * Only stack frames are set aside, since node's end in its own loader. Of them the user's own lines must agree too.
 *
 * A script's first line may give its arguments (`// args: ["a"]`) or its standard input (`// stdin: "text"`), as JSON.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadProgram } from '../runtimes/javascript/load.ts';
import { bin, prisn, shellCodeOf } from './prisn.ts';
import { Scratch } from './scratch.ts';

type Part = 'stdout' | 'stderr' | 'exitCode';

interface KeptDifference {
  /** Exactly these differ, and nothing else. */
  readonly in: readonly Part[];
  readonly why: string;
}

/** Differences from node that are right to keep, by script. One that is gone fails its test, as one that is new does. */
const keptDifferences: Readonly<Record<string, KeptDifference>> = {
  'an-event-listener-throws.js': { in: ['stderr'], why: "prisn shows the script's line, node a line of its own source" },
  'exits-with-a-word.js': { in: ['stderr'], why: "prisn shows the script's line, node a line of its own source" },
  'prints-class-instances.js': { in: ['stdout'], why: 'an isolate cannot tell the class of an object that lost its prototype' },
  'prints-promises.mjs': { in: ['stdout'], why: 'an isolate cannot see whether a promise is settled: it shows each as pending' },
  'rejects-with-a-null-prototype-object.js': {
    in: ['stderr'],
    why: 'a rejection reaches prisn as a copy: what is no error is shown as #<Object>',
  },
  'throws-a-caught-error-again.js': {
    in: ['stderr'],
    why: 'isolated-vm tells where an error was made, not where it was thrown again',
  },
  'throws-from-an-eval.js': { in: ['stderr'], why: 'prisn shows the line of the eval, node the line of what it evaluated' },
  'top-level-await-rejects-with-a-string.mjs': {
    in: ['stderr'],
    why: 'node tells this rejection from others by a line of its own source',
  },
  'rejects-in-typescript.ts': { in: ['stderr'], why: 'prisn shows the line as it was written, node with its types blanked out' },
  'throws-in-typescript.ts': { in: ['stderr'], why: 'prisn shows the line as it was written, node with its types blanked out' },
  'broken/imports-a-missing-file.mjs': {
    in: ['stderr'],
    why: "prisn names the import's line in one sentence, node shows a line of its own source",
  },
  'broken/imports-json-without-saying-so.mjs': {
    in: ['stdout', 'stderr', 'exitCode'],
    why: 'prisn reads a .json file as JSON with or without the import attribute',
  },
};

const folder = join(import.meta.dirname, 'fixtures/ordinary');
const home = new Scratch().root;
const environment = { HOME: home, TZ: 'America/New_York', LANG: 'en_US.UTF-8', GREETING: 'hello', EMPTY: '', UNICODE: 'grüße' };
// This warning for an ES module in a .js file names the process id, so it can never be the same twice.
const nodeCommand = [process.execPath, '--disable-warning=MODULE_TYPELESS_PACKAGE_JSON'] as const;
const prisnCommand = [bin, 'run'] as const;

const frame = /^ {4,}(?:at |\.{3} \d+ lines matching cause stack trace)/;
const ownFrame = /fixtures\/ordinary\/(.+?:\d+):\d+/;
/** What runs the scripts of a section, and what -v says of it. */
const choices: Readonly<Record<string, { readonly choice: 'isolate' | 'node'; readonly told: RegExp }>> = {
  '.': { choice: 'isolate', told: /^prisn: (?:javascript|typescript) .*\bisolate$/m },
  'needs-node': { choice: 'node', told: /^prisn: node and not an isolate, since \S/m },
};

interface Behaviour {
  readonly stdout: string;
  readonly stderr: string;
  /** 128 + n for signal n, as a shell counts. */
  readonly exitCode: number;
}

const sections = ['.', 'broken', 'needs-node'].map((section) => ({ section, scripts: scriptsIn(section) }));

after(() => {
  const counts = sections.map(({ section, scripts }) => `${scripts.length} in ${join('ordinary', section)}`);
  console.log(
    `scripts compared with node ${process.version}: ${counts.join(', ')}; differences kept: ${Object.keys(keptDifferences).length}`,
  );
});

for (const { section, scripts } of sections) {
  describe(`a script in ${join('ordinary', section)}`, { concurrency: 2 }, () => {
    for (const script of scripts) {
      it(`${script} does under prisn what it does under node`, async () => {
        const expected = await expectedOf(script);
        const differences = differencesBetween(expected, await behaviourOf(prisnCommand, script));
        const kept = keptDifferences[script];
        const told = [...differences.values(), ...(kept ? [`kept in ${kept.in.join(' and ')}: ${kept.why}`] : [])];
        assert.deepEqual([...differences.keys()], kept?.in ?? [], told.join('\n'));
        const choice = choices[section]?.choice;
        const loaded = await loadProgram(join(folder, script), {});
        if (choice) assert.equal(loaded.choice, choice);
        if (loaded.choice === 'node') assert.match(loaded.why, /\S/);
      });
    }
    const { told } = choices[section] ?? {};
    const [first = ''] = scripts;
    if (told)
      it('is run by what -v says', async () => {
        assert.match((await behaviourOf([...prisnCommand, '-v'], first)).stderr, told);
      });
  });
}

it('stdout and stderr keep their common order when they are one pipe', async () => {
  const script = 'interleaves-stdout-and-stderr.js';
  const joined = ['/bin/sh', '-c', 'exec "$0" "$@" 2>&1'] as const;
  const expected = await behaviourOf([...joined, ...nodeCommand], script);
  const differences = differencesBetween(expected, await behaviourOf([...joined, ...prisnCommand], script));
  assert.equal(differences.size, 0, [...differences.values()].join('\n'));
});

it('the kept differences name scripts that exist', () => {
  const known = new Set(sections.flatMap(({ scripts }) => scripts));
  assert.deepEqual(
    Object.keys(keptDifferences).filter((script) => !known.has(script)),
    [],
  );
});

function scriptsIn(section: string): string[] {
  return readdirSync(join(folder, section))
    .filter((name) => /\.(?:js|mjs|ts)$/.test(name))
    .toSorted()
    .map((name) => join(section, name));
}

async function expectedOf(script: string): Promise<Behaviour> {
  const expected = join(folder, `${script}.expected`);
  if (existsSync(expected)) return { stdout: readFileSync(expected, 'utf8'), stderr: '', exitCode: 0 };
  return behaviourOf(nodeCommand, script);
}

/** Runs a script in its own folder. */
async function behaviourOf(command: readonly [string, ...string[]], script: string): Promise<Behaviour> {
  const path = join(folder, script);
  const { args, stdin } = directivesOf(path);
  const cwd = dirname(path);
  const result = await prisn([path, ...args], { command, cwd, stdin, env: environment, timeoutMs: 20_000, encoding: 'latin1' });
  return { stdout: result.stdout, stderr: result.stderr, exitCode: shellCodeOf(result) };
}

function directivesOf(path: string): { args: string[]; stdin: string } {
  const [, name, json = ''] = /^\/\/ (args|stdin): (.+)$/m.exec(readFileSync(path, 'utf8').split('\n', 1)[0] ?? '') ?? [];
  return { args: name === 'args' ? JSON.parse(json) : [], stdin: name === 'stdin' ? JSON.parse(json) : '' };
}

/** Says of each part of two behaviours where they part. */
function differencesBetween(expected: Behaviour, actual: Behaviour): Map<Part, string> {
  const differences = new Map<Part, string>();
  for (const stream of ['stdout', 'stderr'] as const) {
    const wanted = splitFrames(expected[stream]);
    const got = splitFrames(actual[stream]);
    const difference = firstDifferentLine(wanted.lines, got.lines) ?? firstDifferentLine(wanted.ownFrames, got.ownFrames);
    if (difference) differences.set(stream, `${stream} differs from node's ${difference}`);
  }
  if (expected.exitCode !== actual.exitCode)
    differences.set('exitCode', `exit code ${actual.exitCode} instead of node's ${expected.exitCode}`);
  return differences;
}

/** The lines without stack frames, and the file and line of those frames that are the script's own. */
function splitFrames(output: string): { lines: string[]; ownFrames: string[] } {
  const lines = output.split('\n');
  return {
    lines: lines.filter((line) => !frame.test(line)),
    ownFrames: lines.filter((line) => frame.test(line)).flatMap((line) => ownFrame.exec(line)?.[1] ?? []),
  };
}

function firstDifferentLine(wanted: readonly string[], got: readonly string[]): string | undefined {
  const length = Math.max(wanted.length, got.length);
  const at = Array.from({ length }, (_, index) => index).find((index) => wanted[index] !== got[index]);
  if (at === undefined) return undefined;
  const excerpt = (mark: string, lines: readonly string[]) =>
    lines.slice(at, at + 4).map((line) => `${mark} ${readable(line).slice(0, 300)}`);
  const common = wanted.slice(Math.max(0, at - 2), at).map((line) => `  ${readable(line).slice(0, 300)}`);
  return [`at line ${at + 1} (- node, + prisn):`, ...common, ...excerpt('-', wanted), ...excerpt('+', got)].join('\n');
}

function readable(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
