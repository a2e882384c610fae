import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wordsOfCommand } from '../../src/cli/words.ts';

for (const [text, words] of [
  ['python3 x.py --all', ['python3', 'x.py', '--all']],
  ['  sh  -c \'echo "$HOME"\'  ', ['sh', '-c', 'echo "$HOME"']],
  ['a "b \\"c\\" \\n" d\\ e', ['a', 'b "c" \\n', 'd e']],
  ["one'two'\"three\" ''", ['onetwothree', '']],
] as const)
  test(`${text} is ${words.length} words`, () => assert.deepEqual(wordsOfCommand(text, '--baseline'), words));

for (const text of ["python3 'x.py", 'a "b', 'a \\', ' '])
  test(`'${text}' is refused`, () => assert.throws(() => wordsOfCommand(text, '--baseline'), { code: 'usage' }));
