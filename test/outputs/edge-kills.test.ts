// The quick form of `npm run trial -- edge-kills`: a daemon that is killed while webhooks come in and commands go out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { edgeKills } from '../../scripts/trials/edge-kills.ts';

test('what was answered with 202 has its commands delivered under one key, and nothing else has', async () => {
  const report = await edgeKills({ kills: 6, senders: 3, seed: 7, progress: () => undefined });
  assert.deepEqual(report.faults, []);
  assert.ok(report.acknowledged > report.failing, JSON.stringify(report));
  assert.ok(report.counted > 0);
});
