import assert from 'node:assert/strict';
import { chmodSync, readFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { ForkHabits } from '../../../runtimes/python3/fork-habits.ts';
import type { ForkKind } from '../../../src/model/fork.ts';
import { Scratch } from '../../scratch.ts';

const kind = (more: Partial<ForkKind> = {}): ForkKind => ({
  way: 'recorded',
  domain: 'default',
  interpreter: '/usr/bin/python3',
  env: {},
  ...more,
});

const dayMs = 86_400_000;

/** Habits in a file of their own, and a clock. */
function habitsOf(context: TestContext): { open: () => ForkHabits; path: string; clock: { now: number } } {
  const path = new Scratch(context).path('cache/habits.json');
  const clock = { now: 1_000_000 };
  return { path, clock, open: () => new ForkHabits(path, () => clock.now) };
}

describe('the habits of Python programs', () => {
  test('are to import what two recorded runs imported, the most frequent first', (context) => {
    const habits = habitsOf(context).open();
    habits.imported(kind(), ['json', 'ssl', 'rare']);
    assert.deepEqual(habits.preloads(kind()), []);
    habits.imported(kind(), ['json', 'ssl']);
    habits.imported(kind(), ['ssl']);
    assert.deepEqual(habits.preloads(kind()), ['ssl', 'json']);
    assert.deepEqual(habits.preloads(kind({ domain: 'other' })), []);
  });

  test('are to import what one run in the foreground imported, of the last one first, and what came last before it', (context) => {
    const { open, clock } = habitsOf(context);
    const habits = open();
    const foreground = kind({ way: 'foreground' });
    habits.imported(foreground, ['json.decoder', 'json']);
    clock.now++;
    habits.imported(foreground, ['_ssl', 'ssl']);
    assert.deepEqual(habits.preloads(foreground), ['ssl', '_ssl', 'json', 'json.decoder']);
  });

  test('outlive the daemon, for a week', (context) => {
    const { open, clock } = habitsOf(context);
    const first = open();
    for (const name of ['json', 'json']) first.imported(kind(), [name]);
    first.save();
    assert.deepEqual(open().preloads(kind()), ['json']);
    clock.now += 8 * dayMs;
    assert.deepEqual(open().preloads(kind()), []);
  });

  test('leave out for a week what a server kept out, also of the next daemon', (context) => {
    const { open, clock } = habitsOf(context);
    const first = open();
    for (const names of [
      ['noisy', 'json'],
      ['noisy', 'json'],
    ])
      first.imported(kind(), names);
    first.keepOut(kind(), ['noisy']);
    first.save();
    const next = open();
    assert.deepEqual([next.preloads(kind()), next.keptOut(kind())], [['json'], ['noisy']]);
    clock.now += 8 * dayMs;
    next.imported(kind(), ['noisy']);
    assert.deepEqual([next.preloads(kind()), next.keptOut(kind())], [['noisy'], []]);
  });

  test('make those frequent that ran often of late', (context) => {
    const { open, clock } = habitsOf(context);
    const habits = open();
    const seldom = kind({ domain: 'seldom' });
    const often = kind({ domain: 'often' });
    for (let i = 0; i < 20; i++) habits.asked(kind());
    for (let i = 0; i < 30; i++) habits.asked(often);
    habits.asked(seldom);
    assert.deepEqual(habits.frequent(), [often, kind()]);
    const foreground = kind({ way: 'foreground' });
    for (let i = 0; i < 2; i++) habits.asked(foreground);
    assert.deepEqual(habits.frequent(), [often, kind(), foreground], 'somebody sits there');
    clock.now += 3 * dayMs;
    assert.deepEqual(habits.frequent(), []);
  });

  test('are not written where a variable may be a secret', (context) => {
    const { open, path } = habitsOf(context);
    const habits = open();
    habits.asked(kind({ env: { PYTHON_API_TOKEN: 'secret' } }));
    habits.asked(kind({ env: { PYTHONPATH: '/lib' } }));
    habits.save();
    const text = readFileSync(path, 'utf8');
    assert.ok(text.includes('/lib') && !text.includes('secret'), text);
  });

  for (const [what, spoil] of [
    ['that is no JSON', (scratch: Scratch) => scratch.file('habits.json', '[{', 0o600)],
    ['of another form', (scratch: Scratch) => scratch.file('habits.json', '[{"kind":1},null]', 0o600)],
  ] as const)
    test(`begin anew with a file ${what}`, (context) => {
      assert.deepEqual(new ForkHabits(spoil(new Scratch(context))).frequent(), []);
    });

  test('are not taken from a file that others may write', (context) => {
    const { open, path } = habitsOf(context);
    const habits = open();
    for (let i = 0; i < 20; i++) habits.asked(kind());
    habits.save();
    chmodSync(path, 0o666);
    assert.deepEqual(open().frequent(), []);
  });

  test('do not grow without end', (context) => {
    const { open, path } = habitsOf(context);
    const habits = open();
    for (let i = 0; i < 500; i++) habits.asked(kind({ domain: `domain-${i}` }));
    habits.imported(
      kind(),
      Array.from({ length: 5000 }, (_, index) => `module_${index}`),
    );
    const news = ['news', 'news'];
    for (const name of news) habits.imported(kind(), [name]);
    habits.save();
    assert.ok(readFileSync(path, 'utf8').length < 200_000);
    assert.deepEqual(habits.preloads(kind()), ['news'], 'what is new is learned all the same');
  });
});
