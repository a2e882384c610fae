/**
 * Programs under `python3` and under its fork server: stdout, stderr and end are the same, byte for byte, on pipes and on a
 * terminal, with nothing preloaded and with the modules that programs import most. In the short form the terminal is left out
 * for programs that have nothing to do with it.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { full } from '../../full.ts';
import { findProgram } from '../../machine.ts';
import { needsProc } from '../../processes.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/python', import.meta.url));
const forkServer = fileURLToPath(new URL('../../../dist/runtimes/python3/forkserver.py', import.meta.url));
const documents = fileURLToPath(new URL('../../../docs/python.md', import.meta.url));

/** What cannot be had the same: a program that shows it, and its name in docs/python.md. */
const differences: Readonly<Record<string, string>> = {
  'hash-of-text.py': 'Hash seed',
  'controlling-terminal.py': 'Controlling terminal',
  'modules-loaded-ahead.py': '`sys.modules`',
  'objects-of-the-server.py': '`gc.get_freeze_count()`',
  'functions-at-exit-of-modules.py': '`atexit` of modules',
};

interface Run {
  readonly name: string;
  readonly mode: 'pipe' | 'terminal';
  readonly way: string;
  readonly result: { readonly stdout: string; readonly stderr: string; readonly end: string };
}

const skip = needsProc.skip || (findProgram('python3') === undefined && 'no python3');

describe('a program of a fork server', { skip, timeout: 600_000 }, () => {
  conformance('conformance', [forkServer], (others, bare) => {
    for (const { way, mode, result } of others) assert.deepEqual(result, bare[mode], `${way}, ${mode}`);
  });
});

it('the number of programs in docs/python.md is that of the folder', () => {
  assert.ok(readFileSync(documents, 'utf8').includes(`has ${readdirSync(join(fixtures, 'conformance')).length} programs`));
});

describe('what differs in a program of a fork server', { skip }, () => {
  conformance('differences', [forkServer], (others, bare, name) => {
    assert.ok(
      others.some(({ mode, result }) => JSON.stringify(result) !== JSON.stringify(bare[mode])),
      'it does not differ any more',
    );
    assert.ok(readFileSync(documents, 'utf8').includes(`| ${differences[name]} `), 'docs/python.md has it');
  });
});

/**
 * Declares a test a program.
 * @param folder of programs, in the fixtures
 * @param way that is compared with the interpreter itself, in the words of `drive.py`
 */
function conformance(
  folder: string,
  way: readonly string[],
  compare: (others: readonly Run[], bare: Readonly<Record<string, Run['result']>>, name: string) => void,
): void {
  let runs: Run[] = [];
  before(async () => {
    runs = await drive(join(fixtures, folder), way);
  });
  for (const name of readdirSync(join(fixtures, folder))) {
    it(name, () => {
      const own = runs.filter((run) => run.name === name);
      const bare = Object.fromEntries(own.filter((run) => run.way === 'bare').map(({ mode, result }) => [mode, result]));
      compare(
        own.filter((run) => run.way !== 'bare'),
        bare,
        name,
      );
    });
  }
}

async function drive(programs: string, way: readonly string[]): Promise<Run[]> {
  const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
  const words = [join(fixtures, 'drive.py'), ...(full ? [] : ['--brief']), python, programs, ...way];
  const child = spawn(python, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [lines, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.equal(errors, '');
  return lines
    .split('\n')
    .filter(Boolean)
    .map((line): Run => JSON.parse(line));
}
