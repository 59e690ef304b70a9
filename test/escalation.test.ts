// A service whose thread ends in a way no thread can hold comes back as a process, where its manifest asks for it. In a
// daemon of its own, because the thread in native code would keep a test's own process from ending.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Client } from '../protocol/client/client.ts';
import { startTestDaemon } from './test-daemon.ts';

const lab = fileURLToPath(new URL('./fixtures/services/lab', import.meta.url));
const plugin = 'test.lab';

async function daemonWith(t: TestContext, limits: object): Promise<Client> {
  const restart = { policy: 'on-failure', intensity: 5, periodMs: 60_000, backoffMs: [1, 20] };
  const daemon = await startTestDaemon(t, { plugins: [lab], config: { limits: { killMs: 300, shutdownMs: 5000 }, plugins: { overrides: { [plugin]: { limits, restart } } } } });
  return daemon.connect();
}

const deliver = (client: Client, payload: object): Promise<{ output?: unknown }> => client.call('ingress.deliver', { plugin, event: { ingress: 'work', kind: 'do', payload } });

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const began = Date.now();
  while (!(await holds())) {
    assert.ok(Date.now() - began < 20_000, what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a thread that sits in native code is followed by a process, and the timeline says so', async (t) => {
  const client = await daemonWith(t, { escalate: 'process' });
  await assert.rejects(deliver(client, { do: 'native' }));
  await until('the timeline says so', async () => (await client.call('timeline.read', { plugin })).entries.some(({ event }) => event === 'escalated'));
  await client.call('service.restart', { plugin });
  assert.equal((await client.call('service.status', { plugin })).isolation, 'process');
  assert.equal((await deliver(client, { do: 'echo', value: 'from a process' })).output, 'from a process');
});

test('a service that does not ask for it stays in threads', async (t) => {
  const client = await daemonWith(t, {});
  await assert.rejects(deliver(client, { do: 'native' }));
  await until('the thread is given up', async () => (await client.call('service.status', { plugin })).unkillable === 1);
  await client.call('service.restart', { plugin });
  assert.equal((await client.call('service.status', { plugin })).isolation, 'thread');
  assert.ok(!(await client.call('timeline.read', { plugin })).entries.some(({ event }) => event === 'escalated'));
});
