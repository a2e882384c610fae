/** What is no UTF-8 is refused or said, wherever Node would change it unasked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needs } from '../machine.ts';
import { bin, prisn, type Result } from '../prisn.ts';
import { needsProc } from '../processes.ts';
import { Scratch } from '../scratch.ts';

const scratch = new Scratch();
const says = scratch.file('says.sh', 'echo "$XX$1"; cat\n');
const latin1 = new Uint8Array(Buffer.from('caf\xe9', 'latin1'));

/** A line of bash, which can write any byte; `$0` is the command. */
function bash(line: string): Promise<Result> {
  return prisn([], { command: ['bash', '-c', line, bin], cwd: scratch.root, env: { PRISN_DAEMON: 'off' } });
}

const skip = needs('bash').skip || needsProc.skip;

for (const line of [
  `"$0" run ${says} one $'caf\\xe9'`,
  `"$0" run $'caf\\xe9.sh'`,
  `"$0" run -e XX=$'caf\\xe9' ${says}`,
  `"$0" trigger job --arg $'caf\\xe9'`,
])
  test(`an argument that is not UTF-8 is refused: ${line.replace(scratch.root, '')}`, { skip }, async () => {
    const { code, stdout, stderr } = await bash(line);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(
      stderr,
      /^prisn: \$'\S*caf\\xe9(?:\.sh)?' is not valid UTF-8, and prisn could hand it on changed only; [^\n]+\n$/,
    );
  });

test('a variable that is not UTF-8 is said to be changed, and no other is', { skip }, async () => {
  const { code, stdout, stderr } = await bash(`XX=$'caf\\xe9' YY=� "$0" run ${says}`);
  assert.deepEqual([code, stdout], [0, 'caf�\n']);
  assert.match(stderr, /^prisn: the variable XX is not valid UTF-8; [^\n]+\n$/);
});

test('U+FFFD itself is nothing to speak of', { skip }, async () => {
  const { stdout, stderr } = await bash(`XX=� "$0" run ${says} �`);
  assert.deepEqual([stdout, stderr], ['��\n', '']);
});

test('what is read as text has to be that', async () => {
  const file = scratch.file('broken.env', new Uint8Array(Buffer.from('XX=caf\xe9\n', 'latin1')));
  const { code, stderr } = await prisn(['run', '--env-file', file, says]);
  assert.equal(code, 2);
  assert.match(stderr, /^prisn: --env-file: '\S+broken\.env' is not valid UTF-8/);
  const triggered = await prisn(['trigger', 'job', '--stdin'], { stdin: latin1, env: { PRISN_DAEMON: 'off' } });
  assert.equal(triggered.code, 2);
  assert.match(triggered.stderr, /^prisn: --stdin: standard input is not valid UTF-8/);
});
