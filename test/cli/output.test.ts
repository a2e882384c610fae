/** What a program writes arrives byte for byte, in order, and no more of prisn's than was asked for. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { needsOf } from '../machine.ts';
import { bin, prisn, startPrisn } from '../prisn.ts';
import { Scratch } from '../scratch.ts';

const scratch = new Scratch();
const file = scratch.file.bind(scratch);

/** Length and hash of stdout, without holding it. */
function digest(words: readonly string[]): Promise<{ bytes: number; hash: string; code: number | null }> {
  const child = startPrisn(words);
  const sha = createHash('sha256');
  let bytes = 0;
  child.stderr?.resume();
  child.stdout?.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    sha.update(chunk);
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ bytes, hash: sha.digest('hex'), code })));
}

const megabyte = 2 ** 20;
const pattern = Buffer.from(Array.from({ length: megabyte }, (_, index) => (index * 7) % 251));
const expected = createHash('sha256');
for (let i = 0; i < 100; i++) expected.update(pattern);
const expectedHash = expected.digest('hex');

describe('100 MB of binary output arrive whole', () => {
  const programs: readonly (readonly [name: string, text: string])[] = [
    [
      'pattern.js',
      'const p = Uint8Array.from({ length: 2 ** 20 }, (_, i) => (i * 7) % 251); for (let i = 0; i < 100; i++) process.stdout.write(p);',
    ],
    [
      'pattern.py',
      'import sys\np = bytes((i * 7) % 251 for i in range(2 ** 20))\nfor _ in range(100): sys.stdout.buffer.write(p)\n',
    ],
  ];
  for (const [name, text] of programs) {
    test(name, needsOf(name), async () => {
      assert.deepEqual(await digest(['run', file(name, text)]), { bytes: 100 * megabyte, hash: expectedHash, code: 0 });
    });
    test(`${name} with a limit`, needsOf(name), async () => {
      assert.deepEqual(await digest(['run', '--timeout', '60s', file(name, text)]), {
        bytes: 100 * megabyte,
        hash: expectedHash,
        code: 0,
      });
    });
  }
});

describe('a reader that closes early ends the program without a word', () => {
  for (const [name, text] of [
    ['endless.js', "for (let i = 0; ; i++) console.log('line', i)"],
    ['endless.py', 'i = 0\nwhile True:\n    print("line", i)\n    i += 1\n'],
    ['endless.sh', 'while :; do echo line 0; done'],
  ] as const) {
    test(name, needsOf(name), async () => {
      const quiet = name.endsWith('.py') ? '2>/dev/null' : ''; // python3 itself prints a BrokenPipeError
      const result = await prisn(['-c', `"$0" run "$1" ${quiet} | head -1`, bin, file(name, text)], { command: ['/bin/sh'] });
      assert.deepEqual([result.stdout, result.stderr, result.code], ['line 0\n', '', 0]);
    });
  }
});

test('bytes that are no UTF-8 pass as they are', async () => {
  const bytes = 'new Uint8Array([0xff, 0xfe, 0x00, 0xc3, 0x28])';
  const { hash } = await digest(['run', file('invalid.js', `process.stdout.write(${bytes})`)]);
  assert.equal(
    hash,
    createHash('sha256')
      .update(Uint8Array.of(0xff, 0xfe, 0x00, 0xc3, 0x28))
      .digest('hex'),
  );
});

test('what is written to both streams keeps its order in a file that takes both', async () => {
  const text = 'for (let i = 0; i < 200; i++) (i % 2 ? console.error : console.log)(i)';
  const result = await prisn(['-c', '"$0" run "$1" 2>&1', bin, file('both.js', text)], { command: ['/bin/sh'] });
  assert.equal(result.stdout, Array.from({ length: 200 }, (_, index) => `${index}\n`).join(''));
});

test('-v says on stderr, line by line, what is run, how and why', async () => {
  const said = async (words: readonly string[]) => {
    const { stdout, stderr } = await prisn(words);
    // Where there is a launcher, it says first why it is not the one that runs it.
    return { stdout, stderr: stderr.replace(/^prisn: not by the launcher, since no daemon is there\n/, '') };
  };
  const isolate = await said(['run', '-v', file('plain.js', '1')]);
  assert.match(isolate.stderr, /^prisn: javascript \(extension \.js\): isolate\n$/);
  const node = await said(['run', '-v', file('needs-node.js', "console.log(require('os').EOL.length)")]);
  assert.match(node.stderr, /^prisn: node and not an isolate, since .*require.*\nprisn: node \(.*\): \//);
  assert.equal(node.stdout, '1\n');
  const python = await said(['run', '-v', file('plain.py', '1')]);
  assert.match(python.stderr, /^prisn: python3 \(extension \.py\): \/\S+ \(\w+\)\n$/);
});

test('an error that the choice of an isolate caused names the way out', async () => {
  const result = await prisn(['run', '--runtime', 'js', file('forced.js', 'Buffer.from("a")')]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /ReferenceError: Buffer is not defined/);
  assert.match(result.stderr, /^prisn: .*--runtime node$/m);
});
