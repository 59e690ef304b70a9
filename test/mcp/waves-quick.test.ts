// The waves of clients and the kills of servers in small, for every run of the tests; `npm run soak:mcp` is the long
// one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientWaves } from '../../scripts/mcp/client-waves.ts';
import { serverKills } from '../../scripts/mcp/server-kills.ts';

const progress = (): void => undefined;

test('clients that are killed leave no process, thread, descriptor or pending call', async () => {
  const report = await clientWaves({ clients: 24, wave: 8, seed: 14, progress });
  assert.deepEqual(report.faults, []);
  assert.ok(report.killedInCall > 4);
});

test('servers that are killed come back, and calls that are with them get typed errors in time', async () => {
  const report = await serverKills({ servers: 2, kills: 8, seed: 14, progress });
  assert.deepEqual(report.faults, []);
  assert.ok((report.outcomes['tool_crashed'] ?? 0) > 0, JSON.stringify(report.outcomes));
});
