import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stopTranslator, translate } from '../../../runtimes/javascript/typescript.ts';

test('the end of the reading of one program leaves the translation of another alone', async () => {
  const other = translate('/other.ts', 'enum Level { High = 1 }', { compilerOptions: {} });
  await stopTranslator();
  assert.match((await other).code, /High/);
  await stopTranslator();
});
