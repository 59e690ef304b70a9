// A daemon that was stopped and goes on: no deadline falls on a plugin that did not run meanwhile.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../protocol/client/client.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { type TestDaemon, startTestDaemon } from '../labs/test-daemon.ts';

const stoppedMs = 4000;

const code = `
import { setTimeout as sleep } from 'node:timers/promises';
const slowly = async () => {
  for (let step = 0; step < 10; step += 1) await sleep(100);
  return 'done';
};
export const service = { start() {}, handleIngress: slowly, async stop() { await slowly(); } };
export const tools = { pooled: slowly, fresh: slowly, process: slowly };
`;

async function startSlow(
  t: TestContext,
  isolation: 'thread' | 'process',
): Promise<{ daemon: TestDaemon; client: Client }> {
  const folder = await temporaryFolder(t);
  await writeTree(folder, {
    'plugin.json': {
      schemaVersion: 1,
      id: 'test.slow',
      name: 'Slow',
      version: '1.0.0',
      entry: './index.js',
      isolation,
      service: { ingresses: [{ name: 'work', kinds: ['do'] }], timeouts: { handleMs: 2500, stopMs: 2500 } },
      tools: ['pooled', 'fresh', 'process'].map((name) => ({ name, isolation: name, timeoutMs: 3000 })),
    },
    'index.js': code,
  });
  const daemon = await startTestDaemon(t, { plugins: [folder] });
  return { daemon, client: await daemon.connect() };
}

async function stopFor(daemon: TestDaemon, ms: number): Promise<void> {
  daemon.signal('SIGSTOP');
  await sleep(ms);
  daemon.signal('SIGCONT');
}

for (const isolation of ['thread', 'process'] as const) {
  test(`an event of a service in a ${isolation} has what it had left of its deadline after the daemon was stopped`, async (t) => {
    const { daemon, client } = await startSlow(t, isolation);
    const deliver = (): Promise<{ output: unknown; queuedMs: number; durationMs: number; attempt: number }> =>
      client.call('ingress.deliver', {
        plugin: 'test.slow',
        event: { ingress: 'work', kind: 'do', payload: {} },
        timeoutMs: 5000,
      });
    const both = Promise.all([deliver(), deliver()]);
    await sleep(400);
    await stopFor(daemon, stoppedMs);
    const [first, second] = await both;
    assert.equal(first.attempt, 1);
    assert.equal(second.attempt, 1);
    if (isolation === 'thread')
      assert.ok(first.durationMs < 2500, `the first took ${String(first.durationMs)} ms, the standstill left out`);
    assert.ok(second.queuedMs < 2500, `the second waited ${String(second.queuedMs)} ms, the standstill left out`);
    const { counters, incarnation } = await client.call('service.status', { plugin: 'test.slow' });
    assert.equal(incarnation, 1);
    assert.deepEqual(
      { handled: counters.handled, timedOut: counters.timedOut, restarts: counters.restarts },
      { handled: 2, timedOut: 0, restarts: 0 },
    );
    const { entries } = await client.call('timeline.read', { plugin: 'test.slow' });
    const told = entries.find(({ event }) => event === 'stood_still');
    assert.match(told?.message ?? '', /^the daemon stood still for [34]\.\d s/);
    const { standstills } = await client.call('daemon.status', {});
    assert.equal(standstills.count, 1);
    assert.ok(Math.abs(standstills.totalMs - stoppedMs) < 700, `${String(standstills.totalMs)} ms are told`);
  });
}

test('calls of tools in threads and processes have what they had left of their deadlines', async (t) => {
  const { daemon, client } = await startSlow(t, 'thread');
  const call = (tool: string): Promise<{ output: unknown; durationMs: number }> =>
    client.call('tool.call', { plugin: 'test.slow', tool, input: {} });
  for (const tool of ['pooled', 'fresh', 'process']) await call(tool);
  const calls = Promise.all(['pooled', 'fresh', 'process'].map(call));
  await sleep(500);
  await stopFor(daemon, stoppedMs);
  for (const { output } of await calls) assert.equal(output, 'done');
});

test('a stop has what it had left of its deadline, and no cell is given up for the time that the daemon was stopped', async (t) => {
  const { daemon, client } = await startSlow(t, 'thread');
  const stopping = client.call('service.stop', { plugin: 'test.slow' });
  await sleep(300);
  await stopFor(daemon, stoppedMs);
  await stopping;
  const { lifecycle, cell } = await client.call('service.status', { plugin: 'test.slow' });
  assert.equal(lifecycle, 'stopped');
  assert.notEqual(cell?.unkillable, true);
  assert.equal((await client.call('daemon.status', {})).counts.unkillable, 0);
});
