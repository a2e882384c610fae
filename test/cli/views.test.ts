/** Cells of tables that are worked out rather than copied. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ShownExecution } from '../../src/api/contract/schemas.ts';
import { tookText } from '../../src/cli/views.ts';

const execution = {
  created_at: '2026-01-01T00:00:00.000Z',
  started_at: '2026-01-01T00:00:05.000Z',
  status: 'Completed',
} as ShownExecution;
const phases = { queued_ms: 5000, prepare_ms: 10, start_ms: 20, run_ms: 300, duration_ms: 5333 };

test('what an execution took is everything after the queue', () => {
  assert.equal(tookText({ ...execution, ...phases }), '330ms');
});

test('what runs has taken the time since it left the queue', () => {
  assert.equal(tookText({ ...execution, status: 'Running' }, Date.parse('2026-01-01T00:00:07.000Z')), '2s');
});

test('what ended before its code ran took what is not the queue’s', () => {
  const { queued_ms, duration_ms } = phases;
  assert.equal(tookText({ ...execution, status: 'Failed', queued_ms, duration_ms }), '333ms');
});

test('what never started took nothing', () => {
  const { started_at: _, ...waiting } = execution;
  assert.equal(tookText({ ...waiting, status: 'Pending' }), '');
  assert.equal(tookText({ ...waiting, status: 'Failed', queued_ms: 5000, duration_ms: 5000 }), '');
});
