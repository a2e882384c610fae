import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { reasons } from '../../src/model/outcome.ts';
import { decideRetry } from '../../src/model/retry.ts';

describe('the decision on a further attempt', () => {
  test('is made for whatever may end otherwise the next time', () => {
    const retried = reasons.filter((reason) => decideRetry({ reason, exitCode: 1 }, 1, 1, 0).retry);
    assert.deepEqual(retried, ['exit', 'timeout', 'memory', 'signal', 'crashed', 'interrupted', 'dependency']);
    assert.deepEqual(decideRetry({ reason: 'exit', exitCode: 0 }, 1, 5, 0), { retry: false, why: 'it succeeded' });
  });

  test('waits twice as long each time, up to a minute, and at least half of that', () => {
    const delays = (random: number): number[] =>
      Array.from({ length: 8 }, (_, i) => {
        const decision = decideRetry({ reason: 'exit', exitCode: 1 }, i + 1, 100, random);
        return decision.retry ? decision.delayMs : assert.fail(decision.why);
      });
    assert.deepEqual(delays(1), [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    assert.deepEqual(delays(0), [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  test('says its reason', () => {
    const why = (outcome: Parameters<typeof decideRetry>[0], attempt: number): string => decideRetry(outcome, attempt, 2, 1).why;
    assert.equal(why({ reason: 'exit', exitCode: 3 }, 1), 'attempt 1 of 3 failed (exit code 3); the next one starts in 1s');
    assert.equal(
      why({ reason: 'signal', exitCode: 139, signal: 'SIGSEGV' }, 2),
      'attempt 2 of 3 failed (signal SIGSEGV); the next one starts in 2s',
    );
    assert.equal(why({ reason: 'timeout', exitCode: 124 }, 3), 'attempt 3 of 3 failed (timeout), and no attempt is left');
    assert.equal(why({ reason: 'canceled', exitCode: 125 }, 1), 'it was canceled');
  });

  test('never gives more attempts than were asked for', () => {
    fc.assert(
      fc.property(
        fc.nat(100),
        fc.constantFrom(...reasons),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (retries, reason, random) => {
          let attempts = 1;
          while (decideRetry({ reason, exitCode: 1 }, attempts, retries, random).retry) attempts++;
          assert.ok(attempts <= retries + 1);
        },
      ),
    );
  });
});
