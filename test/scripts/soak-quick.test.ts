// The soak in small, for every run of the tests; `npm run soak -- --minutes 5` is the long one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soak } from '../../scripts/soak/run.ts';

test('a few thousand events over threads and processes that keep dying: none is lost, none out of order, nothing is left', async () => {
  const report = await soak({ seed: 20_240, minutes: 0.15, services: 6, events: 8000, progress: () => undefined });
  assert.deepEqual(report.faults, [], `seed ${String(report.seed)}`);
  const { sent, enqueued, handled, failed, deadLettered, discarded, open } = report.events;
  assert.ok(sent >= enqueued && enqueued >= 8000);
  assert.equal(enqueued, handled + failed + deadLettered + discarded + open);
  assert.ok(report.attempts.crashed + report.attempts.timedOut > 0, 'nothing died: the soak soaked nothing');
});
