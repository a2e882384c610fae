import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type LogPiece, timedLines } from '../../src/cli/log-stream.ts';

async function lines(...given: [stream: 'stdout' | 'stderr', time: string, text: string][]): Promise<string[]> {
  async function* pieces(): AsyncGenerator<LogPiece> {
    for (const [stream, time, text] of given) yield { stream, time, text };
  }
  const found: string[] = [];
  for await (const line of timedLines(pieces())) found.push(line);
  return found;
}

describe('lines with their times', () => {
  test('are whole, with the time at which they began', async () => {
    assert.deepEqual(await lines(['stdout', 'T1', 'a'], ['stdout', 'T2', 'b\nc\n'], ['stdout', 'T3', 'd']), [
      'T1 ab\n',
      'T2 c\n',
      'T3 d\n',
    ]);
  });

  test('are not mixed with those of the other stream', async () => {
    assert.deepEqual(await lines(['stdout', 'T1', 'out '], ['stderr', 'T2', 'problem\n'], ['stdout', 'T3', 'put\n']), [
      'T2 problem\n',
      'T1 out put\n',
    ]);
  });

  test('may be empty, and there may be none', async () => {
    assert.deepEqual(await lines(['stdout', 'T1', '\n\n'], ['stdout', 'T2', '']), ['T1 \n', 'T1 \n']);
    assert.deepEqual(await lines(), []);
  });
});
