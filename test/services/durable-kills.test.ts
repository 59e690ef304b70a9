// The quick form of `npm run soak -- --kills 200`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killSoak } from '../../scripts/soak/kills.ts';

test('a daemon that is killed under load loses nothing, and calls what it repeats another attempt', async () => {
  const report = await killSoak({ kills: 4, services: 1, seed: 20, mostAccepted: 600, progress: () => undefined });
  assert.deepEqual(report.faults, []);
  assert.ok(report.acknowledged > 0, 'nothing was accepted: the test proves nothing');
});
