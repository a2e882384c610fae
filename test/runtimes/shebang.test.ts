import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseShebang } from '../../runtimes/shebang.ts';

const parse = (text: string) => parseShebang(Buffer.from(text));

test('a shebang is an interpreter and the rest of the line as one argument', () => {
  assert.deepEqual(parse('#!/usr/bin/awk -f -v\nx'), {
    line: '/usr/bin/awk -f -v',
    command: '/usr/bin/awk',
    name: 'awk',
    args: ['-f -v'],
    env: {},
  });
  assert.deepEqual(parse('#!  /bin/sh  \nx')?.args, []);
  assert.equal(parse('#!/bin/bash\r\nx')?.command, '/bin/bash');
  assert.equal(parse('#!/bin/bash')?.command, '/bin/bash');
});

test('env is read through to the name it looks up, its arguments and its assignments', () => {
  for (const line of ['#!/usr/bin/env python3', '#!/bin/env python3\r'])
    assert.deepEqual([parse(line)?.command, parse(line)?.args], ['python3', []]);
  for (const split of ['-S ', '-S', '--split-string=', '--split-string ', '']) {
    const shebang = parse(`#!/usr/bin/env ${split}python3 -u  -O\n`);
    assert.deepEqual([shebang?.command, shebang?.args], ['python3', ['-u', '-O']], split);
  }
  const assigned = parse('#!/usr/bin/env -S A=1 B=x=y /opt/py/bin/python3 -u C=3\n');
  assert.deepEqual(assigned?.env, { A: '1', B: 'x=y' });
  assert.deepEqual([assigned?.command, assigned?.name, assigned?.args], ['/opt/py/bin/python3', 'python3', ['-u', 'C=3']]);
});

test('a line that uses more of env than that is left to env, as the kernel would hand it over', () => {
  for (const rest of ['-i python3', '-S -u HOME python3', '-S python3 -c "a b"', '-S python3 ${OPTS}', 'A=1'])
    assert.deepEqual(
      [parse(`#!/usr/bin/env ${rest}\n`)?.command, parse(`#!/usr/bin/env ${rest}\n`)?.args],
      ['/usr/bin/env', [rest]],
      rest,
    );
});

test('what only resembles a shebang is none', () => {
  for (const text of ['', '#', '#!', '#!\n/bin/sh', '#!   \n', ' #!/bin/sh', '\ufeff#!/bin/sh', '# !/bin/sh', '//#!/bin/sh'])
    assert.equal(parse(text), undefined, JSON.stringify(text));
});
