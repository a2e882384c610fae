import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ageOf, durationText, untilText } from '../../src/cli/age.ts';

const now = Date.parse('2030-01-01T00:00:00.000Z');
const [minute, hour, day] = [60, 3600, 86_400];

describe('an age', () => {
  for (const [seconds, text] of [
    [-5, '0s'],
    [0, '0s'],
    [119, '119s'],
    [2 * minute, '2m'],
    [3 * minute + 20, '3m20s'],
    [10 * minute + 20, '10m'],
    [179 * minute, '179m'],
    [3 * hour + 5 * minute, '3h5m'],
    [47 * hour, '47h'],
    [2 * day + 3 * hour, '2d3h'],
    [30 * day, '30d'],
    [3 * 365 * day + day, '3y1d'],
  ] as const) {
    test(`of ${seconds} s is ${text}`, () => assert.equal(ageOf(new Date(now - seconds * 1000).toISOString(), now), text));
  }
});

test('what is to come is told as such', () => {
  assert.equal(untilText(new Date(now + 300_000).toISOString(), now), 'in 5m');
});

test('a duration is exact while it is short', () => {
  const texts = [0.04, 0.25, 8.04, 850.4, 999.6, 1234, 59_940, 61_000, 200_000].map(durationText);
  assert.deepEqual(texts, ['0ms', '0.3ms', '8ms', '850ms', '1000ms', '1.2s', '59.9s', '61s', '3m20s']);
});
